//! Certificates of the servers whose time runs out while the program serves: new connections are
//! refused, so what is kept goes on, the cause is named, and a new certificate heals it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::end_to_end::start;
use crate::faults::{ECHO, echo};
use crate::faults_redis::{ask, until_it_is_used};
use crate::servers::process::program;
use crate::servers::redis::Options;
use crate::servers::{Postgres, Redis, home, wait_until as until};

#[test]
fn an_expired_certificate_of_the_database_is_named_and_copies_are_served_until_it_is_renewed() {
    let server = Postgres::start_tls();
    let ini = format!(
        "[postgres]\ndatabase=postgres\nhost=localhost\nport={}\nuser=master\npassword=secret\n\
         sslmode=verify-full\nsslrootcert={}\n[cache]\nttl=1h\n",
        server.port(),
        server.ca().display(),
    );
    let unslow = start(&ini, &[ECHO]);
    assert_eq!(echo(&unslow, 1).status, 200);
    let files = server.certificates();
    let valid = std::fs::read_to_string(&files.certificate).unwrap();
    let present = |pem: &str| {
        home::write(&files.certificate, pem);
        server.psql("postgres", "select pg_reload_conf()");
    };
    present(&std::fs::read_to_string(&files.expired).unwrap());
    let mut n = 100;
    until("new connections are refused", || {
        server.end_sessions("postgres");
        n += 1;
        assert_eq!(echo(&unslow, 1).status, 200, "there is a copy");
        echo(&unslow, n).status == 503
    });
    let log = unslow.log();
    assert!(
        log.contains("certificate") && log.contains("xpired"),
        "{log}"
    );
    assert_eq!(unslow.get("/readyz").json()["database"], "down");
    present(&valid);
    until("the new certificate is taken", || {
        n += 1;
        echo(&unslow, n).status == 200
    });
}

/// Presents this certificate from now on, and ends the connections there are.
fn present(redis: &Redis, certificate: &Path) {
    let mut client = Command::new(program("redis-cli", &[], "redis-tools"));
    client
        .args(["--tls", "--insecure", "-p", &redis.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let commands = format!(
        "CONFIG SET tls-cert-file {}\nCLIENT KILL TYPE normal\n",
        certificate.display()
    );
    let mut input = client.stdin.take().unwrap();
    input.write_all(commands.as_bytes()).unwrap();
    drop(input);
    let done = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("OK") && !said.contains("ERR"), "{done:?}");
}

#[test]
fn an_expired_certificate_of_redis_costs_the_shared_tier_alone_until_it_is_renewed() {
    let redis = Redis::with(&Options {
        tls: true,
        ..Options::default()
    });
    let ca = redis.ca();
    let query = (
        "queries/echo.sql",
        "-- param: n integer\n-- ttl: 1h\nselect :n as n, hex(zeroblob(300)) as filler",
    );
    let ini = format!(
        "[redis]\nurl={}\nca_file={}\n[cache]\nmemory=0\n",
        redis.url(),
        ca.display()
    );
    let unslow = start(&ini, &[query]);
    until_it_is_used(&unslow, 1);
    let files = redis.certificates();
    present(&redis, &files.expired);
    until("it is away", || {
        ask(&unslow, 2);
        unslow.get("/stats.json").json()["redis"]["up"] == false
    });
    present(&redis, &files.certificate);
    until_it_is_used(&unslow, 3);
    assert_eq!(unslow.numbers("echo")["error"], 0);
}
