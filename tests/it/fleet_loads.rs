//! One load for a key in a fleet of three processes, whoever asks, dies or falls asleep.

use nix::sys::signal::Signal;

use crate::fleet_support::{Fleet, HELD, SIZE, counted, value};
use crate::servers::wait_until as until;

#[test]
fn a_thousand_clients_on_a_cold_key_are_one_load_in_the_fleet() {
    let slow = (
        "queries/slow.sql",
        "-- ttl: 1h\nselect value, pg_sleep(1.5)::text as slept from facts",
    );
    let fleet = Fleet::start(&[slow]);
    let asked: Vec<_> = (0..1000)
        .map(|n| fleet.at(n % SIZE).send("GET", "/q/slow.json", &[]))
        .collect();
    for asked in asked {
        assert_eq!(value(&asked.answer()), "v1");
    }
    assert_eq!(fleet.calls("pg_sleep"), 1);
    let loads = fleet
        .each()
        .map(|unslow| unslow.numbers("slow")["loads"].as_u64());
    assert_eq!(loads.sum::<Option<u64>>(), Some(1));
}

#[test]
fn when_the_holder_of_the_lease_dies_one_of_those_who_wait_loads() {
    let mut fleet = Fleet::start(&[HELD]);
    let gate = fleet.gate();
    let lost = fleet.at(0).send("GET", "/q/held.json", &[]);
    until("the first loads", || fleet.running() == 1);
    let asked: Vec<_> = (0..100)
        .map(|n| fleet.at(1 + n % 2).send("GET", "/q/held.json", &[]))
        .collect();
    until("the others wait for its lease", || {
        (1..SIZE).all(|n| counted(fleet.at(n), "/fleet/lease_waits") > 0)
    });
    fleet.kill(0);
    drop(lost);
    // When the server notices that the first one's client has gone is its own business.
    let others = |number: &str| -> u64 { (1..SIZE).map(|n| counted(fleet.at(n), number)).sum() };
    until("one of them loads", || {
        others("/total/loads_in_flight") == 1
    });
    gate.open();
    for asked in asked {
        assert_eq!(value(&asked.answer()), "v1");
    }
    until("nothing runs", || fleet.running() == 0);
    assert_eq!(others("/total/loads"), 1);
}

#[test]
fn a_holder_that_slept_past_its_lease_stores_nothing() {
    let fleet = Fleet::start(&[HELD]);
    let gate = fleet.gate();
    let late = fleet.at(0).send("GET", "/q/held.json", &[]);
    until("the first loads", || fleet.running() == 1);
    fleet.at(0).signal(Signal::SIGSTOP);
    // The load will bring v1.
    fleet.change("v2");
    let next = fleet.at(1).send("GET", "/q/held.json", &[]);
    until("another takes the lease over", || fleet.running() == 2);
    gate.open();
    assert_eq!(value(&next.answer()), "v2");
    until("it is stored", || {
        counted(fleet.at(1), "/redis/writes") == 1
    });
    fleet.at(0).signal(Signal::SIGCONT);
    assert_eq!(late.answer().status, 200);
    until("its write has been answered", || {
        let stats = fleet.at(0).get("/stats.json").json();
        let refused = stats["redis"]["refused"].as_object().expect("reasons");
        let refused = refused.values().filter_map(serde_json::Value::as_u64);
        refused.sum::<u64>() + stats["redis"]["writes"].as_u64().unwrap_or(0) > 0
    });
    assert_eq!(counted(fleet.at(0), "/redis/writes"), 0, "it was refused");
    assert_eq!(value(&fleet.at(2).get("/q/held.json")), "v2");
    fleet.until_all_give("/q/held.json", "v2");
}

#[test]
fn each_form_of_a_body_is_compressed_once_however_many_ask() {
    let wide = (
        "queries/wide.sql",
        "-- ttl: 1h\nselect value, g, repeat('text ', 20) as filler \
         from facts, generate_series(1, 100) as g",
    );
    let fleet = Fleet::start(&[wide]);
    let forms: Vec<(&str, &str)> = ["json", "csv", "ndjson"]
        .into_iter()
        .flat_map(|format| ["gzip", "br", "zstd", "identity"].map(|coding| (format, coding)))
        .collect();
    let asked: Vec<_> = (0..20 * forms.len())
        .map(|n| {
            let (format, coding) = forms[n % forms.len()];
            let path = format!("/q/wide.{format}");
            (
                coding,
                fleet
                    .at(n % SIZE)
                    .send("GET", &path, &[("Accept-Encoding", coding)]),
            )
        })
        .collect();
    for (coding, asked) in asked {
        let answer = asked.answer();
        assert_eq!(answer.status, 200);
        let sent = answer.headers.get("content-encoding").map(String::as_str);
        assert_eq!(sent.unwrap_or("identity"), coding);
    }
    // Once more, so that each instance was asked for each form.
    for unslow in fleet.each() {
        for (format, coding) in &forms {
            unslow.get_with(&format!("/q/wide.{format}"), &[("Accept-Encoding", coding)]);
        }
        assert_eq!(unslow.numbers("wide")["compressions"], 9);
    }
    assert_eq!(fleet.calls("generate_series"), 1);
}
