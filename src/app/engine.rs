//! The engine runtime: the one tokio runtime that loads, flights, pools, Redis and timers live
//! on. Each actix worker is a runtime of its own that ends with its generation, and takes its
//! tasks and connections with it; this one outlives them all.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::StartupError;

/// The engine runtime. Dropping it does not wait for its tasks.
#[derive(Debug)]
pub struct Engine {
    runtime: Option<Runtime>,
}

impl Engine {
    /// Starts the runtime's threads.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start() -> Result<Engine, StartupError> {
        let runtime = Builder::new_multi_thread()
            .thread_name("unslow-engine")
            .enable_all()
            .build()
            .map_err(|error| {
                StartupError::new(format!("cannot start the engine's threads: {error}"))
                    .with_remedy("raise the limit on processes (ulimit -u)")
            })?;
        Ok(Engine {
            runtime: Some(runtime),
        })
    }

    /// Returns the handle by which work is spawned on it from anywhere.
    pub fn handle(&self) -> &Handle {
        self.runtime
            .as_ref()
            .expect("the runtime is taken only when the engine is dropped")
            .handle()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime dropped on a runtime panics; this way it may happen anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
