//! Redis answers, and what it says cannot be used: replies in pieces, cut off or of another kind, and
//! values that somebody else has written. No wrong body comes of it. What makes Redis itself unwell is
//! in `faults_redis`.

use crate::faults_redis::{ask, on, until_it_is_used};
use crate::servers::{Manner, Redis, Relay};

#[test]
fn replies_in_pieces_cut_off_or_of_another_kind_give_no_wrong_body() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let unslow = on(&format!("redis://127.0.0.1:{}", relay.port()));
    until_it_is_used(&unslow, 1);
    relay.behave(Manner::Drip);
    for _ in 0..5 {
        assert!(ask(&unslow, 1).ends_with("detail=redis"));
    }
    for manner in [Manner::CutReply, Manner::Noise] {
        relay.behave(manner);
        for n in 1..6 {
            ask(&unslow, n);
        }
        relay.behave(Manner::Pass);
        until_it_is_used(&unslow, 1);
    }
    assert_eq!(unslow.numbers("echo")["error"], 0);
}

#[test]
fn values_that_are_not_ours_are_misses_and_are_overwritten() {
    let redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    let key = redis.entries().pop().unwrap();
    let loads = || unslow.numbers("echo")["loads"].as_u64().unwrap();
    for command in [
        format!("SET {key} garbage PX 60000"),
        format!("SET {key} \"\" PX 60000"),
        format!("SETRANGE {key} 40 xxxxxxxxxxxxxxxxxxxx"),
        format!("PERSIST {key}"),
        format!("SETRANGE {key} 100000000 x"),
    ] {
        let before = loads();
        let done = redis.command(&command);
        assert!(!done.starts_with('-'), "{command}: {done}");
        assert!(ask(&unslow, 1).contains("fwd=uri-miss"), "{command}");
        assert_eq!(loads(), before + 1, "{command}");
        until_it_is_used(&unslow, 1);
    }
    redis.command(&format!("DEL {key}"));
    redis.command(&format!("LPUSH {key} x"));
    assert!(ask(&unslow, 1).contains("fwd=uri-miss"));
    until_it_is_used(&unslow, 1);
}
