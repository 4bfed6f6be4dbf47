//! Both ends of the line, and whom the socket's file belongs to.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::daemon::process::ProcessOwner;

/// How long a test waits for something that must come.
const LOST: Duration = Duration::from_secs(30);

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unslow.pid.ctl");
    (dir, path)
}

fn status() -> DaemonStatus {
    DaemonStatus {
        pid: 7,
        version: "1".to_owned(),
        state: DaemonPhase::Serving,
        generation: 3,
        workers: 2,
        uptime_seconds: 60,
        listeners: vec!["http://127.0.0.1:8000".to_owned()],
        last_reload: None,
    }
}

/// A daemon that answers with what it was asked, until it is aborted.
fn echo(path: &Path) -> (JoinHandle<()>, SocketMover) {
    let control = ControlSocket::bind_at(path).unwrap();
    let mover = control.socket_mover();
    let (sender, mut receiver) = mpsc::channel::<(DaemonRequest, oneshot::Sender<DaemonAnswer>)>(1);
    let serving = tokio::spawn(async move {
        let answering = async {
            while let Some((request, answer)) = receiver.recv().await {
                let said = DaemonAnswer::new_done(format!("{request:?}")).with_status(status());
                let _ = answer.send(said);
            }
        };
        tokio::select! {
            served = control.serve_commands(sender) => served.unwrap(),
            () = answering => {}
        }
    });
    (serving, mover)
}

/// Asks from a thread of its own, as another process would.
async fn asked(path: &Path, request: DaemonRequest) -> Result<DaemonAnswer, AskError> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        ask_daemon(&path, &request, LOST, ProcessOwner::of_this_process())
    })
    .await
    .unwrap()
}

/// Sends these bytes and reads to the end.
async fn raw(path: &Path, bytes: &'static [u8]) -> String {
    let path = path.to_owned();
    let talk = move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    tokio::task::spawn_blocking(talk).await.unwrap()
}

#[tokio::test]
async fn each_command_arrives_and_its_answer_comes_back() {
    let (_dir, path) = place();
    let (_serving, _mover) = echo(&path);
    for request in [
        DaemonRequest::Status,
        DaemonRequest::Reload,
        DaemonRequest::Upgrade { hold: true },
        DaemonRequest::Reopen,
        DaemonRequest::Scale { by: -2 },
        DaemonRequest::Stop { now: false },
    ] {
        let answer = asked(&path, request).await.unwrap();
        assert_eq!(
            answer,
            DaemonAnswer::new_done(format!("{request:?}")).with_status(status())
        );
    }
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_is_no_command_is_refused_and_the_next_one_served() {
    let (_dir, path) = place();
    let (_serving, _mover) = echo(&path);
    for bytes in [
        &b""[..],
        b"\n",
        b"reload\n",
        b"{\"command\":\"reboot\"}\n",
        b"{\"command\":\"scale\"}\n",
        b"{\"command\":\"stop\",\"now\":true,\"x\":1}\n",
        b"\xff\xfe\n",
    ] {
        let answer: DaemonAnswer = serde_json::from_str(&raw(&path, bytes).await).unwrap();
        assert!(
            !answer.ok && answer.message.contains("no command"),
            "{answer:?}"
        );
    }
    assert!(asked(&path, DaemonRequest::Status).await.unwrap().ok);
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_waiting() {
    let (_dir, path) = place();
    let (_serving, _mover) = echo(&path);
    let silent: Vec<_> = (0..5)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    assert!(asked(&path, DaemonRequest::Status).await.unwrap().ok);
    drop(silent);
}

#[tokio::test]
async fn a_daemon_that_ends_says_so_and_takes_its_socket_along() {
    let (_dir, path) = place();
    let control = ControlSocket::bind_at(&path).unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    let serving = tokio::spawn(control.serve_commands(sender));
    let asking = asked(&path, DaemonRequest::Reload);
    let dropping = async {
        drop(receiver.recv().await.unwrap());
        receiver.close();
    };
    let (answer, ()) = tokio::join!(asking, dropping);
    let answer = answer.unwrap();
    assert!(!answer.ok && answer.message.contains("ends"), "{answer:?}");
    serving.await.unwrap().unwrap();
    assert!(!path.exists());
    let error = asked(&path, DaemonRequest::Status).await.unwrap_err();
    assert!(matches!(error, AskError::NotRunning), "{error}");
}

#[test]
fn an_answer_that_is_due_is_written_before_the_end() {
    let (_dir, path) = place();
    let control = ControlSocket::bind_at(&path).unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let serving = runtime.spawn(control.serve_commands(sender));
    // It is connected, asks nothing, and is not waited for.
    let _silent = UnixStream::connect(&path).unwrap();
    let mut asking = UnixStream::connect(&path).unwrap();
    asking.write_all(b"{\"command\":\"reload\"}\n").unwrap();
    let (_, reply) = receiver.blocking_recv().unwrap();
    // More than the system keeps for a reader: it is written while somebody reads.
    let message = "x".repeat(4 << 20);
    reply.send(DaemonAnswer::new_done(message.clone())).unwrap();
    drop(receiver);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        asking.read_to_string(&mut text).unwrap();
        text
    });
    runtime.block_on(serving).unwrap().unwrap();
    // As when the process ends: whatever still runs is cut off.
    runtime.shutdown_background();
    let answer: DaemonAnswer = serde_json::from_str(&reading.join().unwrap()).unwrap();
    assert_eq!(answer, DaemonAnswer::new_done(message));
    assert!(!path.exists());
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_not_waited_for() {
    let (_dir, path) = place();
    let _deaf = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let short = Duration::from_millis(1);
    let error = ask_daemon(
        &path,
        &DaemonRequest::Status,
        short,
        ProcessOwner::of_this_process(),
    )
    .unwrap_err();
    assert!(matches!(error, AskError::Late(_)), "{error}");
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_nothing_else_is() {
    let (_dir, path) = place();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = ControlSocket::bind_at(&path).unwrap();
    let error = ControlSocket::bind_at(&path).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    drop(first);
    std::fs::write(&path, "somebody's").unwrap();
    let error = ControlSocket::bind_at(&path).unwrap_err();
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's");
}

#[tokio::test]
async fn a_successor_takes_the_place_and_the_old_one_leaves_it_alone() {
    let (_dir, path) = place();
    let (old, _) = echo(&path);
    let second = path.with_extension("2.ctl");
    let (new, mover) = echo(&second);
    mover.rename(&path).unwrap();
    old.abort();
    assert!(old.await.unwrap_err().is_cancelled());
    assert!(asked(&path, DaemonRequest::Status).await.unwrap().ok);
    assert!(!second.exists());
    new.abort();
    assert!(new.await.unwrap_err().is_cancelled());
    assert!(!path.exists());
}

#[test]
fn the_lines_are_those_that_scripts_may_write_and_read() {
    let line = serde_json::to_string(&DaemonRequest::Scale { by: -1 }).unwrap();
    assert_eq!(line, r#"{"command":"scale","by":-1}"#);
    assert_eq!(
        serde_json::to_string(&DaemonRequest::Reload).unwrap(),
        r#"{"command":"reload"}"#
    );
    let answer = serde_json::to_value(DaemonAnswer::new_done("x").with_status(status())).unwrap();
    assert_eq!(answer["status"]["state"], "serving");
    assert_eq!(answer["status"]["last_reload"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_process_of_another_program_is_sent_nothing() {
    let (_dir, path) = place();
    let deaf = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let me = ProcessOwner::of_this_process();
    assert_eq!(listening_process(&path).unwrap(), Some(std::process::id()));
    let other = ProcessOwner {
        user: me.user + 1,
        ..me
    };
    // Root's own process is root's to ask; everybody else's is nobody else's.
    if me.user != 0 {
        let error = ask_daemon(&path, &DaemonRequest::Status, LOST, other).unwrap_err();
        assert!(matches!(error, AskError::Stranger(_)), "{error}");
    }
    drop(deaf);
}

#[test]
fn only_the_socket_s_own_file_is_given_away() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: giving files away takes root");
        return;
    }
    let (dir, path) = place();
    let victim = dir.path().join("shadow");
    std::fs::write(&victim, "x").unwrap();
    let owner = |path: &Path| {
        let meta = path.symlink_metadata().unwrap();
        (meta.uid(), meta.gid())
    };
    let control = ControlSocket::bind_at(&path).unwrap();
    control.give_to(54_321, 54_322).unwrap();
    assert_eq!(owner(&path), (54_321, 54_322));
    // A link to root's file in the place of the socket.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    assert!(control.give_to(54_321, 54_322).is_err());
    assert_eq!(owner(&victim), (0, 0));
    let mode = victim.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}
