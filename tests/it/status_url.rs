//! `unslow status --url`, as the health check of a container uses it: what it asks, what it says,
//! and the exit codes, of which such a check knows 0 and 1.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

use crate::unslow::{Unslow, command, run};

fn status(url: &str) -> Output {
    run(&["status", "--url", url])
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

/// A server that answers one request with these bytes; gives its address, and what it was asked.
fn answering(answer: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, asked)
}

#[test]
fn a_server_that_answers_is_well() {
    let unslow = Unslow::demo();
    let healthy = status(&unslow.url);
    assert_eq!(healthy.status.code(), Some(0), "{healthy:?}");
    assert_eq!(
        said(&healthy),
        format!("/healthz of {} answers 200\n", unslow.url)
    );
    let ready = format!("{}/readyz", unslow.url);
    let well = status(&ready);
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert_eq!(said(&well), format!("{ready} answers 200\n"));
    let nothing = status(&format!("{}/no-such-page", unslow.url));
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(said(&nothing).contains("/no-such-page answers 404"));
}

#[test]
fn one_on_a_unix_socket_is_asked_there() {
    let unslow = Unslow::start_with(&["--bind", "unix:u.sock"], &[], &[]);
    let path = format!("unix:{}", unslow.folder().join("u.sock").display());
    let healthy = status(&path);
    assert_eq!(healthy.status.code(), Some(0), "{healthy:?}");
    assert_eq!(said(&healthy), format!("/healthz of {path} answers 200\n"));
}

#[test]
fn only_2xx_is_well() {
    for (answer, code) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 0),
        (
            "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            1,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            1,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", 1),
        ("SSH-2.0-other\r\n", 1),
        ("", 1),
    ] {
        let (url, asked) = answering(answer);
        let output = status(&url);
        assert_eq!(output.status.code(), Some(code), "{answer}: {output:?}");
        let host = url.strip_prefix("http://").unwrap();
        assert!(said(&output).contains(host), "{output:?}");
        assert!(
            asked
                .join()
                .unwrap()
                .starts_with("GET /healthz HTTP/1.1\r\n")
        );
    }
    // Nobody listens where somebody just did.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = status(&format!("http://{free}"));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said(&refused).contains("does not answer"), "{refused:?}");
}

#[test]
fn one_that_never_answers_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = status(&format!("http://{}", listener.local_addr().unwrap()));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said(&output).contains("has not answered within 5s"),
        "{output:?}"
    );
}

#[test]
fn settings_that_are_wrong_make_no_running_server_unwell_and_give_no_token_away() {
    let (url, asked) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "s3cret").unwrap();
    let ini = "[admin]\ntoken_file = token\n[server]\nno_such_key = 1\n";
    std::fs::write(folder.path().join("app.ini"), ini).unwrap();
    let output = command(&["status", "--url", &url])
        .current_dir(folder.path())
        .env("UNSLOW_NO_SUCH_KEY", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!asked.join().unwrap().contains("s3cret"));
}

#[test]
fn what_is_no_address_is_a_usage_error() {
    for url in [
        "",
        "127.0.0.1:8000",
        "https://127.0.0.1",
        "http://u:s3cret@host",
    ] {
        let output = status(url);
        assert_eq!(output.status.code(), Some(2), "{url}: {output:?}");
        let said = said(&output);
        assert!(
            said.contains("write http://HOST:PORT or unix:PATH"),
            "{said}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
    let both = run(&["status", "--json", "--url", "http://127.0.0.1:1"]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
}
