//! The temporary folder of a test run, and the watchdog that ends every server and removes the
//! folder when the test binary is gone, even if it was killed: a shell that reads from a pipe
//! nobody writes to, until the pipe closes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::unistd::{Gid, Uid, User};

const WATCHDOG: &str = r#"
cat > /dev/null
for file in "$0"/pids/*; do
    [ -f "$file" ] || continue
    read -r pid < "$file"
    kill -QUIT "$pid"; kill -CONT "$pid"
    tries=0
    while kill -0 "$pid" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "$pid"
done 2> /dev/null
rm -rf "$0"
"#;

struct Home {
    path: PathBuf,
    /// Its standard input is the pipe; it closes with this process.
    _watchdog: Child,
}

fn home() -> &'static Path {
    static HOME: OnceLock<Home> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        let path = tempfile::Builder::new()
            .prefix("unslow-it-")
            .tempdir()
            .unwrap()
            .keep();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(path.join("pids")).unwrap();
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Control-C goes to the tests, not to what cleans up after them.
            .process_group(0)
            .spawn()
            .unwrap();
        Home {
            path,
            _watchdog: watchdog,
        }
    });
    &home.path
}

/// A new folder that belongs to the servers' user.
pub(crate) fn folder(name: &str) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let path = home().join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    give(&path);
    path
}

/// Writes a file that belongs to the servers' user, readable by it alone.
pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    give(path);
}

/// Notes the process id of a running server for the watchdog.
pub(super) fn note(pid: u32) -> PathBuf {
    let path = home().join("pids").join(pid.to_string());
    fs::write(&path, format!("{pid}\n")).unwrap();
    path
}

/// Returns the user of the servers: PostgreSQL and PgBouncer refuse to be root. `None`: our own.
pub(super) fn user() -> Option<(Uid, Gid)> {
    if !Uid::effective().is_root() {
        return None;
    }
    let named = |name| User::from_name(name).unwrap();
    let user = named("postgres")
        .or_else(|| named("nobody"))
        .expect("user postgres or nobody");
    Some((user.uid, user.gid))
}

fn give(path: &Path) {
    if let Some((uid, gid)) = user() {
        chown(path, Some(uid.as_raw()), Some(gid.as_raw())).unwrap();
    }
}
