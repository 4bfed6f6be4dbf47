//! Flags, settings, command, exit code; no logic. It is synchronous, because a process must not
//! fork under a runtime.

use std::process::ExitCode;

use unslow::{commands, daemon, environment, flags, settings};

/// musl's own allocator takes one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let launch = daemon::Launch::take();
    environment::forget_variables(&commands::DRIVER_ENVIRONMENT);
    match flags::parse(std::env::args_os(), settings::all_flags()) {
        Ok(flags) => commands::run(&flags, launch),
        Err(help_or_error) => commands::print_usage(&help_or_error),
    }
}
