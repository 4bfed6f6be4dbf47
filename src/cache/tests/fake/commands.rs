//! What the fake server does with each command. It knows those that the cache sends; any other,
//! or an option it does not know, is a violation, so that it never answers what a real server
//! would not.

use bytes::Bytes;
use deadpool_redis::redis::{Value, parse_redis_value};

use super::keyspace::{Held, Keyspace};
use super::script;

/// A server that executes one command at a time.
pub(super) struct Engine {
    pub(super) keyspace: Keyspace,
    pub(super) mode: Mode,
    /// What the cache must not do, and did.
    pub(super) violations: Vec<String>,
    /// Messages published and not yet handed to the subscribers.
    pub(super) published: Vec<(String, Bytes)>,
    pub(super) subscribers: usize,
    /// While a script runs: the keys it was given, and whether it has written.
    pub(super) script: Option<Running>,
}

/// What a server in trouble refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(in crate::cache) enum Mode {
    #[default]
    Well,
    /// No memory: what needs some is refused.
    Full,
    /// It has become a replica: writes are refused.
    Replica,
    /// It reads its data from disk: everything is refused.
    Loading,
}

pub(super) struct Running {
    pub(super) keys: Vec<String>,
    pub(super) wrote: bool,
}

pub(super) type Command = Vec<Bytes>;
/// A reply, or the line of an error reply.
pub(super) type Reply = Result<Value, String>;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";

impl Engine {
    pub(super) fn new() -> Engine {
        Engine {
            keyspace: Keyspace::new(),
            mode: Mode::Well,
            violations: Vec::new(),
            published: Vec::new(),
            subscribers: 0,
            script: None,
        }
    }

    /// The reply to a command that came over the connection of this number.
    pub(super) fn answer(&mut self, command: &Command, by: usize) -> Value {
        self.execute(command, by)
            .unwrap_or_else(|line| error(&line))
    }

    pub(super) fn execute(&mut self, command: &Command, by: usize) -> Reply {
        let name = command.first().map(text).unwrap_or_default();
        let name = name.to_ascii_uppercase();
        let arguments = command.get(1..).unwrap_or_default();
        self.admit(&name)?;
        self.check_keys(&name, arguments)?;
        match (&name[..], arguments) {
            ("PING", []) => Ok(Value::SimpleString("PONG".into())),
            ("GET", [key]) => Ok(self.read(key)?.map_or(Value::Nil, bulk)),
            ("SET", [key, value, options @ ..]) => self.set(key, value, options, by),
            ("GETRANGE", [key, first, last]) => {
                let value = self.read(key)?.unwrap_or_default();
                Ok(bulk(range(&value, number(first)?, number(last)?)))
            }
            ("PTTL", [key]) => Ok(Value::Int(self.keyspace.left(&text(key)))),
            ("PEXPIRE", [key, life]) => {
                let life = number(life)?;
                Ok(int(self.keyspace.expire(&text(key), life, by)))
            }
            ("MGET", keys @ [_, ..]) => Ok(Value::Array(
                keys.iter()
                    .map(|key| self.read(key).ok().flatten().map_or(Value::Nil, bulk))
                    .collect(),
            )),
            ("DEL", keys @ [_, ..]) => Ok(self.count(keys, |held, key| held.remove(key, by))),
            ("EXISTS", keys @ [_, ..]) => Ok(self.count(keys, |held, key| held.get(key).is_some())),
            ("RPUSH", [key, values @ ..]) if !values.is_empty() => self.push(key, values, by),
            ("TIME", []) => {
                let now = self.keyspace.now_us();
                let part = |number: i64| bulk(number.to_string().into());
                Ok(Value::Array(vec![
                    part(now / 1_000_000),
                    part(now % 1_000_000),
                ]))
            }
            ("PUBLISH", [channel, message]) => {
                self.published.push((text(channel), message.clone()));
                let count = i64::try_from(self.subscribers).expect("a few");
                Ok(Value::Int(count))
            }
            ("FLUSHALL", []) => {
                self.keyspace.flush(by);
                Ok(Value::Okay)
            }
            ("EVAL", [source, count, rest @ ..]) => self.eval(source, number(count)?, rest, by),
            _ => Err(self.violation(format!("the fake server does not know {command:?}"))),
        }
    }

    /// Whether the server's state allows the command.
    fn admit(&mut self, name: &str) -> Result<(), String> {
        let writes = matches!(name, "SET" | "DEL" | "PEXPIRE" | "RPUSH" | "FLUSHALL");
        let needs_memory = matches!(name, "SET" | "RPUSH");
        let wrote = self.script.as_ref().is_some_and(|script| script.wrote);
        match self.mode {
            Mode::Loading => Err("LOADING Redis is loading the dataset in memory".into()),
            Mode::Replica if writes => {
                Err("READONLY You can't write against a read only replica.".into())
            }
            // A script that has begun to write may finish.
            Mode::Full if needs_memory && !wrote => {
                Err("OOM command not allowed when used memory > 'maxmemory'.".into())
            }
            _ => {
                if let Some(script) = &mut self.script {
                    script.wrote |= writes;
                }
                Ok(())
            }
        }
    }

    /// On a cluster, a script may only use the keys it was given, and one command's keys must be
    /// on one node.
    fn check_keys(&mut self, name: &str, arguments: &[Bytes]) -> Result<(), String> {
        let keys: Vec<String> = match name {
            "GET" | "SET" | "GETRANGE" | "PTTL" | "PEXPIRE" | "RPUSH" => {
                arguments.iter().take(1).map(text).collect()
            }
            "MGET" | "DEL" | "EXISTS" => arguments.iter().map(text).collect(),
            "EVAL" => {
                let count = arguments.get(1).map_or(Ok(0), number)?;
                let count = usize::try_from(count).unwrap_or(0);
                arguments.iter().skip(2).take(count).map(text).collect()
            }
            _ => return Ok(()),
        };
        if let Some(script) = &self.script
            && let Some(key) = keys.iter().find(|key| !script.keys.contains(key))
        {
            let what = format!("a script used {key}, which was not given to it");
            return Err(self.violation(what));
        }
        if keys.windows(2).any(|two| tag(&two[0]) != tag(&two[1])) {
            let what = format!("{name} with keys of several hash tags: {keys:?}");
            self.violation(what);
            return Err("CROSSSLOT Keys in request don't hash to the same slot".into());
        }
        Ok(())
    }

    fn violation(&mut self, what: String) -> String {
        let line = format!("ERR {what}");
        self.violations.push(what);
        line
    }

    fn read(&mut self, key: &Bytes) -> Result<Option<Bytes>, String> {
        match self.keyspace.get(&text(key)) {
            None => Ok(None),
            Some(Held::Text(value)) => Ok(Some(value.clone())),
            Some(Held::List(_)) => Err(WRONG_TYPE.into()),
        }
    }

    fn set(&mut self, key: &Bytes, value: &Bytes, options: &[Bytes], by: usize) -> Reply {
        let (mut life, mut only_new) = (None, false);
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match &text(option).to_ascii_uppercase()[..] {
                "NX" => only_new = true,
                "PX" => {
                    let millis = number(options.next().ok_or("ERR syntax error")?)?;
                    if millis <= 0 {
                        return Err("ERR invalid expire time in 'set' command".into());
                    }
                    life = Some(millis);
                }
                other => return Err(self.violation(format!("SET with {other}"))),
            }
        }
        let key = text(key);
        if only_new && self.keyspace.get(&key).is_some() {
            return Ok(Value::Nil);
        }
        self.keyspace.set(&key, Held::Text(value.clone()), life, by);
        Ok(Value::Okay)
    }

    /// For tests that put a value of another type under a key.
    fn push(&mut self, key: &Bytes, values: &[Bytes], by: usize) -> Reply {
        let mut list = match self.keyspace.get(&text(key)) {
            None => Vec::new(),
            Some(Held::List(list)) => list.clone(),
            Some(Held::Text(_)) => return Err(WRONG_TYPE.into()),
        };
        list.extend_from_slice(values);
        let length = i64::try_from(list.len()).expect("a short list");
        self.keyspace.set(&text(key), Held::List(list), None, by);
        Ok(Value::Int(length))
    }

    fn count(&mut self, keys: &[Bytes], mut is: impl FnMut(&mut Keyspace, &str) -> bool) -> Value {
        let mut count = 0;
        for key in keys {
            count += i64::from(is(&mut self.keyspace, &text(key)));
        }
        Value::Int(count)
    }

    fn eval(&mut self, source: &Bytes, count: i64, rest: &[Bytes], by: usize) -> Reply {
        if self.script.is_some() {
            return Err("ERR This Redis command is not allowed from script".into());
        }
        let count = usize::try_from(count).map_err(|_| "ERR Number of keys can't be negative")?;
        let Some((keys, arguments)) = rest.split_at_checked(count) else {
            return Err("ERR Number of keys can't be greater than number of args".into());
        };
        self.script = Some(Running {
            keys: keys.iter().map(text).collect(),
            wrote: false,
        });
        let reply = script::run(self, source, keys, arguments, by);
        self.script = None;
        reply
    }
}

/// An error reply, from its line.
pub(super) fn error(line: &str) -> Value {
    let line = line.replace(['\r', '\n'], " ");
    parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an error reply")
}

fn bulk(bytes: Bytes) -> Value {
    Value::BulkString(bytes.into())
}

fn int(truth: bool) -> Value {
    Value::Int(i64::from(truth))
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(bytes: &Bytes) -> Result<i64, String> {
    let digits = text(bytes);
    // As the server: no sign before a positive one, no zeros before, no blanks.
    digits
        .parse::<i64>()
        .ok()
        .filter(|number| number.to_string() == digits)
        .ok_or_else(|| NOT_A_NUMBER.into())
}

/// The bytes from `first` to `last`, both included; negative ones count from the end.
fn range(value: &Bytes, first: i64, last: i64) -> Bytes {
    let length = i64::try_from(value.len()).expect("a short value");
    let place = |at: i64| if at < 0 { (length + at).max(0) } else { at };
    if first < 0 && last < 0 && first > last {
        return Bytes::new();
    }
    let (first, last) = (place(first), place(last).min(length - 1));
    if first > last || length == 0 {
        return Bytes::new();
    }
    let at = |at: i64| usize::try_from(at).expect("not negative");
    value.slice(at(first)..=at(last))
}

/// What decides on which node of a cluster a key is.
fn tag(key: &str) -> &str {
    key.split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty())
        .unwrap_or(key)
}
