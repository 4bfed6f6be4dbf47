//! A worker that is silent, and what the master does about it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::daemon::launch::{Launch, ProcessContext};
use crate::daemon::notify::Notifier;
use crate::daemon::signals::SignalQueue;
use crate::{flags, settings};

/// One that serves the demo, without signals and commands.
async fn master() -> Master {
    let arguments = ["unslow", "--bind", "127.0.0.1:0", "--workers", "1"];
    let flags = flags::parse(arguments, settings::all_flags()).unwrap();
    let (started, settings) = ProcessContext::new(&flags, &Launch::without_sockets()).unwrap();
    let door = ConnectionEntrance::open(&settings).unwrap();
    let listeners = Listeners::open(&settings, Vec::new()).unwrap();
    let app = Arc::new(App::open(settings).unwrap());
    let entrance = (listeners, door);
    let (notifier, signals) = (Notifier::without_socket(), SignalQueue::default());
    let master = Master::begin_serving(started, notifier, app, None, entrance, signals);
    master.await.unwrap()
}

#[test]
fn a_generation_with_a_silent_worker_is_replaced_once() {
    actix_web::rt::System::new().block_on(async {
        let mut master = master().await;
        assert_eq!(master.look_after().await, None);
        assert_eq!(master.serving_number(), 1);
        let falls_silent = |master: &Master| {
            let serving = master.serving.as_ref().unwrap();
            serving
                .heartbeats()
                .join_silent(SILENT + Duration::from_secs(1));
        };
        falls_silent(&master);
        assert_eq!(master.look_after().await, None);
        assert_eq!((master.serving_number(), master.retiring.len()), (2, 1));
        // The new one is all right, and is left alone.
        assert_eq!(master.look_after().await, None);
        assert_eq!(master.serving_number(), 2);
        assert_eq!(master.app.standing.status_now().generation, 2);
        falls_silent(&master);
        assert_eq!(master.look_after().await, None);
        assert_eq!(master.serving_number(), 3);
        master.end_now().await;
    });
}

#[test]
fn where_a_new_generation_does_not_help_it_is_tried_once() {
    actix_web::rt::System::new().block_on(async {
        let mut master = master().await;
        let serving = master.serving.as_ref().unwrap();
        serving
            .heartbeats()
            .join_silent(SILENT + Duration::from_secs(1));
        // As if no threads were to be had: it has been tried.
        master.silent = true;
        for _ in 0..3 {
            assert_eq!(master.look_after().await, None);
        }
        assert_eq!(master.serving_number(), 1);
        master.end_now().await;
    });
}
