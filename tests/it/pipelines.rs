//! Requests that come before the answers to those before them: they are not read before their turn,
//! and each gets its own answer, in order.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use crate::servers::wait_until as until;
use crate::slow_clients::make_room;
use crate::unslow::Unslow;

/// Each asking is a load, and none is there at once.
const SLOW: (&str, &str) = (
    "queries/slow.sql",
    "-- cache: off\n-- param: n integer\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) \
     select :n as n, count(*) as c from n",
);

fn start() -> Unslow {
    make_room();
    Unslow::start_with(&["--queries", "queries"], &[SLOW], &[])
}

/// The most memory that the process has had, in bytes.
fn peak(unslow: &Unslow) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", unslow.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|line| line.split_whitespace().next());
    kilobytes.unwrap().parse::<u64>().unwrap() * 1024
}

/// Reads one answer: its status, its request's id, and its body.
fn answer(stream: &mut BufReader<TcpStream>, has_body: bool) -> (u16, String, String) {
    let (mut status, mut id, mut length) = (0, String::new(), 0);
    for at in 0.. {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "cut off: {line:?}");
        let line = line.trim_end().to_ascii_lowercase();
        if at == 0 {
            let word = line
                .strip_prefix("http/1.1 ")
                .or(line.strip_prefix("http/1.0 "));
            let word = word.unwrap_or_else(|| panic!("no answer begins with {line:?}"));
            status = word[..3].parse().unwrap();
        } else if let Some(value) = line.strip_prefix("x-request-id: ") {
            value.clone_into(&mut id);
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; if has_body { length } else { 0 }];
    stream.read_exact(&mut body).unwrap();
    (status, id, String::from_utf8(body).unwrap())
}

/// Writes as much as the other side takes without being read, and returns how much that was.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(some) => written += some,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    written
}

#[test]
fn requests_of_clients_that_do_not_read_cost_little_and_all_are_answered_in_order() {
    const CLIENTS: usize = 20;
    const REQUESTS: usize = 5_000;
    let unslow = start();
    assert_eq!(unslow.get("/healthz").status, 200);
    let request =
        |n| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: n{n}\r\n\r\n");
    let requests = (0..REQUESTS).map(request).collect::<Vec<_>>().concat();
    let before = peak(&unslow);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = unslow.connect();
        let socket = socket2::SockRef::from(&stream);
        socket.set_recv_buffer_size(4096).unwrap();
        let written = write_some(&mut stream, requests.as_bytes());
        clients.push((stream, written));
    }
    until("no client takes more", || {
        let stats = unslow.get("/stats.json").json();
        stats["unsent"]["bytes"].as_u64().unwrap() >= (CLIENTS as u64) << 16
    });
    // They send the rest as they read.
    let readers: Vec<_> = clients
        .into_iter()
        .map(|(stream, written)| {
            let rest = requests.as_bytes()[written..].to_vec();
            std::thread::spawn(move || {
                let socket = socket2::SockRef::from(&stream);
                socket.set_recv_buffer_size(1 << 20).unwrap();
                let mut writer = stream.try_clone().unwrap();
                let writer = std::thread::spawn(move || writer.write_all(&rest).unwrap());
                let mut stream = BufReader::new(stream);
                for n in 0..REQUESTS {
                    let (status, id, _) = answer(&mut stream, true);
                    assert_eq!((status, id), (200, format!("n{n}")));
                }
                writer.join().unwrap();
            })
        })
        .collect();
    for reader in readers {
        reader.join().unwrap();
    }
    let grown = peak(&unslow) - before;
    assert!(grown < 20 << 20, "{} MiB more", grown >> 20);
}

#[test]
fn each_pipelined_request_gets_the_answer_of_its_own_method_and_version() {
    let unslow = start();
    let purge = "POST /q/slow/purge HTTP/1.1\r\nAccept: application/json\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n";
    // Request line and headers, body, status, and what the answer's body holds.
    let all: Vec<(String, &str, u16, &str)> = vec![
        (
            "GET /q/slow.json?n=1 HTTP/1.1\r\n".into(),
            "",
            200,
            "\"n\":1",
        ),
        ("HEAD /q/slow.json?n=2 HTTP/1.1\r\n".into(), "", 200, ""),
        (
            "GET /q/slow.json?n=3 HTTP/1.1\r\n".into(),
            "",
            200,
            "\"n\":3",
        ),
        (
            format!("{purge}Content-Length: 3\r\n"),
            "n=4",
            200,
            "\"purge\"",
        ),
        (
            format!("{purge}Content-Length: 7\r\n"),
            "n=4\r\n\r\n",
            200,
            "\"purge\"",
        ),
        (
            "GET /q/slow.json?n=5 HTTP/1.1\r\n".into(),
            "",
            200,
            "\"n\":5",
        ),
        (
            format!(
                "GET /q/slow.json?n=6 HTTP/1.1\r\nX: {}\r\n",
                "x".repeat(60_000)
            ),
            "",
            431,
            "",
        ),
        ("HEAD /healthz HTTP/1.1\r\n".into(), "", 200, ""),
        (
            "GET /q/slow.json?n=7 HTTP/1.1\r\nUpgrade: h2c\r\n".into(),
            "",
            200,
            "\"n\":7",
        ),
        (
            "GET /q/slow.json?n=8 HTTP/1.1\r\nConnection: close\r\n".into(),
            "",
            200,
            "\"n\":8",
        ),
    ];
    let mut sent = Vec::new();
    for (n, (head, body, ..)) in all.iter().enumerate() {
        let text = format!("{head}Host: localhost\r\nX-Request-Id: n{n}\r\n\r\n{body}");
        sent.extend_from_slice(text.as_bytes());
    }
    let long = sent.len() - 60_000;
    // At once, in small parts, byte by byte, and cut in two at every place.
    let mut ways: Vec<Vec<usize>> = vec![vec![sent.len()], vec![1_000], vec![7], vec![1]];
    ways.extend((1..long).map(|cut| vec![cut, sent.len()]));
    for sizes in ways {
        let stream = unslow.connect();
        stream.set_nodelay(true).unwrap();
        let mut stream = BufReader::new(stream);
        let (mut rest, mut sizes_left) = (&sent[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let size = rest.len().min(*sizes_left.next().unwrap());
            stream.get_mut().write_all(&rest[..size]).unwrap();
            rest = &rest[size..];
        }
        for (n, (head, _, status, part)) in all.iter().enumerate() {
            let said = answer(&mut stream, !head.starts_with("HEAD"));
            assert_eq!(
                (said.0, said.1),
                (*status, format!("n{n}")),
                "{sizes:?}: {}",
                said.2
            );
            assert!(said.2.contains(part), "{sizes:?}: {}", said.2);
        }
        let end = stream.read(&mut [0]);
        assert!(matches!(end, Ok(0)), "{sizes:?}: {end:?}");
    }
}
