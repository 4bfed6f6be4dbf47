//! Whether Redis does what we need of it, for `check --online`.

use std::time::Duration;

use deadpool_redis::redis::{self, AsyncConnectionConfig, Client, ErrorKind};

use super::connect::connection_info;
use crate::settings;

/// How long each command may take; connecting, twice as long.
const STEP: Duration = Duration::from_secs(1);

/// Reads, writes and removes a key, for `check --online`. The message says what failed; it never
/// holds the password, nor what a server that was sent the password replied in its own words.
/// Must run on a tokio runtime; takes a few seconds at most.
pub async fn probe(settings: &settings::Redis) -> Result<(), String> {
    let info = connection_info(settings).map_err(|error| error.to_string())?;
    let client = Client::open(info).map_err(|error| told(&error))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(2 * STEP))
        .set_response_timeout(Some(STEP));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| format!("cannot connect: {}", told(&error)))?;
    let name = format!("{}:v1:check:{}", settings.namespace, uuid::Uuid::new_v4());
    let value = name.as_bytes();
    let _: () = redis::cmd("SET")
        .arg(&name)
        .arg(value)
        .arg("PX")
        .arg(10_000)
        .query_async(&mut connection)
        .await
        .map_err(|error| format!("SET fails: {}", told(&error)))?;
    let read: Vec<u8> = redis::cmd("GET")
        .arg(&name)
        .query_async(&mut connection)
        .await
        .map_err(|error| format!("GET fails: {}", told(&error)))?;
    if read != value {
        return Err("GET does not give what SET stored".to_owned());
    }
    redis::cmd("DEL")
        .arg(&name)
        .query_async::<()>(&mut connection)
        .await
        .map_err(|error| format!("DEL fails: {}", told(&error)))
}

/// An error in words that cannot hold the password: a server may echo what it was sent.
fn told(error: &redis::RedisError) -> String {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => "no answer in time".to_owned(),
        ErrorKind::Io => error.to_string(),
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
