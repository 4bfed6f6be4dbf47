//! The comparisons of times: run by `make soak` alone, on a release build and a quiet machine, one
//! test after the other.

use std::time::{Duration, Instant};

use crate::end_to_end::start;
use crate::faults::{ECHO, echo, without_redis};
use crate::servers::{Postgres, Redis, postgres, wait_until as until};
use crate::unslow::Unslow;

/// Runs `ask` and says how long it took.
fn timed<T>(ask: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let answer = ask();
    (begun.elapsed(), answer)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_the_first_answer_comes_within_100_ms_of_the_start() {
    let queries = [("queries/quick.sql", "select 1 as one")];
    let times = (0..9).map(|_| {
        let (took, answer) = timed(|| {
            let args = ["--queries", "queries"];
            Unslow::start_with(&args, &queries, &[]).get("/q/quick.json")
        });
        assert_eq!(answer.status, 200);
        took
    });
    let took = median(times.collect());
    println!("start to first answer: {took:?} (median of 9)");
    assert!(took <= Duration::from_millis(100), "{took:?}");
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_the_page_takes_five_seconds_once_and_then_well_under_ten_milliseconds() {
    let unslow = Unslow::start(&[]);
    let (first, page) = timed(|| unslow.get("/"));
    assert_eq!(page.status, 200);
    assert!(
        first >= Duration::from_secs(5) && first < Duration::from_millis(5500),
        "{first:?}"
    );
    let next = median((0..99).map(|_| timed(|| unslow.get("/")).0).collect());
    println!("first page {first:?}, next {next:?} (median of 99, connection included)");
    assert!(next < Duration::from_millis(10), "{next:?}");
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_a_hanging_redis_costs_a_request_no_more_than_its_deadline() {
    let redis = Redis::start();
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\ndatabase=postgres\nuser=master\npassword=secret\n\
         [redis]\nurl={}\n[cache]\nmemory=0\n",
        postgres().port(),
        redis.url(),
    );
    let query = "-- param: n integer\nselect :n as n";
    let files = [("app.ini", ini.as_str()), ("queries/n.sql", query)];
    let unslow = Unslow::start_with(&["--config", "app.ini"], &files, &[]);
    let ask = |n: u32| {
        let (took, answer) = timed(|| unslow.get(&format!("/q/n.json?n={n}")));
        assert_eq!(answer.status, 200, "{}", answer.text());
        took
    };
    let usual = median((0..49).map(ask).collect());
    redis.stop();
    let hanging: Vec<_> = (1000..1040).map(ask).collect();
    let longest = hanging.iter().max().copied().unwrap_or_default();
    let median = median(hanging);
    println!("usual {usual:?}; Redis hanging: median {median:?}, longest {longest:?}");
    assert!(
        longest < usual + Duration::from_millis(250 + 100),
        "{longest:?}"
    );
    // The breaker is open for most of them.
    assert!(median < usual + Duration::from_millis(100), "{median:?}");
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_hits_are_as_quick_while_a_slow_load_runs() {
    let unslow = Unslow::start(&["--demo-delay", "3s", "--ttl", "1h"]);
    let hit = || timed(|| unslow.get("/q/revenue.json")).0;
    hit();
    let quiet = median((0..499).map(|_| hit()).collect());
    let busy = std::thread::scope(|scope| {
        let load = scope.spawn(|| unslow.get("/q/version.json").status);
        let mut times = Vec::new();
        while !load.is_finished() {
            times.push(hit());
        }
        assert_eq!(load.join().ok(), Some(200));
        median(times)
    });
    println!("hit {quiet:?}, while a load runs {busy:?} (medians)");
    assert!(busy < quiet * 3 / 2, "{busy:?} against {quiet:?}");
}

#[test]
#[ignore = "compares times: make soak"]
fn soak_a_database_that_hangs_costs_a_cold_key_two_seconds_and_a_hit_nothing() {
    let server = Postgres::start();
    let unslow = start(
        &without_redis(&server, "postgres", "[database]\npool_size = 2\n"),
        &[ECHO],
    );
    assert_eq!(echo(&unslow, 1).status, 200);
    server.stop();
    let took = |n: u32| {
        let (took, answer) = timed(|| echo(&unslow, n));
        (answer.status, took)
    };
    let slowest = std::thread::scope(|scope| {
        let clients: Vec<_> = (100..108).map(|n| scope.spawn(move || took(n))).collect();
        let (status, hit) = took(1);
        assert_eq!(status, 200);
        assert!(hit < Duration::from_millis(60), "{hit:?}");
        clients
            .into_iter()
            .map(|client| client.join().unwrap().1)
            .max()
    });
    // More wanted a connection than there are, and waiting for one counts as well.
    assert!(slowest < Some(Duration::from_secs(2)), "{slowest:?}");
    server.cont();
    let went_on = Instant::now();
    until("a cold key is answered", || echo(&unslow, 2).status == 200);
    assert!(went_on.elapsed() < Duration::from_secs(2));
}
