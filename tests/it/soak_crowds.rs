//! Crowds that could take the workers from everybody else: clients that ask for large pages and
//! compressions, and storms of connections. Run by `make soak` alone, on a release build and a quiet
//! machine, because times are compared. Slow clients are `soak_slow_clients`'.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use crate::crowds::reset;
use crate::servers::{UntilDropped, wait_until as until};
use crate::slow_clients::{connections, descriptors, make_room};
use crate::unslow::Unslow;

/// A page of more than 2 MB, which shows no more than 1 MiB of text: most of it is markup. Another
/// for each `n`.
const TALL: (&str, &str) = (
    "queries/tall.sql",
    "-- ttl: 1h\n-- max-rows: 20000\n-- param: n integer\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) \
     select i, hex(randomblob(10)) || '&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&' as words, :n as n from n",
);

/// The median and the longest of the times that small answers take until `is_over`.
fn times(unslow: &Unslow, is_over: impl Fn() -> bool) -> (Duration, Duration, usize) {
    let mut times = Vec::new();
    while !is_over() {
        let asked = Instant::now();
        assert_eq!(unslow.get("/q/version.json").status, 200);
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1], times.len())
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_large_pages_and_compressions_at_most_double_the_median_of_others() {
    let args = [
        ["--queries", "queries"],
        ["--demo-delay", "0s"],
        ["--page-rows", "20000"],
        ["--max-entry", "64MiB"],
    ];
    let unslow = Unslow::start_with(&args.concat(), &[TALL], &[]);
    let size = unslow.get("/q/tall?n=0").body.len();
    let begun = Instant::now();
    let quiet = times(&unslow, || begun.elapsed() > Duration::from_secs(5));
    let (is_over, next) = (AtomicBool::new(false), AtomicUsize::new(1));
    let busy = std::thread::scope(|scope| {
        for client in 0..4 {
            let (unslow, is_over, next) = (&unslow, &is_over, &next);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    // Half of them ask for the page, half for the data; each is encoded anew.
                    let form = ["", ".json"][client % 2];
                    let path = format!("/q/tall{form}?n={n}");
                    let answer = unslow.get_with(&path, &[("Accept-Encoding", "gzip")]);
                    assert_eq!(answer.status, 200);
                    assert_eq!(answer.header("content-encoding"), "gzip");
                }
            });
        }
        let _end = UntilDropped(&is_over);
        let begun = Instant::now();
        until("large answers are made", || {
            next.load(Ordering::Relaxed) > 8
        });
        times(&unslow, || {
            begun.elapsed() > Duration::from_secs(10) && next.load(Ordering::Relaxed) > 40
        })
    });
    let large = next.load(Ordering::Relaxed);
    println!(
        "pages of {size} bytes, {large} large answers; others (median, longest, number): alone {quiet:?}, beside them {busy:?}"
    );
    assert!(size > 2_000_000, "{size} bytes");
    assert!(busy.0 <= 2 * quiet.0, "{busy:?} of {quiet:?}");
}

/// The number of connections of a storm, and its time.
const STORM: u32 = 10_000;
const PER_SECOND: u32 = 2_000;

#[test]
#[ignore = "compares times: make soak"]
fn soak_a_storm_of_connections_leaves_others_their_answers_and_nothing_behind() {
    make_room();
    let unslow = Unslow::start(&["--demo-delay", "0s"]);
    assert_eq!(unslow.get("/q/version.json").status, 200);
    until("the first client has gone", || {
        connections(unslow.pid()) == 0
    });
    let before = descriptors(unslow.pid());
    let storm = Instant::now();
    let threads = 4;
    let others = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| connect_and_leave(&unslow, STORM / threads)))
            .collect();
        times(&unslow, || {
            clients.iter().all(ScopedJoinHandle::is_finished)
        })
    });
    println!(
        "{STORM} connections in {:?}; others (median, longest, number): {others:?}",
        storm.elapsed()
    );
    assert!(others.1 < Duration::from_secs(2), "{others:?}");
    until("all connections have gone", || {
        connections(unslow.pid()) == 0
    });
    until("descriptors are as before", || {
        descriptors(unslow.pid()) <= before
    });
    assert!(!unslow.log().contains(" ERROR "), "{}", unslow.log());
}

/// Connects so many times at this thread's share of the pace; every other connection is reset, and
/// of both kinds some have begun a request.
fn connect_and_leave(unslow: &Unslow, connections: u32) {
    let begun = Instant::now();
    let pause = Duration::from_secs(4) / PER_SECOND;
    for n in 0..connections {
        let mut stream = unslow.connect();
        if n % 4 < 2 {
            let _ = stream.write_all(b"GET /q/version.json HTTP/1.1\r\nHo");
        }
        if n % 2 == 0 {
            reset(stream);
        }
        std::thread::sleep((pause * (n + 1)).saturating_sub(begun.elapsed()));
    }
}
