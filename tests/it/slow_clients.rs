//! Clients that take their time: each kind of waiting ends, and good clients are answered
//! meanwhile. Some hundreds at once here; ten thousand in `make soak`.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::servers::wait_until as until;
use crate::unslow::{LOST, Unslow, parse};

/// The bytes that a slow client sends at once; more follow byte by byte, or it does not read.
pub(crate) struct Kind {
    name: &'static str,
    pub(crate) begin: &'static str,
    drip: u8,
}

pub(crate) const HEAD: Kind = Kind {
    name: "head",
    begin: "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    drip: b'x',
};
pub(crate) const BODY: Kind = Kind {
    name: "body",
    begin: "POST /q/version/expire HTTP/1.1\r\nHost: localhost\r\n\
            Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n",
    drip: b'x',
};

/// A query whose answer is more than the sockets' buffers hold.
pub(crate) const LARGE: (&str, &str) = (
    "queries/large.sql",
    "-- ttl: 1h\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 600) \
     select i, hex(zeroblob(10000)) as filler from n",
);
pub(crate) const LARGE_SETTINGS: [&str; 6] = [
    "--queries",
    "queries",
    "--max-entry",
    "64MiB",
    "--memory",
    "256MiB",
];

/// Returns whether the other side has ended the connection.
fn is_over(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Returns the bytes that come back while the client drips.
fn dripping(unslow: &Unslow, kind: &Kind) -> String {
    let mut stream = unslow.connect();
    stream.write_all(kind.begin.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let begun = Instant::now();
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        assert!(begun.elapsed() < LOST, "{}: it is read for ever", kind.name);
        let _ = stream.write_all(&[kind.drip]);
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => received.extend(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // A reset, because it still sends.
            Err(_) => break,
        }
    }
    String::from_utf8(received).unwrap()
}

#[test]
fn a_head_and_a_body_that_drip_are_408_by_name() {
    let unslow = Unslow::start(&["--request-timeout", "2s"]);
    let head = dripping(&unslow, &HEAD);
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    let body = dripping(&unslow, &BODY);
    let answer = parse(body.as_bytes());
    assert_eq!(answer.status, 408, "{body}");
    assert!(
        answer.text().contains("body did not come within 1s"),
        "{body}"
    );
}

#[test]
fn a_second_head_on_a_connection_has_no_more_time_than_the_first() {
    let unslow = Unslow::start(&["--request-timeout", "1s", "--keep-alive", "1h"]);
    let mut stream = unslow.connect();
    let whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // In one packet, and in two.
    let second = HEAD.begin.as_bytes();
    for part in [&whole[..], second] {
        stream.write_all(part).unwrap();
    }
    let mut both = unslow.connect();
    both.write_all(&[&whole[..], second].concat()).unwrap();
    let begun = Instant::now();
    let mut over = [false; 2];
    while over != [true; 2] {
        assert!(begun.elapsed() < LOST, "it is read for ever");
        for (over, stream) in over.iter_mut().zip([&mut stream, &mut both]) {
            *over = *over || is_over(stream) || stream.write_all(b"x").is_err();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_idle_connection_keeps_its_keep_alive_however_short_a_head_may_be() {
    let unslow = Unslow::start(&["--request-timeout", "2s", "--keep-alive", "1h"]);
    let mut stream = unslow.connect();
    for _ in 0..2 {
        stream.set_nonblocking(false).unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        // Another's head runs out of its time meanwhile.
        assert!(dripping(&unslow, &HEAD).starts_with("HTTP/1.1 408"));
        assert!(!is_over(&mut stream));
    }
}

#[test]
fn clients_that_do_not_read_are_given_up_and_cost_little_memory() {
    make_room();
    let mut args = vec!["--request-timeout", "3s", "--keep-alive", "0s"];
    args.extend(LARGE_SETTINGS);
    let unslow = Unslow::start_with(&args, &[LARGE], &[]);
    let size = unslow.get("/q/large.json").body.len();
    assert!(size > 10_000_000, "{size}");
    let before = crate::crowds::resident(&unslow);
    let request = b"GET /q/large.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut readers: Vec<_> = (0..50).map(|_| unslow.connect()).collect();
    for stream in &mut readers {
        stream.write_all(request).unwrap();
    }
    let open = || connections(unslow.pid());
    until("all are being answered", || open() >= readers.len());
    assert_eq!(unslow.get("/healthz").status, 200);
    until("they are given up", || open() == 0);
    let grown = crate::crowds::resident(&unslow).saturating_sub(before);
    let bodies = (size * readers.len()) as u64;
    assert!(grown < bodies / 8, "{grown} bytes more for {bodies} unread");
    assert_eq!(unslow.get("/q/large.json").body.len(), size);
}

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The open connections of a process: its sockets, without those that listen.
pub(crate) fn connections(pid: u32) -> usize {
    let sockets = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let sockets = sockets
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let text = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(text.to_owned())
        })
        .collect::<HashSet<_>>();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    table
        .lines()
        .skip(1)
        .filter(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields[3] != LISTEN && sockets.contains(fields[9])
        })
        .count()
}

#[test]
fn hundreds_of_slow_clients_leave_the_good_ones_their_answers() {
    make_room();
    let unslow = Unslow::start(&["--demo-delay", "0s", "--request-timeout", "3s"]);
    let mut slow: Vec<_> = (0..600)
        .map(|n| {
            let mut stream = unslow.connect();
            let kind = if n % 2 == 0 { &HEAD } else { &BODY };
            stream.write_all(kind.begin.as_bytes()).unwrap();
            (stream, kind)
        })
        .collect();
    while !slow.is_empty() {
        slow.retain_mut(|(stream, kind)| {
            !is_over(stream) && stream.write_all(&[kind.drip]).is_ok()
        });
        assert_eq!(unslow.get("/q/version.json").status, 200);
    }
    until("all are gone", || connections(unslow.pid()) == 0);
}

/// Room for many connections in this process, which all tests share.
pub(crate) fn make_room() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }
}

#[test]
fn few_descriptors_bound_the_connections_and_good_clients_get_their_turn() {
    make_room();
    let args = ["--demo-delay", "0s", "--request-timeout", "3s"];
    let unslow = Unslow::start_within(256, &args);
    let numbers = [
        "descriptors (256)",
        "160 connections",
        "max_connections=20000",
    ];
    until("the log says what it does with so few", || {
        numbers.iter().all(|number| unslow.log().contains(number))
    });
    let own = descriptors(unslow.pid());
    let crowd: Vec<_> = (0..600).map(|_| unslow.connect()).collect();
    let mut most = 0;
    for _ in 0..20 {
        assert_eq!(unslow.get("/q/version.json").status, 200);
        most = most.max(descriptors(unslow.pid()));
    }
    drop(crowd);
    assert!(most > own + 50, "{most} of {own}: the crowd was not there");
    assert!(most < 240, "{most} descriptors");
    let log = unslow.log();
    assert!(
        !log.contains("open files") && !log.contains("accept"),
        "{log}"
    );
}

#[test]
fn too_few_descriptors_to_serve_are_an_error_that_says_how_many_it_takes() {
    let program = env!("CARGO_BIN_EXE_unslow");
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("/bin/sh")
        .args([
            "-c",
            "ulimit -n 80 && exec \"$0\" --bind 127.0.0.1:0 --workers 2",
            program,
        ])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{said}");
    for word in ["80 descriptors", "ulimit -n", "112", "LimitNOFILE"] {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

/// The open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}
