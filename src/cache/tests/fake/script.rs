//! Scripts of the fake server: run by the Lua that Redis embeds, with the conversions between its
//! values and replies that Redis makes, and with no globals but those a script may use.

use std::cell::{OnceCell, RefCell};

use bytes::Bytes;
use deadpool_redis::redis::Value as Redis;
use mlua::{Error, Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value};

use super::commands::{Engine, Reply};

thread_local! {
    /// Scripts leave nothing behind, so one for all servers of a thread will do.
    static LUA: OnceCell<Lua> = const { OnceCell::new() };
}

/// Makes what a script sees: reading an unknown global, or making one, is an error. Then the
/// script itself, with `redis.call` on top of `redis.pcall`.
const PRELUDE: &str = r#"
local known = {}
for name in string.gmatch('assert error ipairs pairs next pcall select tonumber tostring ' ..
    'type unpack xpcall rawget rawequal setmetatable getmetatable math string table', '%a+') do
  known[name] = _G[name]
end
-- What is caught is the line of an error reply, not the table that was raised.
local function caught(well, first, ...)
  if not well and type(first) == 'table' and type(first.err) == 'string' then
    return well, first.err
  end
  return well, first, ...
end
function known.pcall(...) return caught(pcall(...)) end
return function(source, pcall_command, keys, arguments)
  local redis = { pcall = pcall_command }
  function redis.call(...)
    local reply = pcall_command(...)
    if type(reply) == 'table' and reply.err then error(reply, 0) end
    return reply
  end
  function redis.error_reply(line) return { err = line } end
  function redis.status_reply(line) return { ok = line } end
  local given = { redis = redis, KEYS = keys, ARGV = arguments }
  local script, fault = loadstring(source, '@user_script')
  if not script then
    return { err = 'ERR Error compiling script (new function): ' .. fault }
  end
  setfenv(script, setmetatable({}, {
    __index = function(_, name)
      local found = given[name]
      if found == nil then found = known[name] end
      if found == nil then
        error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
      end
      return found
    end,
    __newindex = function() error('Attempt to modify a readonly table', 2) end,
  }))
  local well, reply = pcall(script)
  if well then return reply end
  if type(reply) == 'table' and type(reply.err) == 'string' then return { err = reply.err } end
  return { err = 'ERR ' .. tostring(reply) }
end
"#;

/// The reply of a script. What it has written before an error stays.
pub(super) fn run(
    engine: &mut Engine,
    source: &Bytes,
    keys: &[Bytes],
    arguments: &[Bytes],
    by: usize,
) -> Reply {
    LUA.with(|lua| {
        let lua = lua.get_or_init(lua_of_redis);
        run_in(lua, engine, source, [keys, arguments], by)
            .expect("the prelude catches what a script raises")
    })
}

fn lua_of_redis() -> Lua {
    let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
    let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))
        .expect("the libraries are safe");
    let prelude: Function = lua.load(PRELUDE).eval().expect("the prelude is Lua");
    lua.set_named_registry_value("run", prelude)
        .expect("there is memory");
    lua
}

fn run_in(
    lua: &Lua,
    engine: &mut Engine,
    source: &Bytes,
    given: [&[Bytes]; 2],
    by: usize,
) -> mlua::Result<Reply> {
    let engine = RefCell::new(engine);
    lua.scope(|scope| {
        let pcall = scope.create_function(|lua, arguments: MultiValue| {
            let reply = match command(&arguments) {
                Some(command) => engine.borrow_mut().execute(&command, by),
                None => {
                    Err("ERR Lua redis lib command arguments must be strings or integers".into())
                }
            };
            to_lua(lua, reply)
        })?;
        let run: Function = lua.named_registry_value("run")?;
        let list = |bytes: &[Bytes]| {
            let strings = bytes.iter().map(|bytes| lua.create_string(bytes));
            lua.create_sequence_from(strings.collect::<mlua::Result<Vec<_>>>()?)
        };
        let [keys, arguments] = given;
        let source = lua.create_string(source)?;
        from_lua(&run.call::<Value>((source, pcall, list(keys)?, list(arguments)?))?)
    })
}

/// The arguments of `redis.call`. Whole numbers are written as such, others with 17 digits.
fn command(arguments: &MultiValue) -> Option<Vec<Bytes>> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => Some(number.to_string().into()),
        #[allow(clippy::cast_possible_truncation, reason = "compared before")]
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e18 => {
            Some((*number as i64).to_string().into())
        }
        Value::Number(number) => Some(format!("{number}").into()),
        _ => None,
    };
    arguments.iter().map(word).collect()
}

fn to_lua(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    let named = |name: &str, line: &str| {
        let table = lua.create_table()?;
        table.set(name, line)?;
        Ok(Value::Table(table))
    };
    match reply {
        Err(line) => named("err", &line),
        Ok(Redis::Nil) => Ok(Value::Boolean(false)),
        #[allow(clippy::cast_precision_loss, reason = "as Lua's numbers have it")]
        Ok(Redis::Int(number)) => Ok(Value::Number(number as f64)),
        Ok(Redis::BulkString(bytes)) => Ok(Value::String(lua.create_string(bytes)?)),
        Ok(Redis::Okay) => named("ok", "OK"),
        Ok(Redis::SimpleString(line)) => named("ok", &line),
        Ok(Redis::Array(values)) => {
            let values = values.into_iter().map(|value| to_lua(lua, Ok(value)));
            let values = values.collect::<mlua::Result<Vec<_>>>()?;
            Ok(Value::Table(lua.create_sequence_from(values)?))
        }
        Ok(other) => Err(Error::runtime(format!("no command replies {other:?}"))),
    }
}

fn from_lua(value: &Value) -> mlua::Result<Reply> {
    Ok(Ok(match value {
        Value::String(text) => Redis::BulkString(text.as_bytes().to_vec()),
        Value::Integer(number) => Redis::Int(*number),
        #[allow(
            clippy::cast_possible_truncation,
            reason = "Redis cuts the fraction off"
        )]
        Value::Number(number) => Redis::Int(*number as i64),
        Value::Boolean(true) => Redis::Int(1),
        Value::Table(table) => {
            if let Some(line) = field(table, "err")? {
                return Ok(Err(line));
            }
            if let Some(line) = field(table, "ok")? {
                return Ok(Ok(if line == "OK" {
                    Redis::Okay
                } else {
                    Redis::SimpleString(line)
                }));
            }
            let mut values = Vec::new();
            for place in 1.. {
                let value: Value = table.raw_get(place)?;
                if value.is_nil() {
                    break;
                }
                match from_lua(&value)? {
                    Ok(value) => values.push(value),
                    Err(line) => values.push(super::commands::error(&line)),
                }
            }
            Redis::Array(values)
        }
        _ => Redis::Nil,
    }))
}

fn field(table: &Table, name: &str) -> mlua::Result<Option<String>> {
    let value: Value = table.raw_get(name)?;
    Ok(value.as_string().map(mlua::String::to_string_lossy))
}
