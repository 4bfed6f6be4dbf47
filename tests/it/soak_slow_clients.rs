//! Ten thousand clients that take their time, against the real server: run by `make soak` alone, on
//! a release build and a quiet machine. That each of them is given up is `slow_clients`'.

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::slow_clients::{BODY, HEAD, LARGE, LARGE_SETTINGS, connections, make_room};
use crate::unslow::Unslow;

/// The number of slow clients of each kind in `make soak`.
const EACH: usize = 3334;
/// Tells [`crowd_of_slow_clients`] where to go.
const ADDRESS: &str = "UNSLOW_TEST_CROWD";

/// Ten thousand slow clients in a process of their own: a byte a second from each, and a new
/// connection for each that was ended. Says how many are open, once a second, until it is killed.
#[test]
#[ignore = "not by itself: soak_ten_thousand_slow_clients starts it"]
fn crowd_of_slow_clients() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    make_room();
    let reader = format!("GET /q/large.json HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let connect = |kind: usize| -> Option<TcpStream> {
        let mut stream = TcpStream::connect(&address).ok()?;
        let begin = [HEAD.begin, BODY.begin, &reader][kind];
        stream.write_all(begin.as_bytes()).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    };
    let mut clients: Vec<Option<TcpStream>> = (0..3 * EACH).map(|n| connect(n % 3)).collect();
    loop {
        let round = Instant::now();
        for (n, client) in clients.iter_mut().enumerate() {
            let goes_on = client.as_mut().is_some_and(|stream| {
                let moved = match n % 3 {
                    0 | 1 => stream.write(b"x"),
                    _ => stream.read(&mut [0]),
                };
                match moved {
                    Ok(bytes) => bytes > 0,
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                }
            });
            if !goes_on {
                *client = connect(n % 3);
            }
        }
        println!("open {}", clients.iter().flatten().count());
        std::thread::sleep(Duration::from_secs(1).saturating_sub(round.elapsed()));
    }
}

/// The process of [`crowd_of_slow_clients`]; killed when dropped.
struct Crowd(Child);

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_ten_thousand_slow_clients_leave_the_good_ones_their_answers() {
    let unslow = Unslow::start_with(
        &[&["--demo-delay", "0s"][..], &LARGE_SETTINGS].concat(),
        &[LARGE],
        &[],
    );
    let size = unslow.get("/q/large.json").body.len();
    let before = crate::crowds::resident(&unslow);
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "soak_slow_clients::crowd_of_slow_clients",
        ])
        .env(ADDRESS, unslow.address())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut crowd = Crowd(child);
    let mut said = BufReader::new(crowd.0.stdout.take().unwrap()).lines();
    // Three quarters, because those that are ended come back one by one.
    let is_there = |line: &str| {
        let open = line
            .strip_prefix("open ")
            .and_then(|n| n.parse::<usize>().ok());
        open > Some(3 * EACH / 4 * 3)
    };
    let there = said
        .by_ref()
        .map_while(Result::ok)
        .find(|line| is_there(line));
    println!("slow clients: {there:?}");
    assert!(there.is_some(), "the crowd has ended");
    let mut times = Vec::new();
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(45) {
        let asked = Instant::now();
        assert_eq!(unslow.get("/q/version.json").status, 200);
        times.push(asked.elapsed());
        if times.len() % 100 == 0 {
            most = most.max(connections(unslow.pid()));
        }
    }
    times.sort_unstable();
    let (median, last) = (times[times.len() / 2], times[times.len() - 1]);
    let grown = crate::crowds::resident(&unslow).saturating_sub(before);
    println!(
        "{} good requests: median {median:?}, longest {last:?}; at most {most} connections; \
         {} MiB for {EACH} readers of {} MiB",
        times.len(),
        grown >> 20,
        size >> 20
    );
    assert!(most > 3 * EACH / 2, "{most} connections");
    assert!(median < Duration::from_millis(50), "{median:?}");
    assert!(last < Duration::from_secs(2), "{last:?}");
    assert!(grown < 2 << 30, "{grown}");
}
