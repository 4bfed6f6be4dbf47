//! unslow puts slow SQL behind a cache, in one file you can copy: named queries on PostgreSQL or
//! SQLite, their answers kept in memory and in Redis, served as pages, JSON, CSV and NDJSON.
//!
//! # Layout
//!
//! | Module | Owns |
//! |---|---|
//! | [`flags`], [`settings`] | the command line; every setting once, merged from ini, environment and flags |
//! | [`commands`] | one file per subcommand that is not the server itself |
//! | [`daemon`] | the process: how it starts, detaches, reloads, hands over and ends |
//! | [`server`] | listeners, generations of workers |
//! | [`web`] | the route table, and how requests and answers become HTTP |
//! | [`view`] | pages as pure functions from data to markup; the numbers as CSV, text and metrics |
//! | [`app`] | from a query and its arguments to an answer: the only place that sees database and cache |
//! | [`query`] | the catalog, the `.sql` file format, typed parameters |
//! | [`db`] | running a query, read-only and bounded |
//! | [`cache`] | the read path: memory, Redis, one load per key in the whole fleet; purges |
//! | [`stats`] | every counter |
//! | [`outcome`], [`error`], [`logging`], [`environment`] | the words for how a request ended; what may be said of a failure; the logs; the one change to the environment |
//! | [`text`] | units of time and size; values and names in messages |
//! | `socket_path`, `trusted_place` | unix sockets whose path is longer than their address; who can change what stands at a path |
//! | [`defence`] | what a test may switch off, to see that it was needed |
//!
//! Imports run one way, between parts and between files: `main → {flags, settings, commands}`, `commands → daemon → server → web →
//! app → {cache, db, query, stats}`, `{commands, web} → view → {query, stats}`. Tests
//! (`tests/it/house.rs`) keep it so; `make house` prints what they measure.
//!
//! What needs a unix system has a small twin called `elsewhere.rs` in its part, chosen where the
//! module is declared.
//!
//! # Words
//!
//! | Word | Meaning |
//! |---|---|
//! | copy, entry | a stored answer with its load time; its [`outcome`] says how a request got it |
//! | load | one run of a query on the database; a refresh is a load behind an answer |
//! | flight | one load of a key in this process, and the requests that wait for it (single flight) |
//! | lease | the right of one instance to load a key, kept in Redis while the load runs |
//! | fencing number | the number that Redis draws for a load; an older load stores nothing over a newer one |
//! | epoch | the number of a purge of a whole query; copies of an earlier epoch are gone or stale |
//! | purge | hard: copies are never served again; soft: they are stale now |
//! | generation | the set of worker threads that serves under one state of the settings |
//! | reload | new settings and queries in a running process (HUP); an upgrade is a new process (USR2) |
//! | master | the part of the process that decides about generations, on the main thread |
//! | engine | the runtime of loads, which outlives every generation |
//! | instance | one running process of this program; all that share a Redis and a namespace are a fleet |
//! | family | all entries of one query on one database |
//! | audience | the clients that a listener or a route is for: everyone, visitors, operators |
//!
//! # The life of a request
//!
//! 1. `web/guard.rs` reads its id and its sender, holds the limits on its head, and later adds the
//!    headers that every response has: on the fast path of plain requests ([`web::FastPath`]) as
//!    around the route table ([`web::wrap_routes`]).
//! 2. A handler in `web/pages.rs` finds the query and types its parameters
//!    ([`query::Query::read_arguments`]).
//! 3. [`app::App::answer_query`] asks the cache, with a load to run when the cache has nothing.
//! 4. [`cache::Cache::get_or_load`] looks in memory, then in Redis, then joins or leads the
//!    flight for its key; before a load, a lease asks the other instances. A load is a task of the
//!    engine runtime ([`app::Engine`]), never part of the request: a client that leaves takes
//!    nothing with it.
//! 5. The load is [`db::Database::run`]: one read-only transaction, bounded in time, rows and
//!    bytes.
//! 6. `web/data.rs` sends the stored bytes, or `web/pages.rs` a page of [`view`].
//!
//! # To add …
//!
//! * a setting: a row in `settings/table`, a flag in `flags.rs`, a line in `assets/app.ini`; one
//!   in `settings/restart.rs` where a reload cannot change it;
//! * a query to the demo: a file in `sql/queries`;
//! * a header to query files: `query/keys.rs`;
//! * a route: `web/mod.rs`, a file beside it, and what clients should know of it in
//!   `web/openapi/service.rs`;
//! * a type of parameters: `query/value.rs`, and how a JSON Schema says it in `query/schema.rs`;
//! * a counter: `stats/counter.rs`; a metric: `view/export/metrics`; a column: `view/export/csv.rs`;
//! * a command: `flags.rs`, and a file in `commands`;
//! * a kind of deployment: a folder in `assets/deploy` with a `README.md`, and its checks in
//!   `.ci/check-deploy.d`.

pub mod app;
pub mod cache;
pub mod commands;
#[cfg(not(unix))]
#[path = "daemon/elsewhere.rs"]
pub mod daemon;
#[cfg(unix)]
pub mod daemon;
pub mod db;
pub mod defence;
pub mod environment;
pub mod error;
pub mod flags;
pub mod logging;
pub mod outcome;
pub mod query;
pub mod server;
pub mod settings;
#[cfg(unix)]
pub mod socket_path;
pub mod stats;
pub mod text;
#[cfg(unix)]
pub mod trusted_place;
pub mod view;
pub mod web;
