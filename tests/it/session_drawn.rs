//! Drawn changes of what roles and a database bring into sessions, while several instances answer
//! from one Redis: each answer is compared with what a new session of the same role says.

use std::fmt::Write as _;

use serde_json::Value;

use crate::end_to_end::start;
use crate::servers::{PgBouncer, Postgres, Redis, postgres, wait_until as until};
use crate::unslow::Unslow;

/// Settings that are drawn, with their values as SQL; the last one takes the setting back.
const SETTINGS: &[(&str, &[&str])] = &[
    ("search_path", &["a", "b", "b, a", "\"$user\", a"]),
    (
        "IntervalStyle",
        &["iso_8601", "sql_standard", "postgres_verbose"],
    ),
    ("DateStyle", &["'German'", "'SQL, DMY'", "'SQL, MDY'"]),
    ("TimeZone", &["'Asia/Tokyo'", "'America/New_York'"]),
    ("extra_float_digits", &["0", "-10"]),
    ("bytea_output", &["escape", "hex"]),
    ("default_text_search_config", &["'simple'", "'german'"]),
    ("transform_null_equals", &["on"]),
    ("array_nulls", &["off"]),
    ("quote_all_identifiers", &["on"]),
    ("plpgsql.variable_conflict", &["use_column", "use_variable"]),
    ("pg_trgm.similarity_threshold", &["0.1", "0.9", "1"]),
    ("app.tenant", &["'one'", "'two'", "''", "E'line\\nfeed'"]),
    ("app.other", &["'x=y'", "'o''clock'"]),
    ("role", &["other_D"]),
    ("work_mem", &["'8MB'"]),
];

/// The settings that the program and its driver set in each session, whatever a role brings.
const OWN: &str = "set TimeZone = 'UTC'; set DateStyle = 'ISO, MDY';";

/// Expressions that show them, each a text.
const SHOWN: &[(&str, &str)] = &[
    ("path", "(select n from t limit 1)"),
    ("interval", "interval '1 day 2 hours -3 minutes'"),
    ("date", "date '2026-03-04'"),
    ("zone", "timestamptz '2026-01-01 00:00Z'"),
    ("float", "0.1::float8 * 3"),
    ("bytes", "'\\x0141'::bytea"),
    ("search", "to_tsvector('the cats were running')"),
    ("equals", "(1 = null) is null"),
    ("nulls", "('{NULL}'::text[])[1]"),
    ("quoted", "quote_ident('plain')"),
    ("ambiguous", "public.ambiguous()"),
    (
        "similar",
        "public.similarity('word', 'words') > 0 and 'word' operator(public.%) 'words'",
    ),
    ("hidden", "public.tenant()"),
    ("named", "current_setting('app.other', true)"),
    ("user", "current_user || ' ' || session_user"),
    ("policy", "(select string_agg(n, ',') from public.guarded)"),
];

const PREPARED: &str = "create schema a; create schema b; create extension pg_trgm; \
    create table a.t as select 'a' as n; create table b.t as select 'b' as n; \
    create table public.t as select 'public' as n; \
    create table guarded (n text, owner text); \
    insert into guarded values ('one', 'one_D'), ('two', 'two_D'), ('other', 'other_D'); \
    alter table guarded enable row level security; \
    create policy own on guarded using (owner = current_user); \
    create table conflict as select 'column' as word; \
    create function tenant() returns text language sql stable \
    as $$ select coalesce(current_setting('app.tenant', true), 'none') $$; \
    create function ambiguous() returns text language plpgsql stable \
    as $$ declare word text := 'variable'; begin \
    return (select word from public.conflict); exception when others then return 'error'; end $$; \
    create role one_D login; create role two_D login; create role other_D; \
    grant other_D to one_D, two_D; grant usage on schema a, b to public; \
    grant select on all tables in schema a, b, public to public";

/// A generator whose draws are the same for the same seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, each: &'a [T]) -> &'a T {
        &each[self.below(each.len())]
    }
}

/// A role, and an instance that asks as this role.
struct Asker {
    role: String,
    unslow: Unslow,
}

/// One database with its roles and askers.
struct Scene {
    server: &'static Postgres,
    database: String,
    askers: Vec<Asker>,
    _redis: Redis,
}

fn body(expression: &str) -> String {
    format!("select ({expression})::text || ' ' || :n as n")
}

impl Scene {
    fn new() -> Scene {
        let (server, redis) = (postgres(), Redis::start());
        let database = server.database();
        server.psql(&database, &PREPARED.replace("_D", &format!("_{database}")));
        let mut files = vec![(
            "queries/touch.sql".to_owned(),
            "-- cache: off\nselect 1 as n".to_owned(),
        )];
        for (name, expression) in SHOWN {
            let text = format!("-- ttl: 1h\n-- param: n integer\n{}", body(expression));
            files.push((format!("queries/{name}.sql"), text));
        }
        let files: Vec<_> = files
            .iter()
            .map(|(p, t)| (p.as_str(), t.as_str()))
            .collect();
        let askers = ["one", "two", "one", "two"].map(|who| {
            let role = format!("{who}_{database}");
            let ini = format!(
                "[postgres]\nhost=127.0.0.1\nport={}\nuser={role}\ndatabase={database}\n\
                 sslmode=disable\n[database]\npool_size=3\n[redis]\nurl={}\n",
                server.port(),
                redis.url()
            );
            Asker {
                unslow: start(&ini, &files),
                role,
            }
        });
        Scene {
            server,
            database,
            askers: askers.into(),
            _redis: redis,
        }
    }

    /// Draws a change, and makes it.
    fn change(&self, draws: &mut Draws) -> String {
        let (name, values) = draws.of(SETTINGS);
        let role = format!("{}_{}", draws.of(&["one", "two"]), self.database);
        let owner = match draws.below(3) {
            0 if *name != "role" => format!("database {}", self.database),
            1 => format!("role {role} in database {}", self.database),
            _ => format!("role {role}"),
        };
        let end = match draws.below(values.len() + 1) {
            at if at < values.len() => format!("set {name} = {}", values[at]),
            _ => format!("reset {name}"),
        };
        let sql = format!("alter {owner} {end}").replace("_D", &format!("_{}", self.database));
        self.server.psql(&self.database, &sql);
        sql
    }

    /// Says what a new session of this role answers to all of them.
    fn right(&self, role: &str, n: usize) -> Vec<Value> {
        let mut sql = "select json_build_array(".to_owned();
        for (place, (_, expression)) in SHOWN.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let shown = format!("({expression})::text || ' ' || {n}");
            write!(sql, "{comma}{shown}").unwrap();
        }
        let sql = format!("{OWN} {sql})");
        let text = self.server.psql_as(role, &self.database, &sql);
        serde_json::from_str(text.trim()).unwrap()
    }
}

fn answer(unslow: &Unslow, name: &str, n: usize) -> Value {
    let answer = unslow.get(&format!("/q/{name}.json?n={n}"));
    answer.json()["rows"][0]["n"].clone()
}

/// Draws `rounds` rounds of changes and questions. Returns how many answers were compared.
fn try_out(seed: u64, rounds: usize) -> usize {
    let (scene, mut draws, mut compared) = (Scene::new(), Draws(seed), 0);
    let mut story = Vec::new();
    for _ in 0..rounds {
        for _ in 0..=draws.below(3) {
            story.push(scene.change(&mut draws));
        }
        // A load tells an instance that its sessions are of before; nothing else is waited for.
        for asker in &scene.askers {
            let touched = asker.unslow.get("/q/touch.json");
            assert_eq!(touched.status, 200, "seed {seed}: {story:#?}");
        }
        for asker in &scene.askers {
            let n = draws.below(2);
            let right = scene.right(&asker.role, n);
            for ((name, _), right) in SHOWN.iter().zip(right) {
                let said = answer(&asker.unslow, name, n);
                assert_eq!(
                    said, right,
                    "{name} for {}, seed {seed}: {story:#?}",
                    asker.role
                );
                compared += 1;
            }
        }
    }
    let each = scene.askers.iter();
    let loads: u64 = each
        .flat_map(|asker| SHOWN.iter().map(|(name, _)| asker.unslow.numbers(name)))
        .map(|numbers| numbers["loads"].as_u64().unwrap())
        .sum();
    // Else nothing was compared but the database with itself.
    assert!(
        loads < compared as u64,
        "{loads} loads for {compared} answers"
    );
    eprintln!("seed {seed}: {compared} answers, {loads} loads");
    compared
}

#[test]
fn drawn_settings_of_roles_and_databases_give_the_rows_of_a_new_session() {
    assert!(try_out(20_261_201, 8) >= 300);
}

#[test]
#[ignore = "takes minutes"]
fn soak_drawn_settings_of_roles_and_databases() {
    for seed in 1_u64..=12 {
        try_out(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed), 25);
    }
}

#[test]
fn behind_a_pooler_with_sessions_of_before_and_after_every_request_has_an_answer() {
    let (server, redis) = (postgres(), Redis::start());
    let database = server.database();
    let pooler = PgBouncer::start(server, 2);
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser=postgres\ndatabase={database}\nsslmode=disable\n\
         [database]\npool_size=4\n[redis]\nurl={}\n",
        pooler.port(),
        redis.url()
    );
    let query = "-- ttl: 1h\n-- param: n integer\n\
                 select (interval '1 day')::text || :n as n, pg_backend_pid() as pid, \
                 pg_sleep(0.02)::text as s";
    let unslow = start(&ini, &[("queries/shown.sql", query)]);
    assert_eq!(answer(&unslow, "shown", 0), "1 day0");
    server.psql(
        &database,
        &format!("alter database {database} set IntervalStyle = 'iso_8601'"),
    );
    let mut pids = std::collections::BTreeSet::new();
    until("both sessions of the pooler answer", || {
        let n = pids.len();
        std::thread::scope(|scope| {
            let asked = (0..8).map(|client| {
                let unslow = &unslow;
                scope.spawn(move || {
                    let path = format!("/q/shown.json?n={}", 1000 * (n + 1) + client);
                    let answer = unslow.get(&path);
                    assert_eq!(answer.status, 200, "{path}");
                    answer.json()["rows"][0]["pid"].as_i64().unwrap()
                })
            });
            let asked: Vec<_> = asked.collect();
            pids.extend(asked.into_iter().map(|client| client.join().unwrap()));
        });
        pids.len() >= 2
    });
    for round in 0..20 {
        std::thread::scope(|scope| {
            for client in 0..8 {
                let unslow = &unslow;
                scope.spawn(move || {
                    let n = 10_000 + 100 * round + client;
                    let path = format!("/q/shown.json?n={n}");
                    let answer = unslow.get(&path);
                    assert_eq!(answer.status, 200, "{path}");
                    let said = answer.json()["rows"][0]["n"].clone();
                    assert!(
                        said == format!("1 day{n}") || said == format!("P1D{n}"),
                        "{said}"
                    );
                });
            }
        });
    }
}
