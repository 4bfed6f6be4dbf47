//! The fake replies what a real server replies: the same commands and scripts go to both.

use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Client, Connection, ConnectionLike, Value, cmd};

use super::Server;
use super::commands::Mode;

/// A redis-server on a socket of its own; ended with the value.
struct Real {
    process: Child,
    connection: Connection,
    _folder: tempfile::TempDir,
}

impl Real {
    fn start() -> Real {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis");
        let mut process = Process::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
            .args([folder.path(), Path::new("--unixsocket"), &socket])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (`make servers` installs it)");
        let connection = connect(&mut process, &socket);
        Real {
            process,
            connection,
            _folder: folder,
        }
    }

    fn execute(&mut self, words: &[&[u8]]) -> Value {
        let mut command = cmd(str(words[0]));
        for word in &words[1..] {
            command.arg(*word);
        }
        let packed = command.get_packed_command();
        let mut replies = self
            .connection
            .req_packed_commands(&packed, 0, 1)
            .expect("it answers");
        replies.remove(0)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(process: &mut Child, socket: &Path) -> Connection {
    let url = format!("redis+unix://{}", socket.display());
    let client = Client::open(url).unwrap();
    let limit = Instant::now() + Duration::from_mins(1);
    loop {
        if let Ok(connection) = client.get_connection() {
            return connection;
        }
        assert!(process.try_wait().unwrap().is_none(), "redis-server ended");
        assert!(Instant::now() < limit, "redis-server does not listen");
        std::thread::yield_now();
    }
}

fn str(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Both servers, which must agree.
struct Both {
    real: Real,
    fake: Server,
    differences: Vec<String>,
}

impl Both {
    fn new() -> Both {
        Both {
            real: Real::start(),
            fake: Server::new(),
            differences: Vec::new(),
        }
    }

    fn agree(&mut self, words: &[&[u8]]) {
        let real = plain(self.real.execute(words));
        let fake = plain(self.fake.execute(words));
        let shown: Vec<_> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        if real != fake {
            self.differences
                .push(format!("{shown:?}\n  real: {real:?}\n  fake: {fake:?}"));
        }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        self.agree(&words);
    }

    /// A script with the key `{q}k` and the arguments given.
    fn script(&mut self, source: &str, arguments: &[&str]) {
        let mut words = vec![&b"EVAL"[..], source.as_bytes(), b"1", b"{q}k"];
        words.extend(arguments.iter().map(|word| word.as_bytes()));
        self.agree(&words);
    }

    /// Says all at once where they differ.
    fn assert_agreed(&self) {
        assert!(
            self.differences.is_empty(),
            "{}",
            self.differences.join("\n")
        );
        assert_eq!(self.fake.violations(), [""; 0]);
    }

    fn set_mode(&mut self, mode: Mode) {
        self.fake.set_mode(mode);
        let memory = if mode == Mode::Full { "1" } else { "0" };
        let (host, port) = match mode {
            // There is no such primary; it need not be.
            Mode::Replica => ("127.0.0.1", "1"),
            _ => ("NO", "ONE"),
        };
        for words in [
            ["CONFIG", "SET", "maxmemory", memory].as_slice(),
            &["REPLICAOF", host, port],
        ] {
            let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
            assert_eq!(self.real.execute(&words), Value::Okay);
        }
    }
}

/// Without what the real server adds to say where in a script an error was.
fn plain(value: Value) -> Value {
    match value {
        Value::ServerError(error) => {
            let details = error.details().unwrap_or_default();
            let details = details.split(" script: ").next().unwrap_or_default();
            Value::SimpleString(format!(
                "-{} {}",
                error.code(),
                details.trim_end_matches('.')
            ))
        }
        Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        other => other,
    }
}

#[tokio::test(start_paused = true)]
async fn commands_are_answered_as_by_a_real_server() {
    let mut both = Both::new();
    for line in [
        "PING",
        "GET k",
        "SET k value",
        "get k",
        "SET k other NX",
        "SET k other px 100000 NX",
        "PTTL k",
        "PTTL none",
        "GETRANGE k 0 2",
        "GETRANGE k 2 100",
        "GETRANGE k -3 -1",
        "GETRANGE k -100 1",
        "GETRANGE k -1 -3",
        "GETRANGE k 4 1",
        "GETRANGE k 5 9",
        "GETRANGE none 0 9",
        "GETRANGE k 0 x",
        "PEXPIRE none 10",
        "PEXPIRE k 1e3",
        "PEXPIRE k 100000",
        "SET k other PX 0",
        "SET k other PX -1",
        "SET k other PX 1.5",
        "SET k other PX",
        "SET k kept",
        "PTTL k",
        "PEXPIRE k 0",
        "EXISTS k",
        "SET {t}a 1",
        "SET {t}b 2",
        "MGET {t}a {t}none {t}b",
        "EXISTS {t}a {t}a {t}none",
        "RPUSH {t}l x y",
        "RPUSH {t}l z",
        "RPUSH {t}a z",
        "GET {t}l",
        "GETRANGE {t}l 0 1",
        "PTTL {t}l",
        "MGET {t}l {t}a",
        "SET {t}l text NX",
        "SET {t}l text",
        "GET {t}l",
        "DEL {t}a {t}l {t}none",
        "PUBLISH channel message",
        "FLUSHALL",
        "EXISTS {t}b",
    ] {
        both.line(line);
    }
    both.assert_agreed();
}

#[tokio::test(start_paused = true)]
async fn scripts_are_answered_as_by_a_real_server() {
    let mut both = Both::new();
    for source in [
        "return 3.99",
        "return -3.99",
        "return 1800000000123456",
        "return '' .. 1800000000123456",
        "return tostring(1e15) .. ' ' .. tostring(123456)",
        "return true",
        "return false",
        "return nil",
        "return",
        "return {1, 'two', false, {4}, nil, 6}",
        "return {ok = 'FINE'}",
        "return {ok = 'OK'}",
        "return {err = 'MINE own words'}",
        "return redis.error_reply('MINE own words')",
        "return redis.status_reply('FINE')",
        "return {1, redis.pcall('PEXPIRE', KEYS[1], 'never')}",
        "return #KEYS .. #ARGV .. ARGV[1] .. tostring(ARGV[2])",
        "return {KEYS[1], ARGV[1], ARGV[2]}",
        "return redis.call('GET', KEYS[1])",
        "return type(redis.call('GET', KEYS[1]))",
        "return redis.call('SET', KEYS[1], 1800000000123456)",
        "return redis.call('GET', KEYS[1])",
        "return redis.call('SET', KEYS[1], 0.5)",
        "return redis.call('GET', KEYS[1])",
        "return redis.call('SET', KEYS[1], tonumber('0012'))",
        "return redis.call('SET', KEYS[1], 'x', 'NX')",
        "return redis.call('SET', KEYS[1], 'x', 'NX') == false",
        "return redis.call('SET', KEYS[1], 'x', 'PX', 1000.5)",
        "return redis.call('SET', KEYS[1], 'x', 'PX', 90000) and redis.call('PTTL', KEYS[1]) > 80000",
        "return redis.call('SET', KEYS[1], 'x', 'PX', '9e4')",
        "return redis.call('SET', KEYS[1], 'x').ok",
        "return redis.call('SET', KEYS[1], true)",
        "return redis.call('SET', KEYS[1], nil)",
        "return redis.call('MGET', KEYS[1], KEYS[1])",
        "return redis.call('GETRANGE', KEYS[1], 0, 0)",
        "return redis.call('TIME')[1] + 0 > 1000000000",
        "return #redis.call('TIME')",
        "return redis.call('DEL', KEYS[1])",
        "return redis.call('PTTL', KEYS[1])",
        "redis.call('RPUSH', KEYS[1], 'x') return redis.call('GET', KEYS[1])",
        "return redis.pcall('GET', KEYS[1])",
        "return redis.pcall('GET', KEYS[1]).err",
        "local well, fault = pcall(redis.call, 'GET', KEYS[1]) return {well, fault}",
        "return {pcall(error, {err = 'MINE raised'})}",
        "return {pcall(error, {1, 2})}",
        "return {pcall(string.rep, 'x', 3)}",
        "redis.call('SET', KEYS[1], 'written') redis.call('PEXPIRE', KEYS[1], 'never')",
        "return redis.call('GET', KEYS[1])",
        "error('raised')",
        "error({err = 'MINE raised'})",
        "return nothing",
        "nothing = 1",
        "local a = nil; return a.b",
        "return 1 +",
        "return redis.call('PUBLISH', 'channel', 'message')",
        "return tonumber(string.sub('12345', 2, 3)) + string.byte('a')",
        "return math.floor(7 / 2) .. math.max(1, 2)",
        "return tostring(tonumber('abc'))",
        "return string.format('%.0f', 1800000000123456)",
        "return string.format('%016x', 255)",
    ] {
        both.script(source, &["one", "two"]);
    }
    for words in [
        &[&b"EVAL"[..], b"return 1", b"1"][..],
        &[b"EVAL", b"return 1", b"-1"],
        &[b"EVAL", b"return 1", b"x"],
        &[b"EVAL", b"return ARGV[1]", b"0", b"a\r\nb\xff"],
    ] {
        both.agree(words);
    }
    both.assert_agreed();
}

#[tokio::test(start_paused = true)]
async fn a_server_in_trouble_refuses_what_a_real_one_refuses() {
    let mut both = Both::new();
    both.line("SET {q}k old");
    for mode in [Mode::Full, Mode::Replica, Mode::Well] {
        both.set_mode(mode);
        for line in [
            "PING",
            "GET {q}k",
            "SET {q}k new",
            "PEXPIRE {q}k 100000",
            "PUBLISH channel message",
        ] {
            both.line(line);
        }
        for source in [
            "return redis.call('GET', KEYS[1])",
            "return redis.call('SET', KEYS[1], 'scripted')",
            "return redis.pcall('SET', KEYS[1], 'scripted').err",
            "return redis.call('DEL', KEYS[1]) .. redis.call('SET', KEYS[1], 'after').ok",
        ] {
            both.script(source, &[]);
        }
    }
    both.assert_agreed();
}
