//! `/stats` over a fleet: three real processes on one Redis see each other, add up, and forget who
//! died; and what it says when Redis is away, refuses, or holds what no instance wrote.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::servers::{Redis, wait_until as until};
use crate::unslow::Unslow;

/// Queries that need no database server and have run in a moment.
const QUERY: (&str, &str) = (
    "queries/quick.sql",
    "-- ttl: 1h\n-- param: n integer = 1\nselect :n as n",
);

pub(crate) fn start_on(url: &str, more: &str) -> Unslow {
    let ini = format!("[redis]\nurl={url}\ntimeout=20s\n{more}");
    let files = [("app.ini", &*ini), QUERY];
    Unslow::start_with(&["--config", "app.ini"], &files, &[])
}

pub(crate) fn start(redis: &Redis) -> Unslow {
    start_on(&redis.url(), "")
}

pub(crate) fn stats(unslow: &Unslow) -> Value {
    let answer = unslow.get("/stats.json");
    assert_eq!(answer.status, 200);
    answer.json()
}

pub(crate) fn instances(unslow: &Unslow) -> Value {
    stats(unslow)["instances"].clone()
}

/// The ids of those that one knows, its own first.
fn ids(instances: &Value) -> Vec<String> {
    let each = instances["each"].as_array().unwrap();
    let id = |one: &Value| one["id"].as_str().unwrap().to_owned();
    each.iter().map(id).collect()
}

fn until_each_knows(fleet: &[&Unslow], count: usize) {
    for unslow in fleet {
        until(&format!("it knows {count}"), || {
            ids(&instances(unslow)).len() == count
        });
    }
}

pub(crate) fn ask(unslow: &Unslow, n: u64, times: usize) {
    for _ in 0..times {
        assert_eq!(unslow.get(&format!("/q/quick.json?n={n}")).status, 200);
    }
}

/// Returns the counts, and the numbers of measured times.
fn counts(numbers: &Value) -> [u64; 6] {
    let paths = [
        "/requests",
        "/hit_memory",
        "/hit_redis",
        "/loads",
        "/hit/count",
        "/load/count",
    ];
    paths.map(|path| numbers.pointer(path).and_then(Value::as_u64).unwrap())
}

fn sum(of: &[[u64; 6]]) -> [u64; 6] {
    std::array::from_fn(|at| of.iter().map(|counts| counts[at]).sum())
}

/// Waits until every one of these says the sum of what each says of itself, and returns it.
fn until_all_add_up(fleet: &[&Unslow]) -> [u64; 6] {
    let own: Vec<_> = fleet.iter().map(|it| counts(&stats(it)["total"])).collect();
    let expected = sum(&own);
    for unslow in fleet {
        until("the sums agree", || {
            let all = instances(unslow);
            let each: Vec<_> = all["each"].as_array().unwrap().clone();
            let of_each: Vec<_> = each.iter().map(|one| counts(&one["numbers"])).collect();
            let total = counts(&all["total"]);
            assert_eq!(total, sum(&of_each), "a page agrees with itself");
            let query = &all["queries"]["quick"];
            total == expected && query["requests"] == total[0] && query["loads"] == total[3]
        });
    }
    expected
}

#[test]
fn three_processes_see_each_other_add_up_and_forget_the_one_that_was_killed() {
    let redis = Redis::start();
    let (a, b, c) = (start(&redis), start(&redis), start(&redis));
    until_each_knows(&[&a, &b, &c], 3);
    // Different ratios, so that sums and means of them differ.
    ask(&a, 1, 20);
    ask(&b, 1, 5);
    ask(&c, 1, 1);
    for n in 2..5 {
        ask(&c, n, 1);
    }
    let total = until_all_add_up(&[&a, &b, &c]);
    assert_eq!(total[0], 29);
    assert_eq!(total[3], 4, "one load of each");
    let all = instances(&a);
    let total = &all["total"];
    let ratio = total["hit_ratio"].as_f64().unwrap();
    assert!((ratio - 25.0 / 29.0).abs() < 1e-9, "{ratio}");
    assert_eq!(all["alone_because"], Value::Null);
    assert_eq!(all["left_out"], 0);
    let each = all["each"].as_array().unwrap();
    assert_eq!(each[0]["id"], stats(&a)["instance"]["id"]);
    assert_eq!(each[0]["database_up"], true);
    for (at, one) in each.iter().enumerate() {
        assert_eq!(one["is_self"], at == 0);
        assert_eq!(one["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(one["generation"], 1);
        let name = one["name"].as_str().unwrap();
        assert!(name.contains(':'), "{name}");
        assert!(one["age_seconds"].as_f64().unwrap() < 20.0);
    }
    let mut known: Vec<_> = [&a, &b, &c].map(|it| ids(&instances(it))).into();
    let own: Vec<_> = known.iter().map(|ids| ids[0].clone()).collect();
    for ids in &mut known {
        ids.sort();
    }
    assert!(known.iter().all(|ids| *ids == known[0]));

    // In another window, what happens there.
    let minute = a.get("/stats.json?window=1m").json();
    assert_eq!(minute["instances"]["each"].as_array().unwrap().len(), 3);

    c.signal(Signal::SIGKILL);
    c.wait();
    until_each_knows(&[&a, &b], 2);
    assert!(!ids(&instances(&a)).contains(&own[2]));
    assert_eq!(until_all_add_up(&[&a, &b])[0], 25);
    until("nothing of it is left in Redis", || {
        redis.ask(&["ZSCORE", &index(), &own[2]]).starts_with("$-1")
            && redis.value(&report_name(&own[2])).is_empty()
    });

    // An instance that ends in order says so.
    b.signal(Signal::SIGTERM);
    let b_id = own[1].clone();
    assert!(b.wait().success());
    assert!(redis.value(&report_name(&b_id)).is_empty());
    assert!(redis.ask(&["ZSCORE", &index(), &b_id]).starts_with("$-1"));
    until_each_knows(&[&a], 1);
}

fn index() -> String {
    Redis::name_of_demo("{/stats}:instances")
}

fn report_name(id: &str) -> String {
    Redis::name_of_demo(&format!("{{/stats}}:report:{id}"))
}

/// Says that these have reported just now, by the server's time.
fn have_reported(redis: &Redis, ids: &[&str]) {
    let now = redis.ask(&["EVAL", "return redis.call('TIME')[1] .. '000'", "0"]);
    let now = now.lines().nth(1).unwrap();
    for id in ids {
        redis.ask(&["ZADD", &index(), now, id]);
    }
}

#[test]
fn another_version_shows_and_what_no_instance_wrote_is_left_out() {
    let redis = Redis::start();
    let unslow = start(&redis);
    ask(&unslow, 1, 2);
    let report = json!({
        "schema": 1,
        "instance": { "id": "elder", "name": "old:1", "version": "0.0.9", "generation": 3 },
        "uptime_seconds": 100.0,
        "windows": { "start": [100.0, { "counts": { "hit_memory": 40, "unheard_of": 7 } }] },
        "queries": { "quick": { "counts": { "hit_memory": 40 } } },
    });
    let newer = json!({ "schema": 99, "instance": { "id": "newer" } });
    let huge = vec![b' '; (1 << 20) + 10];
    let mut foreign = report.clone();
    foreign["instance"]["id"] = "other".into();
    let written: [(&str, Vec<u8>); 5] = [
        ("elder", report.to_string().into()),
        ("newer", newer.to_string().into()),
        ("huge", huge),
        ("stranger", foreign.to_string().into()),
        ("garbage", b"\x28\xb5\x2f\xfd\xff\xff".to_vec()),
    ];
    for (id, report) in &written {
        redis.put(&report_name(id), report, "600000");
    }
    redis.ask(&["RPUSH", &report_name("list"), "x"]);
    until("it shows", || {
        let ids = [
            "elder", "newer", "huge", "stranger", "garbage", "list", "gone",
        ];
        have_reported(&redis, &ids);
        redis.ask(&["ZADD", &index(), "99999999999999", "of the future"]);
        let all = instances(&unslow);
        self::ids(&all).len() == 2 && all["left_out"] == 5
    });
    let names = redis.ask(&["ZRANGE", &index(), "0", "-1"]);
    assert!(names.contains("elder"), "{names}");
    let all = instances(&unslow);
    assert_eq!(all["each"][1]["version"], "0.0.9");
    assert_eq!(all["each"][1]["name"], "old:1");
    assert_eq!(all["each"][1]["numbers"]["hit_memory"], 40);
    assert_eq!(all["total"]["requests"], 42);
    assert_eq!(all["queries"]["quick"]["requests"], 42);
    assert_eq!(unslow.get("/stats").status, 200);

    // Somebody else's value in place of the index stops nobody for long.
    redis.ask(&["SET", &index(), "not yours"]);
    until("the index is one again", || {
        redis.ask(&["TYPE", &index()]).contains("zset")
    });
    assert_eq!(stats(&unslow)["redis"]["up"], true);
    assert_eq!(stats(&unslow)["redis"]["breaker"], "closed");
}

#[test]
fn a_redis_that_hangs_or_is_gone_holds_up_no_page_and_is_said() {
    let mut redis = Redis::start();
    let two = [0, 1].map(|_| {
        let ini = format!("[redis]\nurl={}\n", redis.url());
        Unslow::start_with(&["--config", "app.ini"], &[("app.ini", &*ini), QUERY], &[])
    });
    until_each_knows(&[&two[0], &two[1]], 2);
    let away = |unslow: &Unslow| instances(unslow)["alone_because"] == "redis away";
    redis.stop();
    for unslow in &two {
        until("it is said", || away(unslow));
        assert_eq!(
            ids(&instances(unslow)).len(),
            1,
            "what is too old is not shown"
        );
        assert_eq!(unslow.get("/stats").status, 200);
        assert_eq!(stats(unslow)["redis"]["up"], false);
        let asked = stats(unslow)["redis"]["info"]["age_seconds"].as_f64();
        assert!(
            asked.unwrap() > 0.0,
            "what it said before stays, with its age"
        );
    }
    redis.cont();
    until_each_knows(&[&two[0], &two[1]], 2);
    redis.kill();
    for unslow in &two {
        until("it is said", || away(unslow));
    }
    redis.start_again();
    until_each_knows(&[&two[0], &two[1]], 2);
    for unslow in &two {
        assert_eq!(instances(unslow)["alone_because"], Value::Null);
    }
}

#[test]
fn without_redis_and_with_one_that_never_was_there_it_is_alone_and_says_why() {
    let alone = Unslow::demo();
    let all = instances(&alone);
    assert_eq!(all["alone_because"], "no redis");
    assert_eq!(all["each"].as_array().unwrap().len(), 1);
    assert_eq!(stats(&alone)["redis"], Value::Null);

    let mut gone = Redis::start();
    let url = gone.url();
    gone.kill();
    let unslow = start_on(&url, "");
    until("it is said", || {
        instances(&unslow)["alone_because"] == "redis away"
    });
    ask(&unslow, 1, 1);
    let said = stats(&unslow);
    assert_eq!(said["instances"]["total"]["requests"], 1);
    assert_eq!(said["redis"]["info"], Value::Null);
    gone.start_again();
    until("it is used", || {
        instances(&unslow)["alone_because"] == Value::Null
    });
}

#[test]
fn two_namespaces_on_one_redis_do_not_see_each_other() {
    let redis = Redis::start();
    let (a, b) = (start(&redis), start(&redis));
    let other = start_on(&redis.url(), "namespace = other\n");
    until_each_knows(&[&a, &b], 2);
    until("it knows itself", || {
        instances(&other)["alone_because"] == Value::Null
    });
    until("it has reported", || {
        redis
            .ask(&["ZCARD", &index().replacen("unslow", "other", 1)])
            .trim()
            == ":1"
    });
    assert_eq!(ids(&instances(&other)).len(), 1);
    assert_eq!(redis.ask(&["ZCARD", &index()]).trim(), ":2");
}

/// A report goes to everybody who may read Redis.
#[test]
fn a_report_holds_no_key_no_parameter_and_no_address() {
    let redis = Redis::start();
    let rule = "ACL SETUSER reporter on >pa55word ~* &* +@all";
    assert_eq!(redis.command(rule), "+OK");
    let url = format!("redis://reporter:pa55word@127.0.0.1:{}", redis.port());
    let unslow = start_on(&url, "");
    ask(&unslow, 771_177, 2);
    let id = ids(&instances(&unslow))[0].clone();
    let read = || {
        let report = redis.value(&report_name(&id));
        let plain = zstd::stream::decode_all(&report[..]).unwrap_or_default();
        String::from_utf8(plain).unwrap()
    };
    until("it is told", || read().contains("quick"));
    let report = read();
    for secret in [
        "771177",
        "pa55word",
        "reporter",
        "127.0.0.1",
        "redis://",
        "select",
    ] {
        assert!(!report.contains(secret), "{secret} in {report}");
    }
}

#[test]
fn after_a_reload_there_is_one_writer_and_another_redis_has_the_report() {
    let (first, second) = (Redis::start(), Redis::start());
    let unslow = start(&first);
    let known = |redis: &Redis| redis.ask(&["ZCARD", &index()]).trim().to_owned();
    until("it has reported", || known(&first) == ":1");
    let id = ids(&instances(&unslow))[0].clone();
    let ini = format!("[redis]\nurl={}\n", second.url());
    std::fs::write(unslow.folder().join("app.ini"), ini).unwrap();
    unslow.signal(Signal::SIGHUP);
    until("the report has moved", || {
        known(&second) == ":1" && known(&first) == ":0"
    });
    assert!(first.value(&report_name(&id)).is_empty());
    assert!(!second.value(&report_name(&id)).is_empty());
    let all = instances(&unslow);
    assert_eq!(ids(&all), [id]);
    assert_eq!(all["each"][0]["generation"], 2);
}
