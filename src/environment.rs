//! Changing the environment of this process, which is safe only before its first thread starts.
#![allow(
    unsafe_code,
    reason = "the environment has no safe way to be changed; there is one call, made first in main"
)]

/// Takes variables away that a library would read by itself. Only `main` may call it, before
/// anything that starts a thread.
pub fn forget(names: &[&str]) {
    for name in names {
        // SAFETY: no other thread exists yet, so nothing reads the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
}
