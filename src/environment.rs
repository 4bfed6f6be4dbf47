//! Changing the environment of this process, which is safe only before its first thread starts.
#![allow(
    unsafe_code,
    reason = "the environment has no safe way to be changed; all of it is done before threads"
)]

use std::ffi::OsString;

/// Takes variables away that a library would read by itself. Only `main` may call it, before
/// anything that starts a thread.
pub fn forget_variables(names: &[&str]) {
    for name in names {
        drop(take(name));
    }
}

/// Takes a variable away, and gives its value: what was meant for this process is not for those
/// that it starts. To be called before anything that starts a thread.
pub fn take(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name);
    // SAFETY: no other thread exists yet, so nothing reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    value
}

/// Sets variables, in this order; names and values are such as a variable can have. To be called
/// before anything that starts a thread.
pub fn set(variables: &[(String, String)]) {
    for (name, value) in variables {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
}
