//! Clients of a daemon that notice every request that is lost: one at a time, and crowds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::servers::wait_until;
use crate::unslow::LOST;

/// One client, with a connection that it keeps as long as the server does.
pub(crate) struct Client {
    address: SocketAddr,
    path: String,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, path: &str) -> Client {
        let path = path.to_owned();
        Client {
            address,
            path,
            open: None,
        }
    }

    /// Asks once, on the open connection if there is one, without a second try: a request that is
    /// lost is an error. A connection that the server has announced to close is not used again.
    pub(crate) fn ask(&mut self, close: bool) -> Result<(u16, String), String> {
        self.try_ask(close).map_err(|error| {
            let kept = if self.open.take().is_some() {
                "kept"
            } else {
                "new"
            };
            format!("{kept} connection: {error}")
        })
    }

    fn try_ask(&mut self, close: bool) -> std::io::Result<(u16, String)> {
        if self.open.is_none() {
            let stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(LOST))?;
            self.open = Some(BufReader::new(stream));
        }
        let stream = self.open.as_mut().expect("opened above");
        let connection = if close { "close" } else { "keep-alive" };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n",
            self.path
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_ascii_lowercase());
        }
        let header = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
        let length = header("content-length: ").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let status = lines[0]
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok());
        if close || header("connection: ") == Some("close") {
            self.open = None;
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok((status.unwrap_or(0), body))
    }
}

/// Clients that ask without end until they are stopped.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    /// So many clients that ask for `path` and expect `body`: half of them with a connection for
    /// each request, half keep it and pause between requests for up to 1.5 s.
    pub(crate) fn begin(address: SocketAddr, path: &str, body: &str, clients: u64) -> Crowd {
        Crowd::of(
            address,
            path,
            body,
            (0..clients).map(|number| number % 2 == 0),
        )
    }

    /// Begins as [`Crowd::begin`] does, each with a connection for each request, and without
    /// pauses.
    pub(crate) fn of_strangers(address: SocketAddr, path: &str, body: &str, clients: u64) -> Crowd {
        Crowd::of(address, path, body, (0..clients).map(|_| true))
    }

    fn of(
        address: SocketAddr,
        path: &str,
        body: &str,
        clients: impl Iterator<Item = bool>,
    ) -> Crowd {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |(number, close): (usize, bool)| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let (mut client, body) = (Client::new(address, path), body.to_owned());
            std::thread::spawn(move || {
                let mut lost = Vec::new();
                let mut pause = number as u64;
                while !stop.load(Ordering::Relaxed) {
                    match client.ask(close) {
                        Ok((200, text)) if text == body => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(other) => lost.push(format!("{other:?}")),
                        Err(error) => lost.push(error),
                    }
                    // Up to 1.5 s for those that keep their connection, different each time.
                    pause = (pause * 37 + 11) % 1500;
                    if !close {
                        std::thread::sleep(Duration::from_millis(pause));
                    }
                }
                lost
            })
        };
        let clients = clients.enumerate().map(client).collect();
        Crowd {
            stop,
            answered,
            clients,
        }
    }

    /// Requests that were answered as they should be.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more have been answered.
    pub(crate) fn wait_for_more(&self, more: u64) {
        let goal = self.answered() + more;
        wait_until("the crowd is answered", || self.answered() >= goal);
    }

    /// Stops them; how many were answered. Fails when a request was lost.
    #[track_caller]
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let lost = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap());
        let lost: Vec<_> = lost.flatten().collect();
        let answered = self.answered.load(Ordering::Relaxed);
        let first = &lost[..lost.len().min(5)];
        assert!(
            lost.is_empty(),
            "{} lost, {answered} answered: {first:#?}",
            lost.len()
        );
        answered
    }
}
