//! Connections between requests and at their end: what came in already is answered before a timer
//! or an end of input closes, and readers that are too slow lose their connection.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::servers::wait_until as until;
use crate::slow_clients::{LARGE, LARGE_SETTINGS, connections};
use crate::unslow::{LOST, Unslow};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Reads one answer to a request for `/healthz`.
fn answer(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let mut byte = [0];
    while !received.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut byte);
        assert!(
            matches!(read, Ok(1)),
            "{read:?} after {:?}",
            String::from_utf8_lossy(&received)
        );
        received.push(byte[0]);
    }
    let head = String::from_utf8(received).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head
}

/// Stops the process, lets `meanwhile` happen, and has it go on when its timers are over.
fn asleep(unslow: &Unslow, timers: Duration, meanwhile: impl FnOnce()) {
    unslow.signal(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", unslow.pid());
    until("it is stopped", || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    });
    let begun = Instant::now();
    meanwhile();
    until("its timers are over", || begun.elapsed() > timers);
    unslow.signal(Signal::SIGCONT);
}

#[test]
fn a_request_that_came_while_the_process_was_stopped_is_answered() {
    let unslow = Unslow::start(&["--keep-alive", "1s", "--request-timeout", "1s"]);
    for round in 0..5 {
        let mut streams: Vec<_> = (0..20).map(|_| unslow.connect()).collect();
        for stream in &mut streams {
            stream.write_all(HEALTH.as_bytes()).unwrap();
            answer(stream);
        }
        // Another has sent the first half of its next request.
        let mut halved = unslow.connect();
        let (first, second) = HEALTH.split_at(20);
        halved.write_all(HEALTH.as_bytes()).unwrap();
        answer(&mut halved);
        halved.write_all(first.as_bytes()).unwrap();
        asleep(&unslow, Duration::from_millis(1_200), || {
            for stream in &mut streams {
                stream.write_all(HEALTH.as_bytes()).unwrap();
            }
            halved.write_all(second.as_bytes()).unwrap();
        });
        for stream in &mut streams {
            assert!(answer(stream).starts_with("http/1.1 200"), "{round}");
        }
        assert!(answer(&mut halved).starts_with("http/1.1 200"), "{round}");
    }
}

#[test]
fn the_time_for_a_head_does_not_run_while_the_process_is_stopped() {
    let unslow = Unslow::start(&["--request-timeout", "3s", "--keep-alive", "1h"]);
    let (first, second) = HEALTH.split_at(20);
    // The first head of a connection, and a later one.
    let mut streams = [unslow.connect(), unslow.connect()];
    streams[1].write_all(HEALTH.as_bytes()).unwrap();
    answer(&mut streams[1]);
    for stream in &mut streams {
        stream.write_all(first.as_bytes()).unwrap();
    }
    // Bytes that were sent before are read before.
    assert_eq!(unslow.get("/healthz").status, 200);
    asleep(&unslow, Duration::from_millis(3_500), || {});
    assert_eq!(unslow.get("/healthz").status, 200);
    for stream in &mut streams {
        stream.write_all(second.as_bytes()).unwrap();
        assert!(answer(stream).starts_with("http/1.1 200"));
    }
}

#[test]
fn an_idle_connection_ends_after_its_keep_alive() {
    let unslow = Unslow::start(&["--keep-alive", "1s"]);
    let mut stream = unslow.connect();
    for _ in 0..3 {
        stream.write_all(HEALTH.as_bytes()).unwrap();
        answer(&mut stream);
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "it ends, and by no reset");
    until("it is closed", || connections(unslow.pid()) == 0);
}

#[test]
fn requests_before_an_end_of_input_are_answered() {
    let slow = (
        "queries/slow.sql",
        "-- cache: off\n-- param: n integer\n\
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) \
         select :n as n, count(*) as c from n",
    );
    let unslow = Unslow::start_with(&["--queries", "queries"], &[slow], &[]);
    // At once and by a load; fewer than are decoded ahead, and more.
    for (path, count) in [
        ("/healthz", 3),
        ("/q/slow.json?n=1", 3),
        ("/healthz", 60),
        ("/q/slow.json?n=2", 60),
    ] {
        for ends_later in [false, true] {
            let mut stream = unslow.connect();
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            stream.write_all(request.repeat(count).as_bytes()).unwrap();
            if ends_later {
                stream.peek(&mut [0]).unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
            let mut received = Vec::new();
            let end = stream.read_to_end(&mut received);
            let answers = String::from_utf8_lossy(&received)
                .matches("HTTP/1.1 200")
                .count();
            assert_eq!(answers, count, "{path}, later: {ends_later}, {end:?}");
        }
    }
}

/// Reads so many bytes at once until `is_over`, or all has come; says how many came.
fn drip(
    stream: &mut TcpStream,
    bytes: usize,
    pause: Duration,
    is_over: impl Fn() -> bool,
) -> usize {
    let (mut total, mut buffer, begun) = (0, vec![0; bytes], Instant::now());
    while !is_over() {
        assert!(begun.elapsed() < LOST, "{total} bytes came, and it goes on");
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => total += read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
        std::thread::park_timeout(pause);
    }
    total
}

#[test]
fn a_reader_that_is_too_slow_loses_its_connection_and_a_slow_link_does_not() {
    let args = [&["--request-timeout", "2s"][..], &LARGE_SETTINGS].concat();
    let unslow = Unslow::start_with(&args, &[LARGE], &[]);
    let size = unslow.get("/q/large.json").body.len();
    let open = |buffer: usize| {
        let mut stream = unslow.connect();
        let socket = socket2::SockRef::from(&stream);
        socket.set_recv_buffer_size(buffer).unwrap();
        let ask = "GET /q/large.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).unwrap();
        stream
    };
    // It takes something in each request_timeout. What the system holds already it could read for
    // long after the server has ended.
    let is_ended = || connections(unslow.pid()) == 0;
    let mut slow = open(4096);
    until("it is being answered", || !is_ended());
    let taken = drip(&mut slow, 300, Duration::from_millis(40), is_ended);
    assert!(taken < size / 10, "{taken} of {size}");
    let mut honest = open(256 << 10);
    let taken = drip(&mut honest, 64 << 10, Duration::from_millis(1), || false);
    assert!(taken > size, "{taken} of {size}");
    until("both are gone", is_ended);
    until("nothing waits", || {
        unslow.get("/stats.json").json()["unsent"]["bytes"] == 0
    });
}
