//! A connection of its own on which a PostgreSQL server sends messages of its channel `unslow`.
//! It says when the connection is gone and does not come back by itself: what is to be done about
//! messages that were missed is the caller's business.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgListener, PgPoolOptions};
use sqlx::{Acquire, Connection, Error};
use tokio::time::{Instant, timeout, timeout_at};

use super::checkout::CHECKOUT;
use super::postgres::Postgres;
use super::postgres_fault::{of_statement, unavailable_words};
use crate::error::RequestError;

/// The channel.
const CHANNEL: &str = "unslow";
/// The time without a message after which the server is asked whether it is still there: a
/// connection that died without a word would look like one on which nothing happens.
const SILENCE: Duration = Duration::from_secs(5);

/// Hears what is sent with `NOTIFY unslow`. Dropping it closes the connection.
pub struct MessageListener {
    driver: PgListener,
    place: String,
}

impl Postgres {
    /// Connects, and listens.
    pub(super) async fn open_listener(&self) -> Result<MessageListener, RequestError> {
        let connector = self.connector();
        let place = connector.place().to_owned();
        // The driver's listener only takes a connection from a pool, and a pool tries again behind
        // the caller's back and keeps the cause to itself. So the cause is asked for first.
        drop(self.note_connect(connector.connect().await)?);
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(connector.connect_patience())
            .connect_lazy_with(connector.options().clone());
        let start = Instant::now();
        let connected = async {
            let mut driver = PgListener::connect_with(&pool).await?;
            driver.ignore_pool_close_event(true);
            driver.eager_reconnect(false);
            driver.listen(CHANNEL).await?;
            Ok(driver)
        };
        match timeout_at(start + 2 * connector.connect_patience(), connected).await {
            Ok(Ok(driver)) => Ok(MessageListener { driver, place }),
            Ok(Err(Error::PoolTimedOut)) | Err(_) => Err(no_answer(&place)),
            Ok(Err(error)) => Err(of_statement(
                &place,
                &error,
                "listen",
                start.elapsed(),
                CHECKOUT,
            )),
        }
    }
}

impl MessageListener {
    /// Returns the text of the next message. Cancel-safe: no message is lost.
    ///
    /// # Errors
    ///
    /// The connection is gone, and the listener of no more use; messages sent from now on are
    /// missed.
    pub async fn next(&mut self) -> Result<String, RequestError> {
        loop {
            match timeout(SILENCE, self.driver.try_recv()).await {
                Ok(Ok(Some(message))) => {
                    // The driver panics at a text that is not UTF-8, as a database without an
                    // encoding may send it. No tag is like that.
                    let text = std::panic::catch_unwind(|| message.payload().to_owned());
                    if let Ok(text) = text {
                        return Ok(text);
                    }
                }
                Ok(Ok(None)) => {
                    let closed = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Err(self.connection_gone(&Error::Io(closed)));
                }
                Ok(Err(error)) => return Err(self.connection_gone(&error)),
                Err(_) => self.ask_server().await?,
            }
        }
    }

    /// Returns whether the server is still there. What it sends meanwhile is kept.
    async fn ask_server(&mut self) -> Result<(), RequestError> {
        let ping = async {
            let connection: &mut PgConnection = (&mut self.driver).acquire().await?;
            connection.ping().await
        };
        match timeout(CHECKOUT, ping).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.connection_gone(&error)),
            Err(_) => Err(no_answer(&self.place)),
        }
    }

    fn connection_gone(&self, error: &Error) -> RequestError {
        RequestError::Unavailable {
            detail: unavailable_words(&self.place, error),
        }
    }
}

fn no_answer(place: &str) -> RequestError {
    RequestError::Unavailable {
        detail: format!("{place}: no answer while listening").into(),
    }
}
