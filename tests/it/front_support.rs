//! The common part of the tests of the front proxies: clients that speak TLS from an address of
//! their own and notice every request that is lost, and instances that do as a test says instead of
//! unslow.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::version;

use crate::servers::front::{Front, Kind};
use crate::servers::wait_until;
use crate::unslow::Unslow;

/// The address of clients to whom nothing is allowed, and that of those who may see `/stats`.
pub(crate) const STRANGER: [u8; 4] = [127, 0, 0, 66];
pub(crate) const OPERATOR: [u8; 4] = [127, 0, 0, 5];

/// An instance with the settings that are written for it, in which [`OPERATOR`] is allowed. They
/// believe the proxy, which is at 127.0.0.1, and nobody else.
pub(crate) fn instance(kind: Kind, args: &[&str]) -> Unslow {
    instance_with(kind, args, &[])
}

/// The same with more files beside its settings.
pub(crate) fn instance_with(kind: Kind, args: &[&str], files: &[(&str, &str)]) -> Unslow {
    let written = kind.written("app.ini");
    let ini = written
        .replace("#allow = 203.0.113.0/24", "allow = 127.0.0.5")
        // Tests take free ports.
        .replace("\nbind = 127.0.0.1:8000", "");
    assert!(
        ini.contains("\nallow =") && !ini.contains("\nbind"),
        "{written}"
    );
    let files = [&[("app.ini", ini.as_str())], files].concat();
    Unslow::start_with(&[&["--demo-delay", "0s"], args].concat(), &files, &[])
}

pub(crate) fn address(unslow: &Unslow) -> SocketAddr {
    unslow.address().parse().unwrap()
}

/// An answer with its headers as they came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that has to be there once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} among {:?}", self.headers);
        all[0]
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks once, without a second try, and reads the answer to its end.
pub(crate) fn ask(
    stream: &mut BufReader<impl Read + Write>,
    line: &str,
    headers: &[(&str, &str)],
) -> Result<Reply> {
    let mut request = format!("{line} HTTP/1.1\r\n");
    for (name, value) in headers {
        request = request + name + ": " + value + "\r\n";
    }
    request += "\r\n";
    stream.get_mut().write_all(request.as_bytes())?;
    stream.get_mut().flush()?;
    let head = read_head(stream)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        status: status.and_then(|text| text.parse().ok()).unwrap_or(0),
        headers,
        body: Vec::new(),
    };
    let has_body = reply.status != 304 && !line.starts_with("HEAD ");
    if has_body {
        let length = reply.header("content-length").parse().unwrap();
        reply.body = vec![0; length];
        stream.read_exact(&mut reply.body)?;
    }
    Ok(reply)
}

fn read_head(stream: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        if &head[before..] == "\r\n" {
            return Ok(head);
        }
    }
}

impl Front {
    /// `localhost:PORT`, as a client writes it.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.https.port())
    }

    /// GET by https on a connection of its own.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.request(STRANGER, &format!("GET {path}"), headers)
    }

    /// One request by https, from an address, on a connection of its own.
    pub(crate) fn request(&self, source: [u8; 4], line: &str, headers: &[(&str, &str)]) -> Reply {
        let said = self.try_request(source, line, headers);
        said.unwrap_or_else(|error| panic!("{:?}, {line}: {error}\n{}", self.kind, self.logs()))
    }

    fn try_request(&self, source: [u8; 4], line: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        let stream = self.connect(source, &[&version::TLS13], "http/1.1")?;
        let host = self.host();
        let mut all = vec![("Host", host.as_str()), ("Connection", "close")];
        all.extend(headers);
        ask(&mut BufReader::new(stream), line, &all)
    }
}

/// Clients that ask one after the other without end until they are stopped.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    /// Every answer has to be a 200 with this body.
    pub(crate) fn begin(front: &Arc<Front>, path: &str, body: &str, clients: usize) -> Crowd {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |_| {
            let (stop, answered, front) = (stop.clone(), answered.clone(), Arc::clone(front));
            let (line, body) = (format!("GET {path}"), body.as_bytes().to_owned());
            std::thread::spawn(move || {
                let mut lost = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match front.try_request(STRANGER, &line, &[]) {
                        Ok(reply) if reply.status == 200 && reply.body == body => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(other) => lost.push(format!("{} {}", other.status, other.text())),
                        Err(error) => lost.push(error.to_string()),
                    }
                }
                lost
            })
        };
        let clients = (0..clients).map(client).collect();
        Crowd {
            stop,
            answered,
            clients,
        }
    }

    /// Waits until so many more have been answered.
    pub(crate) fn wait_for_more(&self, more: u64) {
        let goal = self.answered.load(Ordering::Relaxed) + more;
        wait_until("the crowd is answered", || {
            self.answered.load(Ordering::Relaxed) >= goal
        });
    }

    /// Stops them; what was lost.
    pub(crate) fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let lost = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap());
        lost.flatten().collect()
    }
}

/// An instance that does as a test says: by the head of a request it gives an answer, or hangs up.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// `does` gives status and body; `None` hangs up without a word. It stays until the test ends.
    pub(crate) fn start(
        does: impl Fn(&str) -> Option<(u16, &'static str)> + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (does, seen) = (Arc::new(does), Arc::clone(&heads));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (does, seen) = (Arc::clone(&does), Arc::clone(&seen));
                std::thread::spawn(move || serve(BufReader::new(stream), &*does, &seen));
            }
        });
        Fake { address, heads }
    }

    /// The heads of the requests for a path, checks of the proxy's own left out.
    pub(crate) fn asked(&self, path: &str) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let is = |head: &&String| head.split(' ').nth(1) == Some(path);
        heads.iter().filter(is).cloned().collect()
    }
}

fn serve(
    mut stream: BufReader<TcpStream>,
    does: &dyn Fn(&str) -> Option<(u16, &'static str)>,
    seen: &Mutex<Vec<String>>,
) {
    while let Ok(head) = read_head(&mut stream) {
        seen.lock().unwrap().push(head.clone());
        let Some((status, body)) = does(&head) else {
            return;
        };
        let answer = format!(
            "HTTP/1.1 {status} As asked\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
