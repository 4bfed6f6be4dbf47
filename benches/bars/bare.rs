//! The bare actix rivals: one handler, no middleware. It fetches what it is to send from unslow
//! once, and from then on answers everything with those bytes and headers; where it is given a
//! Redis, after one GET on a shared multiplexed connection.

use std::process::Command;
use std::str::FromStr;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, AsyncCommands};

use crate::Measured;
use crate::load::get_ok;
use crate::process::{Server, free_port};

/// The first argument of this binary when it is to be the rival.
pub(crate) const ROLE: &str = "serve-bare";

/// Starts the rival that sends what `unslow` answers to `path` now.
pub(crate) fn start(unslow: &Server, path: &str, redis_url: Option<&str>) -> Measured<Server> {
    let port = free_port()?;
    let ports = [port, unslow.port].map(|port| port.to_string());
    Server::start(
        "bare",
        port,
        Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args(ports)
            .arg(path)
            .args(redis_url),
    )
}

#[derive(Clone)]
struct Recorded {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Asks the connection for the value, as often as it is asked itself.
#[derive(Clone)]
struct Asked {
    connection: MultiplexedConnection,
    key: String,
}

/// The rival itself: `OWN-PORT UNSLOW'S-PORT PATH [REDIS-URL]`.
pub(crate) fn serve(arguments: &[String]) -> Measured<()> {
    let [port, unslow, path, redis @ ..] = arguments else {
        return Err("a bare rival needs two ports and a path".into());
    };
    let recorded = record(unslow.parse()?, path)?;
    let port: u16 = port.parse()?;
    actix_web::rt::System::new().block_on(async {
        let asked = match redis {
            [url, ..] => Some(ask(url).await?),
            [] => None,
        };
        let server = HttpServer::new(move || {
            let app = App::new().app_data(web::Data::new(recorded.clone()));
            match asked.clone() {
                Some(asked) => app
                    .app_data(web::Data::new(asked))
                    .default_service(web::to(after_redis)),
                None => app.default_service(web::to(at_once)),
            }
        });
        Ok(server.workers(1).bind(("127.0.0.1", port))?.run().await?)
    })
}

async fn at_once(recorded: web::Data<Recorded>) -> HttpResponse {
    respond(&recorded)
}

async fn after_redis(recorded: web::Data<Recorded>, asked: web::Data<Asked>) -> HttpResponse {
    let mut connection = asked.connection.clone();
    match connection.get::<_, Vec<u8>>(&asked.key).await {
        Ok(value) if !value.is_empty() => respond(&recorded),
        _ => HttpResponse::InternalServerError().finish(),
    }
}

fn respond(recorded: &Recorded) -> HttpResponse {
    let mut response = HttpResponse::Ok().body(recorded.body.clone());
    let headers = response.headers_mut();
    for (name, value) in &recorded.headers {
        headers.insert(name.clone(), value.clone());
    }
    response
}

/// Records what unslow sends now, but for what actix adds by itself.
fn record(port: u16, path: &str) -> Measured<Recorded> {
    let answer = get_ok(port, path)?;
    let mut headers = Vec::new();
    for (name, value) in &answer.headers {
        if !["content-length", "connection", "date"].contains(&name.as_str()) {
            headers.push((HeaderName::from_str(name)?, HeaderValue::from_str(value)?));
        }
    }
    Ok(Recorded {
        headers,
        body: answer.body.into(),
    })
}

/// The connection, and the key of the one entry: the longest value that is there.
async fn ask(url: &str) -> Measured<Asked> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let keys: Vec<String> = connection.keys("*").await?;
    let mut longest = (0, None);
    for key in keys {
        let length: u64 = connection.strlen(&key).await.unwrap_or(0);
        if length > longest.0 {
            longest = (length, Some(key));
        }
    }
    let key = longest.1.ok_or("Redis holds no entry")?;
    Ok(Asked { connection, key })
}
