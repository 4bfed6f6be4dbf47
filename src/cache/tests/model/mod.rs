//! The model: a fleet of three real caches on one fake Redis, in one thread whose clock stands
//! still, driven by drawn steps. Afterwards the record of what happened is held to rules. No real
//! time passes, and nothing is random but what is drawn, so that a case can be played again.
//!
//! `MODEL_CASES=N` plays N cases instead of 256. A failing case is made as short as it gets and
//! printed with its seed; `MODEL_SEED=SEED` plays that one again. With the feature `undefended`,
//! `UNDEFENDED=lease` (or `fence`, `messages`, `recheck`) must make it fail.
//!
//! Not in here: threads that run at the same time (`flight` has its own tests for that), the real
//! connections and their repair, anything of the database's.

mod database;
mod fleet;
mod record;
mod rules;
mod steps;

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::time::sleep;

use self::fleet::{Fleet, PATIENCE};
use self::rules::check;
use self::steps::{Case, Ending, INSTANCES, KEYS, case};
use super::super::chance;

/// Plays a case, and says which rule it breaks.
fn play(case: &Case) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        chance::begin_with(case.seed);
        let mut fleet = Fleet::new(case);
        for step in &case.steps {
            fleet.step(step).await;
        }
        end(&mut fleet).await
    })
}

/// After every case all trouble ends; then the fleet must come to rest, and be as good as new.
async fn end(fleet: &mut Fleet) -> Result<(), String> {
    fleet.heal();
    fleet.database().will(700, Ending::Well);
    sleep(2 * PATIENCE).await;
    check(fleet)?;
    if fleet.flights() > 0 {
        return Err("flights that do not end".into());
    }
    // Past every window and every backoff.
    sleep(Duration::from_mins(2)).await;
    for key in 0..KEYS {
        let before = fleet.pen.write().loads_of(key).count();
        for at in 0..INSTANCES {
            fleet.request(at, key, None);
        }
        sleep(Duration::from_secs(2)).await;
        let loads = fleet.pen.write().loads_of(key).count() - before;
        if loads != 1 && !record::is_quick(key) {
            return Err(format!("{loads} loads for one key when all was well again"));
        }
    }
    check(fleet)
}

/// Plays so many cases, or the one that is asked for.
fn play_many(cases: u64, longest: usize) {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect(name));
    let (first, cases) = match number("MODEL_SEED") {
        Some(seed) => (seed, 1),
        None => (
            RandomState::new().hash_one(cases) >> 16,
            number("MODEL_CASES").unwrap_or(cases),
        ),
    };
    for seed in first..first + cases {
        if env::var("MODEL_VERBOSE").is_ok() {
            eprintln!("{} {seed}", seed - first);
        }
        play_one(seed, longest);
    }
}

fn play_one(seed: u64, longest: usize) {
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 800,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let played = runner.run(&case(longest), |case| {
        play(&case).map_err(TestCaseError::fail)
    });
    match played {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => {
            let steps: Vec<_> = case
                .steps
                .iter()
                .map(|step| format!("  {step:?}\n"))
                .collect();
            panic!(
                "{reason}\nsteps (memory: {}, seed: {}):\n{}play it again with MODEL_SEED={seed}",
                case.memory,
                case.seed,
                steps.concat()
            );
        }
        Err(TestError::Abort(reason)) => panic!("no case could be drawn: {reason}"),
    }
}

#[test]
fn the_rules_hold_whatever_happens() {
    play_many(256, 40);
}

#[test]
#[ignore = "takes minutes: `make model`"]
fn the_rules_hold_in_many_longer_cases() {
    play_many(10_000, 80);
}
