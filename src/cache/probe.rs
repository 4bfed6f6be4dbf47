//! A check that Redis does what the program needs of it, for `check --online`.

use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::connect::connection_info;
use super::key::name_prefix;
use crate::error::advice::{Advice, of_tls};
use crate::settings;

/// The time for which each command may take; connecting, twice as long; messages, three times.
const STEP: Duration = Duration::from_secs(1);

/// Writes a key, reads it, reads it by a script, hears a message of its own and removes the key,
/// for `check --online`. The message says what failed; it never holds the password, nor what a
/// server that was sent the password replied in its own words. Must run on a tokio runtime; takes
/// a few seconds at most.
pub async fn probe_redis(settings: &settings::RedisSettings) -> Result<(), String> {
    let info = connection_info(settings).map_err(|error| error.to_string())?;
    let client = Client::open(info).map_err(|error| error_words(&error))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(2 * STEP))
        .set_response_timeout(Some(STEP));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| {
            format!(
                "cannot connect: {}; {}",
                error_words(&error),
                connect_remedy(&error)
            )
        })?;
    let name = format!(
        "{}:check:{}",
        name_prefix(&settings.namespace),
        uuid::Uuid::new_v4()
    );
    keys_and_scripts(&mut connection, &name).await?;
    timeout(3 * STEP, probe_messages(&client, &mut connection, &name))
        .await
        .map_err(|_| "no message arrives where it was subscribed to".to_owned())?
}

async fn keys_and_scripts(
    connection: &mut MultiplexedConnection,
    name: &str,
) -> Result<(), String> {
    let set = redis::cmd("SET")
        .arg(name)
        .arg(name)
        .arg("PX")
        .arg(10_000)
        .to_owned();
    let get = redis::cmd("GET").arg(name).to_owned();
    let script = "return redis.call('GET', KEYS[1])";
    let eval = redis::cmd("EVAL").arg(script).arg(1).arg(name).to_owned();
    let delete = redis::cmd("DEL").arg(name).to_owned();
    ask_command::<()>("SET", &set, connection).await?;
    for (command, read) in [("GET", &get), ("EVAL", &eval)] {
        let read: Option<String> = ask_command(command, read, connection).await?;
        if read.as_deref() != Some(name) {
            return Err(format!("{command} does not give what SET stored"));
        }
    }
    ask_command("DEL", &delete, connection).await
}

/// Hears on one connection what it says on the other.
async fn probe_messages(
    client: &Client,
    connection: &mut MultiplexedConnection,
    channel: &str,
) -> Result<(), String> {
    let fails = |error: redis::RedisError| format!("SUBSCRIBE fails: {}", error_words(&error));
    let mut listener = client.get_async_pubsub().await.map_err(fails)?;
    listener.subscribe(channel).await.map_err(fails)?;
    let publish = redis::cmd("PUBLISH").arg(channel).arg("").to_owned();
    ask_command::<()>("PUBLISH", &publish, connection).await?;
    match listener.on_message().next().await {
        Some(_) => Ok(()),
        None => Err("the connection of SUBSCRIBE ends".to_owned()),
    }
}

async fn ask_command<T: FromRedisValue>(
    command: &str,
    what: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<T, String> {
    what.query_async(connection)
        .await
        .map_err(|error| format!("{command} fails: {}", error_words(&error)))
}

/// Explains an error of TLS.
fn tls_advice(error: &redis::RedisError) -> Option<Advice> {
    of_tls(&error.to_string(), "[redis] ca_file")
}

/// Says what to do about a connection that is not made.
fn connect_remedy(error: &redis::RedisError) -> String {
    if let Some(advice) = tls_advice(error) {
        return advice.remedy;
    }
    let remedy = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "put the right password into [redis] url, or into the file that password_file names"
        }
        (_, Some("LOADING")) => "it reads its data: try again in a moment",
        (ErrorKind::Io, _) if error.is_connection_refusal() => {
            "is Redis running there? Look at [redis] url"
        }
        _ => "look at [redis] url, and at what stands between: firewall, security group, TLS",
    };
    remedy.to_owned()
}

/// Returns an error in words that cannot hold the password: a server may echo what it was sent.
pub(super) fn error_words(error: &redis::RedisError) -> String {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => "no answer in time".to_owned(),
        ErrorKind::Io => tls_advice(error).map_or_else(|| error.to_string(), |advice| advice.words),
        ErrorKind::AuthenticationFailed => {
            "Redis refuses the user or password ([redis] url, password_file)".to_owned()
        }
        ErrorKind::InvalidClientConfig => "the settings of [redis] do not fit".to_owned(),
        kind => match error.code() {
            Some("NOAUTH") => "Redis wants a password ([redis] password_file)".to_owned(),
            Some(code) => format!("Redis replies {code}"),
            None => format!("{kind:?}"),
        },
    }
}
