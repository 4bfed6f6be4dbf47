//! The time zone of the sessions on PostgreSQL: `[database] timezone`, whatever database and user
//! are set to.

use crate::end_to_end::{File, one_off, original, start};
use crate::servers::{Redis, postgres, wait_until as until};

/// Late in the evening in UTC, and the next day in Berlin.
const DAY: File<'_> = (
    "queries/day.sql",
    "-- ttl: 1h\n-- param: at timestamp = 2026-06-30T22:30:00Z\n\
     select date_trunc('day', :at)::date as value, current_setting('TimeZone') as zone",
);

#[test]
fn days_begin_in_the_time_zone_of_the_settings_and_each_has_copies_of_its_own() {
    let redis = Redis::start();
    let database = postgres().database();
    postgres().psql(
        &database,
        &format!("alter database {database} set timezone to 'Asia/Tokyo'"),
    );
    let plain = original(postgres(), &database, &redis);
    let berlin = format!("{plain}\n[database]\ntimezone = Europe/Berlin\n");
    for (ini, day, zone, stored) in [
        (&plain, "2026-06-30", "UTC", 1),
        (&berlin, "2026-07-01", "Europe/Berlin", 2),
    ] {
        let unslow = start(ini, &[DAY]);
        let row = unslow.get("/q/day.json").json()["rows"][0].clone();
        assert_eq!(row["value"], day);
        assert_eq!(row["zone"], zone);
        // A timestamp without an offset is UTC in any time zone.
        let bare = unslow.get("/q/day.json?at=2026-06-30T22:30:00").json();
        assert_eq!(bare["rows"][0]["value"], day);
        until("it is in Redis", || redis.entries().len() == stored);
    }
    let output = one_off(&berlin, &["check", "--online"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let note = "note: the time zone of the database is set to Asia/Tokyo, and the queries run in \
                Europe/Berlin";
    assert!(said.contains(note), "{said}");
}

#[test]
fn a_time_zone_that_does_not_exist_is_refused_in_words() {
    let redis = Redis::start();
    let ini = original(postgres(), &postgres().database(), &redis);
    let with = |zone: &str| format!("{ini}\n[database]\ntimezone = {zone}\n");
    let output = one_off(&with("x'; select 1"), &["check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("timezone"),
        "{said}"
    );
    let output = one_off(&with("Europe/Bärlin"), &["check"]);
    assert!(!output.status.success());
    let output = one_off(&with("Mars/Olympus"), &["check", "--online"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("[database] timezone has to be a name"),
        "{said}"
    );
}
