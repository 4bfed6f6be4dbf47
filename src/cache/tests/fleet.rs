//! Several instances on one Redis: who loads, and who waits. Time is the
//! runtime's and stands still, so nothing here waits in earnest. The `model` tries the orders of
//! events that nobody thought of.

mod cut_off;
mod hung;
mod offers;
mod once;
mod purges;
mod renewals;

use std::collections::VecDeque;
use std::sync::Mutex;

use super::fake::{Line, Server, Way};
use super::*;
use std::sync::Arc;

/// What the database holds, and what it has been asked for.
#[derive(Default)]
struct Source {
    value: Mutex<String>,
    loads: AtomicUsize,
    ends: Mutex<VecDeque<RequestError>>,
}

struct Instance {
    cache: Cache,
    line: Line,
    stats: Arc<Stats>,
    source: Arc<Source>,
    key: Key,
}

/// Longer than what is quick, so that a lease is worth it.
const LOAD: Duration = Duration::from_secs(2);
const LIFE: Duration = Duration::from_hours(1);

impl Instance {
    fn new(server: &Server, source: &Arc<Source>, seed: u64) -> Instance {
        let (line, stats) = (server.line(seed), Arc::new(Stats::new(["q"].into_iter())));
        Instance {
            cache: cache_on(&line, POLICY, 1 << 20, &stats),
            line,
            stats,
            source: Arc::clone(source),
            key: key("p"),
        }
    }

    fn lookup(&self) -> Lookup<'_> {
        lookup(&self.key, &self.stats)
    }

    /// A load takes what is there as it begins, and a while.
    fn load(&self) -> impl FnOnce(Duration) -> Loading + Send + 'static {
        let source = Arc::clone(&self.source);
        move |_| {
            Box::pin(async move {
                source.loads.fetch_add(1, Ordering::SeqCst);
                let value = source.value.lock().unwrap().clone();
                let end = source.ends.lock().unwrap().pop_front();
                tokio::time::sleep(LOAD).await;
                end.map_or_else(|| Ok(loaded(&value)), Err)
            })
        }
    }

    async fn get(&self) -> Result<Reply, RequestError> {
        self.cache.get_or_load(self.lookup(), self.load()).await
    }

    /// A caller who is on its way while the test goes on.
    fn early(self: &Arc<Self>) -> tokio::task::JoinHandle<Result<Reply, RequestError>> {
        let instance = Arc::clone(self);
        tokio::spawn(async move { instance.get().await })
    }

    async fn body(&self) -> String {
        let reply = self.get().await.unwrap();
        String::from_utf8(body(&reply).to_vec()).unwrap()
    }

    async fn purge(&self, kind: PurgeKind) -> PurgeReach {
        self.cache
            .purge_scope(PurgeScope::Query("unnamed:{version}"), kind)
            .await
    }

    async fn purge_some(&self, of_one: bool, kind: PurgeKind) -> PurgeReach {
        if !of_one {
            return self.purge(kind).await;
        }
        let (key, life) = (&self.key, LIFE);
        self.cache
            .purge_scope(PurgeScope::Entry { key, life }, kind)
            .await
    }
}

impl Source {
    fn set(&self, value: &str) {
        value.clone_into(&mut self.value.lock().unwrap());
    }

    fn fail_next(&self, error: RequestError) {
        self.ends.lock().unwrap().push_back(error);
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

/// So many instances, listening.
async fn fleet(count: u64) -> (Server, Arc<Source>, Vec<Arc<Instance>>) {
    let (server, source) = (Server::new(), Arc::new(Source::default()));
    source.set("old");
    let instances = (0..count).map(|n| Arc::new(Instance::new(&server, &source, n)));
    let instances: Vec<_> = instances.collect();
    pass(SECOND).await;
    (server, source, instances)
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn broken() -> RequestError {
    RequestError::Failed {
        sqlstate: "22012".into(),
        detail: "division by zero".into(),
        position: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_key_is_one_load_in_the_fleet() {
    let (server, source, fleet) = fleet(3).await;
    let callers = (0..300).map(|n| fleet[n % 3].get());
    let replies = join_all(callers).await;
    assert!(replies.iter().all(|r| body(r.as_ref().unwrap()) == b"old"));
    assert_eq!(source.loads(), 1);
    assert!(server.violations().is_empty(), "{:?}", server.violations());
}

#[tokio::test(start_paused = true)]
async fn when_the_holder_dies_one_of_those_who_wait_takes_over() {
    let (_server, source, fleet) = fleet(3).await;
    let _holder = fleet[0].early();
    pass(SECOND).await;
    assert_eq!(source.loads(), 1);
    fleet[0].line.set_way(Way::Cut);
    let (one, two) = tokio::join!(fleet[1].get(), fleet[2].get());
    assert_eq!(
        (body(&one.unwrap()), body(&two.unwrap())),
        (&b"old"[..], &b"old"[..])
    );
    assert_eq!(source.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_the_fleet_and_not_repeated_at_once() {
    let (_server, source, fleet) = fleet(2).await;
    source.fail_next(broken());
    let (one, two) = tokio::join!(fleet[0].get(), fleet[1].get());
    assert_eq!(one.unwrap_err().class(), "failed");
    assert_eq!(two.unwrap_err().class(), "failed");
    assert_eq!(source.loads(), 1);
    pass(2 * SECOND).await;
    assert_eq!(fleet[1].body().await, "old");
    assert_eq!(source.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_emptied_redis_is_no_mass_miss() {
    let (server, source, fleet) = fleet(3).await;
    for instance in &fleet {
        instance.body().await;
    }
    server.flush();
    source.set("new");
    pass(6 * SECOND).await;
    for instance in &fleet {
        let reply = instance.get().await.unwrap();
        assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
    }
    pass(LOAD + SECOND).await;
    for instance in &fleet {
        assert_eq!(instance.body().await, "new");
    }
    assert_eq!(source.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_comparison_whose_client_leaves_is_made_by_the_next() {
    let (server, _source, fleet) = fleet(1).await;
    fleet[0].body().await;
    pass(SECOND).await;
    server.evict(&fleet[0].key.redis_names().entry);
    pass(5 * SECOND).await;
    assert!(fleet[0].get().now_or_never().is_none(), "it asks Redis");
    let reply = fleet[0].get().await.unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_before_a_store_does_not_say_that_its_entry_was_removed() {
    const STEP: Duration = Duration::from_millis(10);
    let (_server, source, fleet) = fleet(1).await;
    let (instance, line) = (&fleet[0], &fleet[0].line);
    let holder = instance.early();
    pass(LOAD / 2).await;
    // A copy that was loaded before the reconnection has to be compared.
    line.break_once();
    line.set_slow(3 * STEP, Duration::ZERO);
    assert_eq!(holder.await.unwrap().unwrap().outcome, Outcome::Miss);
    pass(STEP / 2).await;
    line.set_slow(Duration::ZERO, 5 * STEP);
    let comparison = instance.early();
    pass(STEP).await;
    line.set_slow(Duration::ZERO, Duration::ZERO);
    let reply = comparison.await.unwrap().unwrap();
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    pass(LOAD + SECOND).await;
    assert_eq!(source.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_asked_for_refresh_loads_what_is_there_now() {
    let (_server, source, fleet) = fleet(2).await;
    let early = fleet[0].early();
    pass(SECOND).await;
    source.set("new");
    for instance in [1, 0] {
        let instance = &fleet[instance];
        let refreshed = instance.cache.refresh_entry(
            instance.lookup(),
            Duration::ZERO,
            Trigger::Admin,
            instance.load(),
        );
        assert_eq!(refreshed.await.unwrap(), RefreshResult::Loaded);
        assert_eq!(instance.body().await, "new");
    }
    assert_eq!(source.loads(), 3);
    assert!(early.await.unwrap().is_ok());
    let recent = fleet[1].cache.refresh_entry(
        fleet[1].lookup(),
        5 * SECOND,
        Trigger::Admin,
        fleet[1].load(),
    );
    assert!(matches!(
        recent.await.unwrap(),
        RefreshResult::Recent { age } if age < 5 * SECOND
    ));
    assert_eq!(source.loads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_takes_a_recent_copy_of_another_instance_into_memory_and_tells_its_age() {
    let (_server, source, fleet) = fleet(2).await;
    assert_eq!(fleet[0].body().await, "old");
    pass(3 * SECOND).await;
    let refresh = |max_age| {
        let instance = &fleet[1];
        let (lookup, load) = (instance.lookup(), instance.load());
        instance
            .cache
            .refresh_entry(lookup, max_age, Trigger::Schedule, load)
    };
    let age = match refresh(4 * SECOND).await.unwrap() {
        RefreshResult::Recent { age } => age,
        RefreshResult::Loaded => panic!("there was a copy"),
    };
    assert!(age >= 3 * SECOND && age < 4 * SECOND, "{age:?}");
    let reply = fleet[1].get().await.unwrap();
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!(source.loads(), 1);
    source.set("new");
    assert_eq!(refresh(2 * SECOND).await.unwrap(), RefreshResult::Loaded);
    assert_eq!(fleet[1].body().await, "new");
    assert_eq!(source.loads(), 2);
}
