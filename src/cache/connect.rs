//! The connection parameters of Redis, from the settings alone.

use deadpool_redis::redis::{Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use crate::error::StartupError;
use crate::settings;

/// Returns the address of Redis and the way to connect, from the settings. No error of it holds the
/// URL: it may hold a password.
pub(super) fn connection_info(
    settings: &settings::RedisSettings,
) -> Result<ConnectionInfo, StartupError> {
    // The driver takes the process's cryptography, and panics where none was chosen; it fails
    // where one was chosen already, which is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut info = settings
        .url
        .reveal()
        .into_connection_info()
        .map_err(|_| bad_url())?;
    if let Some(path) = &settings.ca_file {
        let place = "[redis] ca_file";
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(settings::read_authorities(path, place)?),
        };
        info = Client::build_with_tls(info, certificates)
            .map_err(|_| {
                StartupError::new("ca_file is given, but cannot be used")
                    .at_place(place)
                    .with_remedy(
                        "use a rediss:// URL and a PEM file of certificates, or remove ca_file",
                    )
            })?
            .get_connection_info()
            .clone();
    }
    if let Some(password) = &settings.password {
        let redis = info.redis_settings().clone();
        info = info.set_redis_settings(redis.set_password(password.reveal()));
    }
    Ok(info)
}

/// Returns the error for a URL that the driver does not take. The driver's own reason would repeat
/// the URL.
pub(super) fn bad_url() -> StartupError {
    StartupError::new("the URL of Redis cannot be used")
        .at_place("[redis] url")
        .with_remedy(
            "write it as redis://HOST:PORT/DB, rediss://USER@HOST:PORT/DB (TLS) or \
             redis+unix:///PATH; special characters in it are percent-encoded",
        )
}
