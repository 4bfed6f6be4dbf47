//! `unslow compare`: against a running server, and with one of its own; what it prints, how often
//! the database is asked, and its exit codes.

use std::process::{Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::compare::{LONG, PATIENT};
use crate::end_to_end::{File, one_off, original, start};
use crate::faults::without_redis;
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::{Unslow, command};

fn compare(unslow: &Unslow, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let url = ["compare", "--url", &unslow.url];
    command(&[&url, args].concat())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[track_caller]
fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).unwrap()
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

/// Starts a server that has spoken with its database: a busy machine may answer a first connection
/// too late.
fn started(ini: &str, queries: &[File<'_>]) -> Unslow {
    let unslow = start(ini, queries);
    until("the database answers", || {
        unslow.get("/readyz").json()["database"] == "up"
    });
    unslow
}

/// Returns the origin of each row, the number of runs, and its note.
fn rows(report: &Value) -> Vec<(String, u64, Option<String>)> {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let from = row["from"].as_str().unwrap().to_owned();
        let note = row["note"].as_str().map(str::to_owned);
        (from, row["runs"].as_u64().unwrap(), note)
    })
    .collect()
}

fn counts(report: &Value) -> Vec<(String, u64)> {
    let all = rows(report).into_iter();
    all.map(|(from, runs, note)| {
        assert_eq!(note, None, "{from}");
        (from, runs)
    })
    .collect()
}

fn expected(database: u64, tiers: u64) -> Vec<(String, u64)> {
    [("database", database), ("redis", tiers), ("memory", tiers)]
        .map(|(from, runs)| (from.to_owned(), runs))
        .to_vec()
}

#[test]
fn a_cold_query_costs_the_database_three_runs_and_stays_as_it_is_stored() {
    let redis = Redis::start();
    let server = postgres();
    let ini = original(server, &server.database(), &redis) + PATIENT;
    let slow = (
        "queries/slow.sql",
        "-- ttl: 1h\nselect pg_sleep(0.1)::text as slept, random()::text as r",
    );
    let unslow = started(&ini, &[slow]);
    let report = json(&compare(&unslow, &["slow", "--json"]));
    assert_eq!(counts(&report), expected(3, 1000));
    assert_eq!(unslow.numbers("slow")["loads"], 3);
    let database = &report["rows"][0];
    assert!(database["p50_seconds"].as_f64().unwrap() >= 0.1, "{report}");
    assert_eq!(database["factor"], 1.0);
    assert!(database["p95_seconds"].is_null());
    for row in &report["rows"].as_array().unwrap()[1..] {
        assert!(row["p99_seconds"].as_f64().unwrap() > 0.0, "{row}");
        let [whole, inside] = ["p50_seconds", "in_unslow_p50_seconds"];
        assert!(row[whole].as_f64() >= row[inside].as_f64(), "{row}");
    }
    assert_eq!(report["database"], "postgres");
    assert_eq!(report["same_machine"], true);

    // Warm: as often, and the copies are the same ones.
    let name = redis.entries().remove(0);
    let answer = unslow.get("/q/slow.json").body;
    // Its second reader has had it stored once more, to be kept for a day.
    until("it is kept for longer", || {
        let left = redis.ask(&["PTTL", &name]);
        left.trim_matches([':', '\r', '\n']).parse::<u64>().unwrap() > 12 * 3_600_000
    });
    let stored = redis.value(&name);
    let printed = text(&compare(&unslow, &["slow", "-n", "2", "-c", "8"]));
    assert_eq!(unslow.numbers("slow")["loads"], 5);
    assert!(redis.value(&name) == stored, "it was not replaced");
    assert_eq!(unslow.get("/q/slow.json").body, answer);
    let numbers = unslow.numbers("slow");
    assert_eq!(
        (&numbers["miss"], &numbers["hit_memory"]),
        (&1.into(), &2.into())
    );
    for words in [
        "**slow**",
        "| PostgreSQL",
        "| Redis ",
        "| memory ",
        "`unslow compare slow -n 2 -c 8`",
        "each of 8 clients at once (the database: 2)",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let host = unslow.address().split(':').next().unwrap();
    assert!(!printed.contains(host), "{printed}");
}

#[test]
fn parameters_go_along_and_their_values_are_not_printed() {
    let redis = Redis::start();
    let server = postgres();
    let ini = original(server, &server.database(), &redis) + PATIENT;
    let unslow = started(&ini, &[LONG]);
    let report = compare(&unslow, &["long", "n=1909172635", "--json"]);
    assert_eq!(json(&report)["parameters"], serde_json::json!(["n"]));
    assert!(!text(&report).contains("1909172635"));
    assert!(json(&report)["bytes"].as_u64().unwrap() > 30_000);
    // The entry of these parameters, and no other.
    assert!(
        unslow
            .get("/q/long.json?n=1909172635")
            .header("cache-status")
            .contains("hit")
    );
    assert_eq!(redis.entries().len(), 1);
}

#[test]
fn a_tier_that_is_away_or_has_nothing_says_so_in_its_row() {
    let mut redis = Redis::start();
    let server = postgres();
    let database = server.database();
    let ini = original(server, &database, &redis);
    let off = ("queries/off.sql", "-- cache: off\nselect 1 as x");
    let unslow = started(&ini, &[LONG, off]);
    redis.kill();
    let report = json(&compare(&unslow, &["long", "-n", "1", "--json"]));
    let gone = Some("it does not answer".to_owned());
    let row = |from: &str, runs, note| (from.to_owned(), runs, note);
    let wanted = [
        row("database", 1, None),
        row("redis", 0, gone),
        row("memory", 1000, None),
    ];
    assert_eq!(rows(&report), wanted);
    assert_eq!(unslow.numbers("long")["loads"], 1);

    let report = json(&compare(&unslow, &["off", "-n", "5", "--json"]));
    let [(from, runs, note)] = &rows(&report)[..] else {
        panic!("{report}");
    };
    assert_eq!((from.as_str(), *runs), ("database", 5));
    assert!(note.as_ref().unwrap().contains("cache: off"));

    let small = without_redis(server, &database, "[cache]\nmax_entry = 1KiB\n");
    let unslow = start(&small, &[LONG]);
    let report = rows(&json(&compare(&unslow, &["long", "--json"])));
    let notes: Vec<_> = report
        .iter()
        .map(|(_, _, note)| note.clone().unwrap_or_default())
        .collect();
    assert_eq!(notes[0], "");
    assert!(notes[1].contains("[redis] url"), "{notes:?}");
    assert!(notes[2].contains("too large"), "{notes:?}");
    assert_eq!(report[0].1, 3);
    assert_eq!(unslow.numbers("long")["loads"], 3);
}

#[test]
fn where_no_server_runs_it_serves_itself() {
    let redis = Redis::start();
    let server = postgres();
    let database = server.database();
    // Nobody listens at port 1.
    let nowhere = "[server]\nbind = 127.0.0.1:1\nkeep_alive = 0s\n";
    let ini = original(server, &database, &redis) + PATIENT + nowhere;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("app.ini", &ini);
    write(LONG.0, LONG.1);
    write(
        "queries/fails.sql",
        "select 1 / (n - n) as x from (select 1 as n) t",
    );
    // Nobody asks for it, so nobody gets it.
    write(
        "queries/warm.sql",
        "-- warm: true\n-- refresh: 1s\nselect 1 as x",
    );
    let own = |args: &[&str]| command(args).current_dir(folder.path()).output().unwrap();
    let output = own(&["compare", "long", "--json"]);
    let report = json(&output);
    assert_eq!(counts(&report), expected(3, 1000));
    assert_eq!(report["served_by_the_command"], true);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("no server runs at http://127.0.0.1:1"),
        "{said}"
    );
    let entries = redis.entries();
    assert!(
        entries.len() == 1 && entries[0].contains("{long}"),
        "{entries:?}"
    );

    // The copy that Redis has by now is used: the database is asked as often, and the copy stays.
    let stored = redis.value(&entries[0]);
    assert_eq!(
        counts(&json(&own(&["compare", "long", "--json"]))),
        expected(3, 1000)
    );
    assert!(redis.value(&entries[0]) == stored, "it was not replaced");

    assert_fails(&own(&["compare", "lnog"]), 2, &["lnog", "long", "version"]);
    // A user who has the settings may know why.
    assert_fails(&own(&["compare", "fails"]), 1, &["division by zero"]);
    assert_fails(&own(&["compare", "long", "n=x"]), 2, &["n", "whole number"]);
    let elsewhere = ["compare", "long", "--url", "http://127.0.0.1:1"];
    assert_fails(&own(&elsewhere), 1, &["http://127.0.0.1:1", "--url"]);
}

#[test]
fn what_is_asked_wrongly_or_fails_says_why_with_its_exit_code() {
    let server = postgres();
    let ini = without_redis(server, &server.database(), "");
    let fails = (
        "queries/fails.sql",
        "select 1 / (n - n) as x from (select 1 as n) t",
    );
    let unslow = started(&ini, &[LONG, fails]);
    let fail = |args: &[&str], code, words: &[&str]| {
        assert_fails(&compare(&unslow, args), code, words);
    };
    fail(&["lnog"], 2, &["lnog", "there are", "long", "version"]);
    fail(&["../stats"], 2, &["stats", "version"]);
    fail(&["long", "m=1"], 2, &["unknown parameter", "n"]);
    fail(&["long", "-n", "0"], 2, &["from 1 to 10000"]);
    fail(&["long", "-c", "1000"], 2, &["from 1 to 100"]);
    // The log has more than a client is told.
    fail(
        &["fails"],
        1,
        &["technical difficulties (failed)", "server's log"],
    );
    assert_eq!(unslow.numbers("fails")["loads"], 1);
    assert_eq!(unslow.numbers("long")["loads"], 0);
    let tls = one_off(&ini, &["compare", "long", "--url", "https://host"]);
    assert_fails(&tls, 2, &["https://", "unix:PATH"]);
    // Where an older one has no such address.
    let under = format!("{}/old", unslow.url);
    let older = one_off(&ini, &["compare", "long", "--url", &under]);
    assert_fails(&older, 1, &[&under, "another version"]);
    // Somebody who is not unslow.
    let redis = Redis::start();
    let url = format!("http://127.0.0.1:{}", redis.port());
    let stranger = one_off(&ini, &["compare", "long", "--url", &url]);
    assert_fails(&stranger, 1, &[&url]);
}

#[test]
fn ctrl_c_ends_it_and_the_server_goes_on() {
    let server = postgres();
    let ini = without_redis(server, &server.database(), "");
    let held = ("queries/held.sql", "select pg_sleep(3)::text as slept");
    let unslow = started(&ini, &[held]);
    let mut child = command(&["compare", "held", "--url", &unslow.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the database is asked", || {
        unslow.numbers("held")["loads_in_flight"] == 1
    });
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut status = None;
    until("it ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(130));
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(unslow.get("/healthz").status, 200);
}
