//! The words between systemd and the program: the unit files by its own judgement, the sockets that
//! it passes on, and what it is told, in which order and by whom.

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

use crate::daemon_home::{Home, PATIENCE, answers, ended, text};
use crate::servers::wait_until as until;
use crate::unslow::command;

/// Runs one of systemd's programs; `None` where it is not installed.
fn systemd(program: &str, args: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
    {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("not tested: {program} is not installed (Debian: systemd)");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Writes the files that `systemd-unit` prints into this folder, and gives their names.
fn units(args: &[&str], folder: &Path) -> Vec<String> {
    let output = command(&[&["systemd-unit"], args].concat())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut names = Vec::new();
    for file in printed.split("# /etc/systemd/system/").skip(1) {
        let (name, content) = file.split_once('\n').unwrap();
        std::fs::write(folder.join(name), content).unwrap();
        names.push(name.to_owned());
    }
    names
}

/// Writes the units for these flags and settings, and has systemd read and judge them: at most
/// `threshold` tenths. `false` where that cannot be tried.
#[track_caller]
fn are_in_order(args: &[&str], ini: &str, wanted: &[&str], threshold: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.ini"), ini).unwrap();
    std::fs::create_dir(folder.path().join("my logs")).unwrap();
    let names = units(args, folder.path());
    assert_eq!(names, wanted, "{args:?}");
    let files: Vec<_> = names.iter().map(|name| format!("./{name}")).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let verify = [&["verify", "--man=no"], &files[..]].concat();
    let Some(output) = systemd("systemd-analyze", &verify, folder.path()) else {
        return false;
    };
    let said = text(&output);
    assert!(output.status.success(), "{args:?}: {said}");
    assert!(!said.contains("unslow."), "{args:?}: {said}");
    let threshold = format!("--threshold={threshold}");
    let security = ["security", "--offline=yes", &threshold, files[0]];
    let output = systemd("systemd-analyze", &security, folder.path()).unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    true
}

#[test]
fn systemd_finds_the_units_in_order_and_well_confined() {
    let both = ["unslow.service", "unslow.socket"];
    let low = [
        "--bind",
        "0.0.0.0:80",
        "--bind",
        "unix:/run/unslow/web.sock",
    ];
    let logs = ["--access-log", "my logs/a.log", "--user", "www-data"];
    let tls = "[tls]\ncert=c.pem\nkey=k.pem\nredirect_bind=:80\n[stats]\nbind=:81\n";
    let all = are_in_order(&[], "", &both, "15")
        && are_in_order(&low, "", &both, "15")
        && are_in_order(&logs, "[log]\nerror=/var/log/unslow/e.log\n", &both, "15")
        && are_in_order(&["--bind", ":443"], tls, &both, "15");
    // With a socket of somebody else it binds the low port itself and gives its socket away.
    let own = "[server]\nbind=fd://3\nsocket_group=www-data\n[stats]\nbind=:81, unix:u.sock\n";
    assert!(!all || are_in_order(&[], own, &both[..1], "20"));
}

#[test]
fn a_socket_that_is_passed_on_is_served_under_its_number_and_under_its_address() {
    for bind in [&["--bind", "fd://3"][..], &[]] {
        let home = Home::new();
        let socket = home.path().join("web.sock");
        let binary = env!("CARGO_BIN_EXE_unslow");
        let pid = home.pidfile.to_str().unwrap();
        let args = [&["--demo-delay", "0s", "--pid", pid], bind].concat();
        let activate = Command::new("systemd-socket-activate")
            .arg(format!("--listen={}", socket.display()))
            .arg(binary)
            .args(args)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match activate {
            Ok(child) => Ended(child),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("not tested: systemd-socket-activate is not installed");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        // It is there a moment before it listens; then the request waits for the program.
        until("it is served", || answers(socket.to_str().unwrap()));
        assert_eq!(home.holder(), Some(child.0.id()));
        let output = home.run(&["upgrade"]);
        ended(&output, 0, &["serves"]);
        assert!(answers(socket.to_str().unwrap()));
        until("the old one has ended", || {
            child.0.try_wait().unwrap().is_some()
        });
        ended(&home.run(&["stop"]), 0, &["stopped"]);
        assert!(socket.exists(), "it belongs to systemd");
    }
}

/// A process that ends with the test, however that ends.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// systemd's end of the notifications: it sees who sends what.
pub(crate) struct Systemd {
    socket: UnixDatagram,
    pub(crate) path: PathBuf,
}

impl Systemd {
    pub(crate) fn new(folder: &Path) -> Systemd {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        setsockopt(&socket, sockopt::PassCred, &true).unwrap();
        Systemd { socket, path }
    }

    /// The next message and its sender, with watchdog messages left out.
    pub(crate) fn next(&self) -> (u32, String) {
        loop {
            let (pid, text) = self.any();
            if text != "WATCHDOG=1\n" {
                return (pid, text);
            }
        }
    }

    /// The next message and its sender.
    pub(crate) fn any(&self) -> (u32, String) {
        let mut buffer = [0; 4096];
        let mut space = nix::cmsg_space!(nix::libc::ucred);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let number = self.socket.as_raw_fd();
        let flags = MsgFlags::empty();
        let message =
            recvmsg::<()>(number, &mut parts, Some(&mut space), flags).expect("a message comes");
        let sender = message.cmsgs().unwrap().find_map(|part| match part {
            ControlMessageOwned::ScmCredentials(who) => Some(who.pid().cast_unsigned()),
            _ => None,
        });
        let length = message.bytes;
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        (sender.expect("the sender is known"), text)
    }
}

#[test]
fn systemd_is_told_what_happens_in_order_and_by_whom() {
    let home = Home::new();
    let systemd = Systemd::new(home.path());
    let child = home
        .command(&["run", "--bind", "127.0.0.1:0", "--keep-alive", "1s"])
        .env("NOTIFY_SOCKET", &systemd.path)
        // Seldom enough that nothing is lost while nobody reads: systemd's queue takes ten.
        .env("WATCHDOG_USEC", "4000000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Ended(child);
    let old = child.0.id();
    let is = |(pid, text): (u32, String), from: u32, begins: &str| {
        assert_eq!(pid, from, "{text}");
        assert!(text.starts_with(begins), "{text:?} is not {begins:?}");
        text
    };
    let ready = is(systemd.next(), old, "READY=1\nSTATUS=");
    assert!(ready.contains("generation 1"), "{ready}");
    // While all is well it is fed.
    assert_eq!(systemd.any(), (old, "WATCHDOG=1\n".to_owned()));
    ended(&home.run(&["reload"]), 0, &["generation 2"]);
    is(systemd.next(), old, "RELOADING=1\nMONOTONIC_USEC=");
    let ready = is(systemd.next(), old, "READY=1\nSTATUS=");
    assert!(ready.contains("generation 2"), "{ready}");
    // One that is refused ends with READY too: systemd would wait for it else.
    std::fs::write(home.path().join("app.ini"), "[cache]\nttl=ten\n").unwrap();
    ended(&home.run(&["reload"]), 1, &["[cache] ttl"]);
    is(systemd.next(), old, "RELOADING=1\n");
    is(systemd.next(), old, "READY=1\n");
    std::fs::remove_file(home.path().join("app.ini")).unwrap();
    ended(&home.run(&["upgrade"]), 0, &["serves"]);
    let (from, text) = systemd.next();
    let new = text.strip_prefix("MAINPID=").expect(&text);
    let new: u32 = new.trim_end().parse().unwrap();
    assert!(from == old && new != old, "{text} from {from}");
    is(systemd.next(), new, "READY=1\n");
    assert_eq!(home.holder(), Some(new));
    until("the old one has ended", || {
        child.0.try_wait().unwrap().is_some()
    });
    assert!(child.0.wait().unwrap().success());
    // The last word of the old one is never that the service stops.
    ended(&home.run(&["stop"]), 0, &["stopped"]);
    is(systemd.next(), new, "STOPPING=1\n");
}

#[test]
fn d_is_refused_where_systemd_waits_for_the_process() {
    let home = Home::new();
    let systemd = Systemd::new(home.path());
    let output = home
        .command(&["start", "--bind", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &systemd.path)
        .output()
        .unwrap();
    ended(&output, 1, &["NOTIFY_SOCKET", "unslow run"]);
    assert_eq!(home.holder(), None);
}
