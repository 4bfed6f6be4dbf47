//! What may be taken, what may not, and whose the file is at the end. Two open files lock each
//! other out in one process as they do in two.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

/// A folder, and the path of a pidfile in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unslow.pid");
    (dir, path)
}

fn refused(path: &Path) -> StartupError {
    match Pidfile::lock(path).unwrap_err() {
        NotLocked::Unusable(error) => error,
        NotLocked::Held { .. } => panic!("nobody holds it"),
    }
}

#[test]
fn the_lock_says_that_it_runs_and_the_number_says_who() {
    let (_dir, path) = place();
    assert_eq!(read_state(&path).unwrap(), PidfileState::Absent);
    let mut pidfile = Pidfile::lock(&path).unwrap();
    assert_eq!(read_state(&path).unwrap(), PidfileState::Starting);
    pidfile.write(4_194_304).unwrap();
    pidfile.write(77).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "77\n");
    assert_eq!(read_state(&path).unwrap(), PidfileState::Running(77));
    assert_eq!(read_holder(&path), Some(77));
    let mode = path.metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o644);
    pidfile.hand_on();
    // A process that another test starts just now has a copy of the file until it is another program.
    while read_state(&path).unwrap() != PidfileState::Stale {
        std::thread::yield_now();
    }
    assert_eq!(read_holder(&path), None);
}

#[test]
fn a_second_one_is_refused_with_the_number_of_the_first() {
    let (_dir, path) = place();
    let mut first = Pidfile::lock(&path).unwrap();
    let error = StartupError::from(Pidfile::lock(&path).unwrap_err());
    assert!(error.what.contains("it starts"), "{error}");
    first.write(77).unwrap();
    let error = StartupError::from(Pidfile::lock(&path).unwrap_err());
    assert!(error.what.contains("already running (pid 77)"), "{error}");
    assert_eq!(read_holder(&path), Some(77), "asking has changed nothing");
}

#[test]
fn a_stale_one_is_taken_whatever_its_number() {
    let (_dir, path) = place();
    for content in ["1\n", "", "  12  ", "4294967295"] {
        std::fs::write(&path, content).unwrap();
        let mut pidfile = Pidfile::lock(&path).unwrap();
        pidfile.write(5).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "5\n");
    }
}

#[test]
fn what_is_no_pidfile_is_left_as_it_is() {
    let (dir, path) = place();
    let other = dir.path().join("other");
    for content in ["[server]\n", "12 13", &"1".repeat(100), "-1"] {
        std::fs::write(&path, content).unwrap();
        let error = refused(&path);
        assert!(error.remedy.unwrap().contains("a file of its own"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&other, "1").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    assert!(refused(&path).remedy.unwrap().contains("symbolic link"));
    assert!(read_state(&path).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused(&path);
    std::fs::remove_dir(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&path);
    assert!(read_state(&path).is_err());
    refused(&dir.path().join("nowhere/unslow.pid"));
}

#[test]
fn its_mode_is_the_same_whatever_the_umask() {
    let (_dir, path) = place();
    std::fs::write(&path, "1").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let _pidfile = Pidfile::lock(&path).unwrap();
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644);
}

#[test]
fn a_successor_takes_the_place_and_keeps_its_lock() {
    let (_dir, path) = place();
    let mut old = Pidfile::lock(&path).unwrap();
    old.write(1).unwrap();
    let second = successor_path(&path);
    let mut new = Pidfile::lock(&second).unwrap();
    new.write(2).unwrap();
    new.rename_to(&path).unwrap();
    assert_eq!(read_holder(&path), Some(2));
    assert_eq!(read_state(&second).unwrap(), PidfileState::Absent);
    // The old one's end takes nothing away from the new one.
    drop(old);
    assert_eq!(read_holder(&path), Some(2));
    assert_eq!(new.path(), path);
    drop(new);
    assert_eq!(read_state(&path).unwrap(), PidfileState::Absent);
}

#[test]
fn an_inherited_lock_outlives_the_one_who_took_it() {
    let (_dir, path) = place();
    let mut parent = Pidfile::lock(&path).unwrap();
    let inherited = parent.file().try_clone().unwrap();
    let mut child = Pidfile::adopt_file(inherited, &path).unwrap();
    parent.write(1).unwrap();
    child.write(2).unwrap();
    parent.hand_on();
    assert_eq!(read_holder(&path), Some(2));
    let stranger = File::open(&path).unwrap();
    assert!(
        Pidfile::adopt_file(stranger, &path).is_err(),
        "not its lock"
    );
    std::fs::remove_file(&path).unwrap();
    let late = child.file().try_clone().unwrap();
    assert!(Pidfile::adopt_file(late, &path).is_err(), "not its path");
}

#[test]
fn only_one_of_many_that_start_at_once_gets_it_while_others_ask() {
    let (_dir, path) = place();
    let asking = std::sync::atomic::AtomicBool::new(true);
    let got = std::thread::scope(|scope| {
        let ask = || {
            while asking.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = read_state(&path);
                std::thread::yield_now();
            }
        };
        scope.spawn(ask);
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Pidfile::lock(&path)))
            .collect();
        let results: Vec<_> = starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect();
        asking.store(false, std::sync::atomic::Ordering::Relaxed);
        results.iter().filter(|result| result.is_ok()).count()
    });
    assert_eq!(got, 1);
}

#[test]
fn the_default_place_is_the_first_that_the_environment_names() {
    let place = |runtime: &str, xdg: &str| {
        let variable = |name: &str| match name {
            "RUNTIME_DIRECTORY" => Some(runtime.into()),
            "XDG_RUNTIME_DIR" => Some(xdg.into()),
            _ => None,
        };
        default_path(variable, Path::new("/etc/unslow"))
    };
    for (runtime, xdg, path) in [
        ("/run/a:/run/b", "/run/user/1", "/run/a/unslow.pid"),
        ("", "/run/user/1", "/run/user/1/unslow/unslow.pid"),
        ("relative", "", "/etc/unslow/unslow.pid"),
    ] {
        assert_eq!(place(runtime, xdg), Path::new(path));
    }
    let control = control_socket(Path::new("/run/a/unslow.pid"));
    assert_eq!(control, Path::new("/run/a/unslow.pid.ctl"));
}

#[test]
fn the_folder_of_the_default_place_is_for_one_user() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unslow/unslow.pid");
    make_folder(&path).unwrap();
    make_folder(&path).unwrap();
    let mode = path.parent().unwrap().metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o700);
    let error = make_folder(&dir.path().join("a/b/unslow.pid")).unwrap_err();
    assert!(error.remedy.unwrap().contains("make its folder"));
}
