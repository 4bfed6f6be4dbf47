//! The time for which a real Redis keeps an answer that was asked for once, and the effect of a
//! second reader.

use unslow::outcome::{Outcome, Tier};

use crate::cache_support::{Instance, POLICY, key};
use crate::end_to_end::{original, start};
use crate::faults::ECHO;
use crate::servers::redis::Options;
use crate::servers::{Postgres, Redis, wait_until};

/// The script that counts the entries, and those that are kept for longer than so many
/// milliseconds.
const COUNT: &str = "local all, long = 0, 0
for _, name in ipairs(redis.call('KEYS', '*')) do
  if #(string.match(name, '}:(%x+)$') or '') == 32 then
    all = all + 1
    if redis.call('PTTL', name) > tonumber(ARGV[1]) then long = long + 1 end
  end
end
return all .. ' ' .. long";

fn entries(redis: &Redis, longer_than: std::time::Duration) -> (usize, usize) {
    let limit = longer_than.as_millis().to_string();
    let answer = redis.ask(&["EVAL", COUNT, "0", &limit]);
    let words = answer.lines().last().unwrap();
    let (all, long) = words.split_once(' ').expect("two numbers");
    (all.parse().unwrap(), long.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_values_asked_for_once_are_not_kept_for_errors_and_those_asked_for_twice_are()
{
    const VALUES: usize = 2000;
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    let keys: Vec<_> = (0..VALUES).map(|n| key(&n.to_string())).collect();
    for key in &keys {
        assert_eq!(one.get(key, "rows").await.outcome, Outcome::Miss);
    }
    one.until("the writes", |redis| redis.writes == VALUES as u64)
        .await;
    let short = POLICY.ttl + POLICY.stale_while_revalidate;
    assert_eq!(entries(&redis, short), (VALUES, 0));
    // The same instance, and another one.
    let last = &keys[VALUES - 2..];
    one.get(&last[0], "other").await;
    let reply = two.get(&last[1], "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
    wait_until("two are kept for longer", || {
        entries(&redis, short) == (VALUES, 2)
    });
    // A reader of now learns their age from Redis.
    let third = Instance::of(&redis);
    for key in last {
        let reply = third.get(key, "other").await;
        assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
        assert!(reply.age < short, "{:?}", reply.age);
    }
    assert_eq!((one.loads(), two.loads(), third.loads()), (VALUES, 0, 0));
}

#[test]
fn past_its_windows_a_copy_with_a_second_reader_stands_in_for_a_database_that_is_away() {
    let (mut server, redis) = (Postgres::start(), Redis::with(&Options::default()));
    let ini = original(&server, "postgres", &redis)
        + "timeout = 20s\n[cache]\nmemory = 0\nstale_while_revalidate = 0s\n";
    let text = format!("-- ttl: 2s\n{}", ECHO.1);
    let fleet = [0, 1].map(|_| start(&ini, &[(ECHO.0, &text)]));
    let ask = |instance: usize, n: u32| fleet[instance].get(&format!("/q/echo.json?n={n}"));
    let stored = |all: usize| {
        wait_until("it is in Redis", || {
            entries(&redis, std::time::Duration::ZERO).0 == all
        });
    };
    // A copy may be over before it has been read again on a busy machine.
    wait_until("one is kept for longer", || {
        assert_eq!((ask(0, 2).status, ask(1, 2).status), (200, 200));
        entries(&redis, std::time::Duration::from_mins(1)).1 == 1
    });
    assert_eq!(ask(0, 1).status, 200);
    server.kill();
    stored(1);
    assert_eq!(ask(1, 1).status, 503, "nobody had read it again");
    for instance in 0..2 {
        let answer = ask(instance, 2);
        assert_eq!(answer.status, 200);
        assert!(
            answer.header("cache-status").contains("stale-error"),
            "{answer:?}"
        );
        assert_eq!(answer.json()["rows"][0]["n"], 2);
    }
}
