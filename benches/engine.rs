//! The cost of the engine itself, in this process and without a socket: `cargo bench --bench
//! engine`. `cargo bench --bench engine`. Criterion for those who change it; and, for the table of
//! `make bench`, the figures that have a bar, left in a file that the bench `bars` reads. Envelopes
//! are private to the cache: they are measured as part of the Redis hit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use futures_util::FutureExt as _;
use unslow::cache::{Cache, Clock, Key, KeyBase, LoadedValue, Lookup, Policy, Reply};
use unslow::outcome::{Outcome, Tier};
use unslow::query::{Arguments, Value};
use unslow::stats::{KeyId, Stats, Window};
use unslow::{settings, view};

/// The system's allocator, counting what this thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one passes everything on"
)]
// SAFETY: every call goes to the system's allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const POLICY: Policy = Policy {
    ttl: Duration::from_hours(1),
    stale_while_revalidate: Duration::ZERO,
    stale_if_error: Duration::ZERO,
};

/// A cache without Redis whose memory holds whatever is put into it.
struct Bench {
    runtime: tokio::runtime::Runtime,
    cache: Cache,
    stats: Arc<Stats>,
    base: KeyBase,
}

impl Bench {
    fn new() -> Bench {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the system gives a thread");
        let stats = Arc::new(Stats::new(["bench"].into_iter()));
        let settings = settings::CacheSettings {
            ttl: POLICY.ttl,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            memory: 16 << 30,
            max_entry: 4 << 20,
        };
        let (engine, counted) = (runtime.handle().clone(), Arc::clone(&stats));
        let cache = Cache::with_clock(&settings, None, engine, counted, Clock::of_machine())
            .expect("nothing is connected to");
        Bench {
            runtime,
            cache,
            stats,
            base: KeyBase::new("bench", "bench", "select 1", "nowhere"),
        }
    }

    fn key(&self, number: u64) -> Key {
        self.base.make_key(number.to_le_bytes().to_vec())
    }

    async fn ask(&self, key: &Key) -> Reply {
        let lookup = Lookup {
            key,
            policy: POLICY,
            patience: Duration::from_mins(1),
            stats: self.stats.query_stats(0),
        };
        let load = |_| async {
            Ok(LoadedValue {
                body: Bytes::from_static(br#"{"ok":true,"rows":[{"n":1}],"truncated":false}"#),
                head: Bytes::from_static(br#"["n"]"#),
                rows: 1,
                is_foreign: false,
            })
        };
        let answer = self.cache.get_or_load(lookup, load).await;
        answer.expect("this load does not fail")
    }

    fn fill(&self, keys: &[Key]) {
        self.runtime.block_on(async {
            for key in keys {
                self.ask(key).await;
            }
        });
    }

    /// A memory hit, which waits for nothing.
    fn hit(&self, key: &Key) -> Reply {
        let reply = self
            .ask(key)
            .now_or_never()
            .expect("a hit is there at once");
        debug_assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
        reply
    }
}

fn main() {
    // `cargo test --benches` starts this too, and means a test.
    if !std::env::args().any(|word| word == "--bench") {
        println!("measures only under `cargo bench`");
        return;
    }
    let bench = Bench::new();
    // Hits drive timers nowhere, but the cache may look at the runtime it is on.
    let _on_it = bench.runtime.enter();
    let mut criterion = Criterion::default().configure_from_args();
    for_criterion(&bench, &mut criterion);
    criterion.final_summary();
    let figures = for_the_table(&bench);
    print!("{figures}");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine");
    std::fs::write(file, figures).expect("cargo's folder for this can be written to");
}

fn for_criterion(bench: &Bench, criterion: &mut Criterion) {
    let key = bench.key(0);
    bench.fill(std::slice::from_ref(&key));
    criterion.bench_function("get_or_load, memory hit", |b| b.iter(|| bench.hit(&key)));
    record(criterion);
    let arguments = Arguments(vec![Value::Text("any".to_owned()), Value::Integer(10)]);
    criterion.bench_function("key of two parameters", |b| {
        b.iter(|| bench.base.make_key(black_box(&arguments).canonical()));
    });
    let assets = view::AssetUrls {
        style: "/static/style.css".to_owned(),
        favicon: "/static/favicon.svg".to_owned(),
    };
    let frame = view::PageFrame {
        assets: &assets,
        version: None,
        here: view::PagesHere::All,
    };
    criterion.bench_function("the page /", |b| {
        b.iter(|| view::render_home(&frame, black_box(&home())).into_string());
    });
}

/// All that is counted of a hit, of which the bar is 150 ns: with one key, and with so many that each
/// drives another out of the ranking.
fn record(criterion: &mut Criterion) {
    let (own, load) = (Duration::from_nanos(700), Duration::from_secs(5));
    let stats = Stats::new(["bench"].into_iter());
    let (query, canonical) = (stats.query_stats(0), Bytes::new());
    let record = |number: u64| {
        // The bytes are as evenly spread as a digest.
        let digest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        query.record_key(KeyId {
            digest: &u128::from(digest).to_le_bytes(),
            canonical: &canonical,
        });
        query.record_request(Outcome::Hit(Tier::Memory), black_box(own), black_box(load));
        query.count_served(1000);
    };
    criterion.bench_function("recording a hit", |b| b.iter(|| record(1)));
    let mut number = 0;
    let mut next = || {
        number += 1;
        record(number % 1_000_000);
    };
    criterion.bench_function("recording a hit of one key in a million", |b| {
        b.iter(&mut next);
    });
    let names: Vec<String> = (0..200).map(|number| format!("q{number}")).collect();
    let stats = Stats::new(names.iter().map(String::as_str));
    for place in 0..names.len() {
        (0..100).for_each(|_| {
            stats
                .query_stats(place)
                .record_request(Outcome::Hit(Tier::Memory), own, load);
        });
    }
    criterion.bench_function("a snapshot of 200 queries over an hour", |b| {
        b.iter(|| black_box(stats.take_snapshot(Window::Hour)));
    });
}

fn home() -> view::HomePage<'static> {
    view::HomePage {
        given: &[],
        query: view::QueryInfo {
            name: "version",
            title: "Database version",
            description: Some("Asks the database for its version, and takes its time."),
            params: &[],
            ttl: Some(POLICY.ttl),
        },
        host: Some("localhost"),
        sections: vec![(
            "database_version".to_owned(),
            view::TableCell::Text("SQLite 3.50".to_owned()),
        )],
        provenance: Some(view::Provenance {
            outcome: Outcome::Hit(Tier::Memory),
            age: Duration::from_secs(3),
            ttl: Duration::from_secs(10),
            ttl_left: Duration::from_secs(7),
            load_time: Duration::from_secs(5),
            elapsed: Duration::from_micros(30),
            stored: true,
        }),
        elapsed: Duration::from_micros(30),
        failure: None,
    }
}

fn for_the_table(bench: &Bench) -> String {
    let mut figures = String::new();
    let mut keys: Vec<Key> = Vec::new();
    for count in [1, 1_000, 1_000_000] {
        keys.extend((keys.len()..count).map(|number| bench.key(number as u64)));
        bench.fill(&keys);
        let time = time_of_a_hit(bench, &keys);
        // Writing to a string does not fail.
        let _ = writeln!(figures, "hit-{count} {time:.1}");
        if count == 1 {
            let _ = writeln!(figures, "hit-nanoseconds {time:.1}");
            let _ = writeln!(
                figures,
                "hit-allocations {}",
                allocations_of_a_hit(bench, &keys[0])
            );
        }
    }
    figures
}

/// Returns the time in nanoseconds; the keys are asked for in no order, the median of many batches.
fn time_of_a_hit(bench: &Bench, keys: &[Key]) -> f64 {
    const BATCH: u32 = 20_000;
    let mut place = 0;
    let mut batches: Vec<Duration> = (0..101)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..BATCH {
                // A step that shares no divisor with the count visits every key.
                place = (place + 618_033) % keys.len();
                black_box(bench.hit(&keys[place]));
            }
            begin.elapsed()
        })
        .collect();
    batches.sort_unstable();
    batches[batches.len() / 2].as_secs_f64() * 1e9 / f64::from(BATCH)
}

/// Returns the average, since the memory tier now and then tidies up in passing.
fn allocations_of_a_hit(bench: &Bench, key: &Key) -> f64 {
    const HITS: u32 = 10_000;
    let before = ALLOCATIONS.get();
    for _ in 0..HITS {
        black_box(bench.hit(key));
    }
    let made = u32::try_from(ALLOCATIONS.get() - before).unwrap_or(u32::MAX);
    (f64::from(made) / f64::from(HITS) * 100.0).round() / 100.0
}
