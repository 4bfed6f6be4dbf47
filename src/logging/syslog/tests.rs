//! Tests of syslog, on sockets of the test's own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::*;

/// How long a message may take before it counts as lost.
const LONG: Duration = Duration::from_secs(30);

fn counter() -> &'static AtomicU64 {
    Box::leak(Box::new(AtomicU64::new(0)))
}

fn unix(path: &Path, lost: &'static AtomicU64, waiting: usize) -> Syslog {
    let target = SyslogTarget::Unix(path.to_owned());
    Syslog::with_room(&target, SyslogFacility::DAEMON, lost, waiting).unwrap()
}

fn listen(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

fn received(socket: &UnixDatagram) -> String {
    let mut buffer = vec![0; 2 * LONGEST];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn a_message_has_the_form_of_rfc_5424() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let target = SyslogTarget::Udp("127.0.0.1".to_owned(), port);
    let syslog = Syslog::start(&target, SyslogFacility(16), counter()).unwrap();
    syslog.send(
        Severity::from_level(Level::ERROR),
        "-",
        "unslow::app: it fell ünder",
    );
    syslog.send(Severity::INFO, "access", "a line");
    let mut buffer = [0; 1000];
    let mut receive = || {
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let first = receive();
    let words: Vec<_> = first.splitn(8, ' ').collect();
    let host = host_name();
    let process = std::process::id().to_string();
    assert_eq!(words[0], "<131>1", "{first}");
    assert!(words[1].len() == 24 && words[1].ends_with('Z'), "{first}");
    assert_eq!(words[2..5], [host.as_str(), "unslow", process.as_str()]);
    assert_eq!(words[5..], ["-", "-", "unslow::app: it fell ünder"]);
    let second = receive();
    assert!(second.starts_with("<134>1 "), "{second}");
    assert!(second.ends_with(" access - a line"), "{second}");
}

#[test]
fn severities_follow_the_level() {
    let severities =
        [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(Severity::from_level);
    assert_eq!(severities, [3, 4, 6, 7].map(Severity));
}

#[test]
fn nothing_in_a_record_can_look_like_a_second_one_and_long_ones_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let socket = listen(&path);
    let syslog = unix(&path, counter(), 10);
    syslog.send(
        Severity::INFO,
        "-",
        "a\n<0>1 forged\0\r\u{1b}\u{85}\u{2028}",
    );
    let message = received(&socket);
    assert!(
        !message.contains(super::super::line::breaks_lines),
        "{message:?}"
    );
    assert!(message.contains(r"a\n<0>1 forged"), "{message}");
    syslog.send(Severity::INFO, "-", &"ü".repeat(LONGEST));
    let message = received(&socket);
    assert!(message.len() <= LONGEST && message.ends_with("ü…"));
}

#[test]
fn a_socket_that_was_replaced_gets_the_records_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let lost = counter();
    let old = listen(&path);
    let syslog = unix(&path, lost, 100);
    syslog.send(Severity::INFO, "-", "one");
    assert!(received(&old).ends_with(" one"));
    drop(old);
    std::fs::remove_file(&path).unwrap();
    // Nobody is there: what is sent now waits.
    for word in ["two", "three"] {
        syslog.send(Severity::INFO, "-", word);
    }
    let new = listen(&path);
    for word in ["two", "three"] {
        assert!(received(&new).ends_with(word));
    }
    // A socket of the same name beside the old one, which is still open.
    std::fs::remove_file(&path).unwrap();
    let newest = listen(&path);
    drop(new);
    syslog.send(Severity::INFO, "-", "four");
    assert!(received(&newest).ends_with(" four"));
    assert_eq!(lost.load(Ordering::Relaxed), 0);
}

#[test]
fn records_that_find_no_room_are_dropped_and_counted_and_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let lost = counter();
    let syslog = unix(&dir.path().join("nobody"), lost, 4);
    (0..100).for_each(|_| syslog.send(Severity::INFO, "-", "x"));
    // One of them may be in the thread's hands, four are in the queue.
    assert!(lost.load(Ordering::Relaxed) >= 95);
    // At the end the others are given up, each after one try.
    syslog.end_sending(LONG);
    assert_eq!(lost.load(Ordering::Relaxed), 100);
}

#[test]
fn what_waits_is_sent_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let socket = listen(&path);
    let lost = counter();
    let syslog = unix(&path, lost, 1000);
    let reader = std::thread::spawn(move || {
        (0..500).for_each(|_| assert!(received(&socket).ends_with(" x")));
    });
    (0..500).for_each(|_| syslog.send(Severity::INFO, "-", "x"));
    syslog.end_sending(LONG);
    reader.join().unwrap();
    assert_eq!(lost.load(Ordering::Relaxed), 0);
}

#[test]
fn a_refused_datagram_is_counted_when_that_comes_out() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    // It keeps the port, and takes datagrams from one sender alone.
    socket.connect("127.0.0.1:9").unwrap();
    let lost = counter();
    let target = SyslogTarget::Udp("127.0.0.1".to_owned(), port);
    let syslog = Syslog::start(&target, SyslogFacility::DAEMON, lost).unwrap();
    let begun = Instant::now();
    while lost.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < LONG, "nothing was counted");
        syslog.send(Severity::INFO, "-", "x");
        std::thread::yield_now();
    }
}
