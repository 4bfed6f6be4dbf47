//! Who is reported from, and what is said without Redis; with one, in `tests/it/fleet_stats.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::app::App;
use crate::settings::Settings;

fn settings() -> Settings {
    Settings::from_flags(&["--demo-delay", "0s"]).unwrap()
}

#[tokio::test]
async fn the_newest_app_that_is_there_is_reported_from() {
    let first = App::open(settings()).unwrap();
    let is_fed_by = |app: &App| Arc::ptr_eq(&first.fleet.newest_source().unwrap(), &app.source);
    assert!(is_fed_by(&first));
    let second = first.reconfigure(settings()).await.unwrap();
    assert!(Arc::ptr_eq(&first.fleet, &second.fleet));
    assert!(is_fed_by(&second));
    // A reload that comes to nothing.
    drop(second);
    assert!(is_fed_by(&first));
    let third = first.reconfigure(settings()).await.unwrap();
    let fleet = Arc::clone(&first.fleet);
    drop(first);
    assert!(Arc::ptr_eq(&fleet.newest_source().unwrap(), &third.source));
    drop(third);
    assert!(fleet.newest_source().is_none());
}

#[tokio::test]
async fn an_instance_stays_the_same_over_reloads_and_unlike_any_other() {
    let (one, other) = (
        App::open(settings()).unwrap(),
        App::open(settings()).unwrap(),
    );
    let again = one.reconfigure(settings()).await.unwrap();
    again.standing.set_serving_generation(2);
    let instance = |app: &App| app.take_snapshot(Window::Start).instance;
    assert_eq!(instance(&one), instance(&again));
    assert_eq!(instance(&again).generation, 2);
    assert_ne!(instance(&one).id, instance(&other).id);
    let pid = std::process::id().to_string();
    assert!(instance(&one).name.ends_with(&pid));
}

#[tokio::test]
async fn alone_its_own_numbers_are_those_of_all_in_every_window() {
    let app = App::open(settings()).unwrap();
    let query = app.find_query("version").unwrap();
    let arguments = query.read_arguments(&[]).unwrap();
    app.answer_query(query, arguments).await.unwrap();
    for window in Window::ALL {
        let snapshot = app.take_snapshot(window);
        let all = &snapshot.instances;
        assert_eq!(all.alone_because.as_deref(), Some(InstanceTotals::NO_REDIS));
        assert_eq!((all.each.len(), all.left_out), (1, 0));
        assert_eq!(all.each[0].instance, snapshot.instance);
        assert_eq!(all.total.requests, snapshot.total.requests);
        assert_eq!(all.total.loads, 1);
        assert_eq!(all.queries["version"].loads, 1);
        assert_eq!(all.queries.len(), 1, "only what has counted");
    }
    let report = app.source.make_report(app.fleet.instance());
    assert_eq!(report.windows.len(), Window::ALL.len());
    assert_eq!(report.database_up, Some(true));
}

#[tokio::test]
async fn whoever_has_left_reports_no_more() {
    let app = App::open(settings()).unwrap();
    app.announce_end().await;
    assert!(
        app.fleet
            .write_report(&app.source, &SystemTag::default())
            .await
            .is_none()
    );
}
