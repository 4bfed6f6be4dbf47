//! Faults of Redis under the real binary, without a memory tier so that each answer needs it:
//! every request is answered, from Redis or from the database, and Redis is used again by itself.

use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::servers::redis::Options;
use crate::servers::{Redis, wait_until as until};
use crate::unslow::Unslow;

const ECHO: (&str, &str) = (
    "queries/echo.sql",
    "-- param: n integer\n-- ttl: 1h\nselect :n as n, hex(zeroblob(300)) as filler",
);

pub(crate) fn on(url: &str) -> Unslow {
    Unslow::start_with(
        &["--queries", "queries", "--memory", "0", "--redis-url", url],
        &[ECHO],
        &[],
    )
}

/// Asks for a key and gives its `Cache-Status`; the answer is right whatever Redis does.
#[track_caller]
pub(crate) fn ask(unslow: &Unslow, n: u32) -> String {
    let answer = unslow.get(&format!("/q/echo.json?n={n}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["rows"][0]["n"], n);
    answer.header("cache-status").to_owned()
}

/// Waits until a key that is asked for again comes from Redis.
pub(crate) fn until_it_is_used(unslow: &Unslow, n: u32) {
    until("Redis is used", || {
        ask(unslow, n) == ask(unslow, n) && ask(unslow, n).ends_with("detail=redis")
    });
    assert_eq!(unslow.get("/stats.json").json()["redis"]["up"], true);
}

fn errors(unslow: &Unslow, class: &str) -> u64 {
    unslow.get("/stats.json").json()["redis"]["errors"][class]
        .as_u64()
        .unwrap_or_else(|| panic!("no class {class}"))
}

#[test]
fn a_full_redis_serves_what_it_has_and_its_refusals_are_counted() {
    let redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    redis.command("CONFIG SET maxmemory-policy noeviction");
    redis.command("CONFIG SET maxmemory 1");
    for n in 2..8 {
        assert!(ask(&unslow, n).contains("fwd=uri-miss"));
        assert!(ask(&unslow, 1).ends_with("detail=redis"));
    }
    until("they are counted", || errors(&unslow, "out_of_memory") >= 6);
    redis.command("CONFIG SET maxmemory 0");
    until_it_is_used(&unslow, 2);
}

#[test]
fn a_demoted_redis_is_read_and_its_refusals_are_counted() {
    let redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    assert_eq!(redis.command("REPLICAOF 127.0.0.1 1"), "+OK");
    for n in 2..8 {
        assert!(ask(&unslow, n).contains("fwd=uri-miss"));
        assert!(ask(&unslow, 1).ends_with("detail=redis"));
    }
    until("they are counted", || errors(&unslow, "read_only") >= 6);
    redis.command("REPLICAOF NO ONE");
    until_it_is_used(&unslow, 2);
}

/// An answer says that Redis is there; before, it was down and up again with every request, and
/// each time the log said so.
#[test]
fn a_redis_that_refuses_writes_or_commands_stays_up_is_complained_of_and_heals() {
    let redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    let refused = [
        (
            "no_writes",
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
        ),
        (
            "denied",
            "ACL SETUSER default -eval",
            "ACL SETUSER default +eval",
        ),
    ];
    for (n, (class, refuse, allow)) in (1_u32..).zip(refused) {
        assert_eq!(redis.command(refuse), "+OK");
        until("it is complained of", || {
            assert!(ask(&unslow, 1).ends_with("detail=redis"));
            assert_eq!(ask(&unslow, 100 * n + 1), "unslow; fwd=uri-miss");
            let known = unslow.get("/stats.json").json()["redis"].clone();
            assert_eq!(
                (&known["up"], &known["breaker"]),
                (&true.into(), &"closed".into())
            );
            known["complaint"] == class
        });
        let page = unslow.get("/stats").text();
        assert!(
            page.contains("Redis answers, and does not do all"),
            "{page}"
        );
        for more in 2..12 {
            ask(&unslow, 100 * n + more);
        }
        assert!(errors(&unslow, class) >= 10);
        assert_eq!(redis.command(allow), "+OK");
        until("it is over", || {
            ask(&unslow, 100 * n);
            unslow.get("/stats.json").json()["redis"]["complaint"].is_null()
        });
        until_it_is_used(&unslow, 100 * n);
    }
    let log = unslow.log();
    assert!(log.matches("Redis answers again").count() <= 1, "{log}");
}

#[test]
fn a_paused_redis_is_passed_by_until_it_goes_on() {
    let redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    assert_eq!(redis.command("CLIENT PAUSE 3000 ALL"), "+OK");
    for n in 2..6 {
        let status = ask(&unslow, n);
        assert!(status.contains("fwd=uri-miss"), "{status}");
        assert!(!status.contains("stored"), "nothing stores it: {status}");
    }
    assert_eq!(
        unslow.get("/stats.json").json()["redis"]["breaker"],
        "open",
        "{}",
        unslow.log()
    );
    until_it_is_used(&unslow, 1);
    assert_eq!(
        unslow.log().matches("Redis fails").count(),
        1,
        "{}",
        unslow.log()
    );
}

#[test]
fn a_redis_that_is_busy_with_a_script_is_passed_by_until_the_script_is_killed() {
    let redis = Redis::with(&Options {
        arguments: &["--lua-time-limit", "10"],
        ..Options::default()
    });
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    std::thread::scope(|scope| {
        let script = scope.spawn(|| redis.ask(&["EVAL", "while true do end", "0"]));
        until("it is busy", || redis.command("PING").starts_with("-BUSY"));
        for n in 2..8 {
            assert!(ask(&unslow, n).contains("fwd=uri-miss"));
        }
        until("it is met and told", || {
            ask(&unslow, 1);
            let redis = unslow.get("/stats.json").json()["redis"].clone();
            redis["up"] == false || !redis["complaint"].is_null()
        });
        assert_eq!(redis.command("SCRIPT KILL"), "+OK");
        assert!(script.join().unwrap().contains("killed"));
    });
    until_it_is_used(&unslow, 2);
    assert_eq!(unslow.numbers("echo")["error"], 0);
}

#[test]
fn a_redis_without_room_for_clients_is_passed_by_until_there_is() {
    let redis = Redis::with(&Options {
        arguments: &["--maxclients", "4"],
        ..Options::default()
    });
    let address = ("127.0.0.1", redis.port());
    let others: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    until("it is full", || {
        redis.command("PING").starts_with("-ERR max")
    });
    let unslow = on(&redis.url());
    for n in 1..6 {
        assert!(ask(&unslow, n).contains("fwd=uri-miss"));
    }
    drop(others);
    until_it_is_used(&unslow, 1);
}

#[test]
fn a_redis_that_loads_its_data_is_passed_by_until_it_has_it() {
    let mut redis = Redis::with(&Options {
        arguments: &[
            "--enable-debug-command",
            "yes",
            "--key-load-delay",
            "50",
            "--loading-process-events-interval-bytes",
            "1024",
        ],
        ..Options::default()
    });
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    assert_eq!(redis.command("DEBUG POPULATE 60000"), "+OK");
    assert_eq!(redis.command("SAVE"), "+OK");
    redis.restart();
    for n in 2..6 {
        ask(&unslow, n);
    }
    until("it is noticed", || {
        ask(&unslow, 1);
        errors(&unslow, "loading") > 0
    });
    until_it_is_used(&unslow, 1);
}

#[test]
fn a_redis_that_comes_back_empty_is_filled_again() {
    let mut redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    redis.restart();
    for n in 1..4 {
        ask(&unslow, n);
    }
    until_it_is_used(&unslow, 1);
    assert_eq!(unslow.numbers("echo")["error"], 0);
}

#[test]
fn what_two_instances_share_is_loaded_once_and_has_one_age_and_tag() {
    let redis = Redis::start();
    let (one, two) = (on(&redis.url()), on(&redis.url()));
    until_it_is_used(&one, 1);
    let answers = [&one, &two].map(|unslow| unslow.get("/q/echo.json?n=1"));
    assert_eq!(answers[0].body, answers[1].body);
    assert_eq!(answers[0].header("etag"), answers[1].header("etag"));
    assert!(answers[1].header("cache-status").ends_with("detail=redis"));
    assert_eq!(two.numbers("echo")["loads"], 0);
    let tag = answers[0].header("etag").to_owned();
    let known = two.get_with("/q/echo.json?n=1", &[("If-None-Match", &tag)]);
    assert_eq!(known.status, 304);
}

#[test]
fn a_redis_that_swallows_packets_costs_its_deadline_only() {
    // A listener whose queue is full: the kernel drops what else knocks.
    let listener = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )
    .unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut fillers = Vec::new();
    while let Ok(filler) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        fillers.push(filler);
    }
    let unslow = on(&format!("redis://{address}"));
    for n in 1..6 {
        let status = ask(&unslow, n);
        assert_eq!(status, "unslow; fwd=uri-miss", "nothing stores it");
    }
    assert_eq!(unslow.get("/stats.json").json()["redis"]["up"], false);
}

#[test]
fn a_password_that_changes_costs_no_request_and_a_reload_brings_the_new_one() {
    let redis = Redis::start();
    assert_eq!(redis.command("CONFIG SET requirepass first"), "+OK");
    let ini = format!("[redis]\nurl = {}\npassword_file = rp\n", redis.url());
    let unslow = Unslow::start_with(
        &["-c", "app.ini", "--queries", "queries", "--memory", "0"],
        &[ECHO, ("app.ini", &ini), ("rp", "first")],
        &[],
    );
    until_it_is_used(&unslow, 1);
    let is_up = || unslow.get("/stats.json").json()["redis"]["up"] == true;
    for [old, new] in [["first", "second"], ["second", "third"]] {
        // Those that are open would stay: the new password is for new connections.
        let change = format!(
            "AUTH {old}\r\nCONFIG SET requirepass {new}\r\nAUTH {new}\r\nCLIENT KILL TYPE normal"
        );
        redis.lines(&change, 4);
        until("the old password is refused", || {
            ask(&unslow, 1);
            !is_up()
        });
        std::fs::write(unslow.folder().join("rp"), new).unwrap();
        unslow.signal(Signal::SIGHUP);
        until_it_is_used(&unslow, 1);
    }
    let log = unslow.log();
    assert!(!log.contains("second") && !log.contains("third"), "{log}");
}
