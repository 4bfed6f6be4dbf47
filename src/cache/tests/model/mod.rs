//! The model: a fleet of three real caches on one fake Redis, in one thread whose clock stands
//! still, driven by drawn steps. Afterwards the record of what happened is held to rules. No real
//! time passes, and nothing is random but what is drawn, so that a case can be played again.
//!
//! `MODEL_CASES=N` plays so many cases, from the seed `MODEL_FIRST` on. A failing one is made
//! shorter, in at most `MODEL_SHORTEN` tries, and printed with its seed; `MODEL_SEED=SEED` plays
//! that one again.
//!
//! Not in here: a Redis that has lost its numbers *and* whose clock is behind the one it had, since
//! it then draws numbers lower than those the instances know; threads that run at the same time
//! (`flight` has its own tests for that), the real connections and their repair, anything of the
//! database's.

mod clients;
mod database;
mod fleet;
mod record;
mod rules;
mod steps;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use std::{env, thread};

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
    fleet.database.will(700, Ending::Well);
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

/// Plays so many cases from this seed on, or the one that is asked for. What went wrong, if
/// anything did.
fn play_many(first: u64, cases: u64, longest: usize) -> Result<(), String> {
    let (first, cases) = match number("MODEL_SEED") {
        Some(seed) => (seed, 1),
        None => (first, number("MODEL_CASES").unwrap_or(cases)),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = |thread| {
        let mut seeds = (first..first + cases).skip(thread).step_by(threads);
        seeds.try_for_each(|seed| play_one(seed, longest))
    };
    thread::scope(|scope| {
        let players: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || share(thread)))
            .collect();
        let played = players
            .into_iter()
            .map(|player| player.join().expect("it says what is wrong"));
        played.collect()
    })
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

fn play_one(seed: u64, longest: usize) -> Result<(), String> {
    let shorten = number("MODEL_SHORTEN").unwrap_or(1000);
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: u32::try_from(shorten).unwrap_or(u32::MAX),
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    match runner.run(&case(longest), |case| {
        play(&case).map_err(TestCaseError::fail)
    }) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, case)) => {
            let steps: Vec<_> = case
                .steps
                .iter()
                .map(|step| format!("  {step:?}"))
                .collect();
            let steps = steps.join("\n");
            let Case {
                memory,
                seed: times,
                ..
            } = case;
            Err(format!(
                "{reason}\nsteps (memory: {memory}, times: {times}):\n{steps}\n\
                 play it again with MODEL_SEED={seed}"
            ))
        }
        Err(TestError::Abort(reason)) => Err(format!("no case could be drawn: {reason}")),
    }
}

#[test]
fn the_rules_hold_whatever_happens() {
    // The same ones each time, so that what fails is due to what was changed.
    play_many(1, 256, 40).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
#[ignore = "takes minutes: `make model`"]
fn the_rules_hold_in_many_longer_cases() {
    let drawn = || RandomState::new().hash_one(()) >> 16;
    let first = number("MODEL_FIRST").unwrap_or_else(drawn);
    play_many(first, 10_000, 80).unwrap_or_else(|wrong| panic!("{wrong}"));
}

/// Each in a process of its own, since a defence is off for a whole process.
#[cfg(feature = "undefended")]
#[test]
#[ignore = "plays until a rule is broken, for each defence: `make model`"]
fn each_defence_that_is_off_breaks_a_rule() {
    let test = "cache::tests::model::the_rules_hold_whatever_happens";
    for defence in ["lease", "fence", "messages", "recheck", "backoff"] {
        let played = std::process::Command::new(env::current_exe().expect("a test's own file"))
            .args(["--exact", test])
            .env("UNDEFENDED", defence)
            .env("MODEL_CASES", "5000")
            .env("MODEL_SHORTEN", "0")
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&played.stdout);
        let broken = !played.status.success() && said.contains("play it again with");
        assert!(broken, "nothing noticed that {defence} is off:\n{said}");
    }
}
