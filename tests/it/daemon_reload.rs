//! The effects of a reload on a process that serves, and the things that go on through it. The
//! reasons for which it changes nothing are in `daemon_refusals`.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sqlx::{Connection, PgConnection};

use crate::daemon_home::answers;
use crate::daemon_support::{Client, Daemon, free_address};
use crate::servers::certificates::Certificates;
use crate::servers::{self, Redis, wait_until};
use crate::unslow::{Answer, LOST, parse};

/// Settings whose first line binds these addresses too.
fn write(daemon: &Daemon, more_binds: &str, ini: &str) {
    let address = daemon.address;
    let text = format!("[server]\nbind = {address}{more_binds}\nworkers = 2\n{ini}");
    fs::write(daemon.path("app.ini"), text).unwrap();
}

fn write_query(daemon: &Daemon, name: &str, text: &str) {
    fs::create_dir_all(daemon.path("queries")).unwrap();
    fs::write(daemon.path(&format!("queries/{name}.sql")), text).unwrap();
}

/// One request on a connection of its own, with all of its answer.
fn fetch(address: SocketAddr, path: &str) -> Answer {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LOST)).unwrap();
    ask(stream, path)
}

fn ask(mut stream: impl Read + Write, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    parse(&received)
}

#[test]
fn addresses_come_and_go_and_a_removed_one_refuses_at_once() {
    // A connection that is kept holds its generation up for longer than the test waits.
    let ini = "keep_alive = 10m\n[demo]\ndelay = 0s\n";
    let daemon = Daemon::start(ini);
    let (added, socket) = (free_address().to_string(), daemon.path("web.sock"));
    let socket = socket.to_str().unwrap();
    let more = format!(", {added}, unix:{socket}");
    write(&daemon, &more, ini);
    daemon.reload();
    assert!(answers(&added) && answers(socket) && answers(&daemon.address.to_string()));
    let listeners = daemon.status()["listeners"].to_string();
    assert!(
        listeners.contains(&added) && listeners.contains(socket),
        "{listeners}"
    );
    let mut kept = Client::new(added.parse().unwrap(), "/healthz");
    assert_eq!(kept.ask(false).unwrap().0, 200);
    write(&daemon, "", ini);
    daemon.reload();
    assert!(!Path::new(socket).exists());
    wait_until("the address refuses", || {
        TcpStream::connect(&added).is_err()
    });
    assert!(answers(&daemon.address.to_string()));
    assert_eq!(daemon.log().matches("retired generation=2").count(), 0);
    // Both can be had again while those who served them before are still ending.
    write(&daemon, &more, ini);
    daemon.reload();
    assert!(answers(&added) && answers(socket));
    assert_eq!(
        kept.ask(false).unwrap().0,
        200,
        "its generation still serves it"
    );
}

#[test]
fn workers_queries_and_times_are_new_and_counters_and_copies_are_not() {
    let daemon = Daemon::prepare("[demo]\ndelay = 0s\n[cache]\nttl = 1h\n");
    write_query(&daemon, "goes", "select 1 as n");
    write_query(&daemon, "changes", "select 1 as n");
    write_query(&daemon, "stays", "select hex(randomblob(16)) as value");
    daemon.begin();
    let (_, stayed) = daemon.get("/q/stays.json");
    for path in ["/q/goes.json", "/q/changes.json"] {
        assert!(daemon.get(path).1.contains("\"n\":1"));
    }
    assert_eq!(daemon.get("/q/comes.json").0, 404);
    fs::remove_file(daemon.path("queries/goes.sql")).unwrap();
    write_query(&daemon, "changes", "select 2 as n");
    write_query(&daemon, "comes", "select 3 as n");
    let ini = "[demo]\ndelay = 0s\n[cache]\nttl = 2m\nmemory = 1MiB\n[database]\npool_size = 3\n";
    daemon.configure(&format!("umask = 077\n{ini}").replace("workers = 2", "workers = 3"));
    let text = fs::read_to_string(daemon.path("app.ini")).unwrap();
    fs::write(
        daemon.path("app.ini"),
        text.replace("workers = 2", "workers = 3"),
    )
    .unwrap();
    let said = daemon.reload();
    assert!(said.contains("generation 2"), "{said}");
    assert!(
        said.contains("[cache] memory") && said.contains("[server] umask"),
        "{said}"
    );
    assert_eq!(daemon.status()["workers"], 3);
    assert_eq!(daemon.get("/q/goes.json").0, 404);
    assert!(daemon.get("/q/changes.json").1.contains("\"n\":2"));
    assert!(daemon.get("/q/comes.json").1.contains("\"n\":3"));
    // The copy is the one of before, and its time is the one of now.
    let answer = fetch(daemon.address, "/q/stays.json");
    assert_eq!(answer.text(), stayed);
    let control = answer.header("cache-control");
    let age: u32 = control
        .split("max-age=")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(age <= 120, "{control}");
    let stats = daemon.stats();
    assert_eq!(stats["daemon"]["generation"], 2);
    assert_eq!(stats["daemon"]["last_reload"]["ok"], true);
    let of = |name: &str| {
        let all = stats["queries"].as_array().unwrap();
        all.iter().find(|one| one["query"] == name).unwrap().clone()
    };
    let loads =
        ["stays", "changes", "goes", "comes"].map(|name| of(name)["loads"].as_u64().unwrap());
    assert_eq!(loads, [1, 2, 1, 1]);
    assert_eq!(
        (&of("stays")["requests"], &of("goes")["removed"]),
        (&2.into(), &true.into())
    );
}

#[test]
fn logs_go_elsewhere_say_more_and_end_with_a_reload() {
    let daemon = Daemon::start("");
    let (access, elsewhere) = (daemon.path("access.log"), daemon.path("other.log"));
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let with = format!(
        "[log]\naccess = {}\nerror = {}\nlevel = debug\n",
        access.display(),
        elsewhere.display()
    );
    daemon.get("/healthz?before");
    daemon.configure(&with);
    daemon.reload();
    daemon.get("/readyz");
    wait_until("the line is there", || read(&access).contains("/readyz"));
    // At level debug alone.
    wait_until("it says more", || {
        daemon.signal(nix::sys::signal::Signal::SIGUSR1);
        read(&elsewhere).contains("a signal came")
    });
    assert!(read(&elsewhere).contains("reloaded: generation 2"));
    assert!(
        !daemon.log().contains("generation 2 serves"),
        "{}",
        daemon.log()
    );
    daemon.configure("");
    daemon.reload();
    assert!(daemon.log().contains("reloaded: generation 3"));
    daemon.get("/q");
    daemon.configure(&with);
    daemon.reload();
    daemon.get("/static/none");
    wait_until("the line is there", || {
        read(&access).contains("/static/none")
    });
    let lines: Vec<_> = read(&access).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
}

type Secure = StreamOwned<ClientConnection, TcpStream>;

/// A TLS connection that trusts whom `files` were signed by.
fn secure(address: SocketAddr, files: &Certificates) -> std::io::Result<Secure> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&files.ca).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LOST))?;
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(client, stream))
}

#[test]
fn another_certificate_is_served_to_new_connections_and_old_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let place = folder.path().join(name);
        fs::create_dir(&place).unwrap();
        Certificates::make(&place)
    };
    let (first, second) = (make("first"), make("second"));
    let daemon = Daemon::prepare("");
    let (cert, key) = (daemon.path("cert.pem"), daemon.path("key.pem"));
    let put = |pair: &Certificates| {
        fs::copy(&pair.certificate, &cert).unwrap();
        fs::copy(&pair.key, &key).unwrap();
    };
    put(&first);
    let tls = format!(
        "[tls]\ncert = {}\nkey = {}\n",
        cert.display(),
        key.display()
    );
    daemon.configure(&tls);
    daemon.begin();
    let old = secure(daemon.address, &first).unwrap();
    assert!(secure(daemon.address, &second).is_err());
    put(&second);
    daemon.reload();
    let new = secure(daemon.address, &second).unwrap();
    assert!(secure(daemon.address, &first).is_err());
    for stream in [old, new] {
        assert_eq!(ask(stream, "/healthz").status, 200);
    }
    // Without TLS at the same address.
    daemon.configure("");
    daemon.reload();
    assert_eq!(fetch(daemon.address, "/healthz").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_outlives_its_generation_and_connections_outlive_it_too() {
    const GATE: &str = "select pg_advisory_xact_lock_shared(2718)::text as gate, 1 as n";
    let (postgres, redis) = (servers::postgres(), Redis::start());
    let database = postgres.database();
    let url = format!(
        "postgres://master:secret@127.0.0.1:{}/{database}",
        postgres.port()
    );
    let ini = |ttl: &str| {
        // On a machine that is busy, Redis is not to be given up.
        let redis = format!("[redis]\nurl = {}\ntimeout = 30s\n", redis.url());
        format!("home = gated\n[postgres]\nurl = {url}\n{redis}[cache]\nttl = {ttl}\n")
    };
    let daemon = Daemon::prepare(&ini("1h"));
    write_query(&daemon, "gated", GATE);
    daemon.begin();
    let mut holder = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("select pg_advisory_lock(2718)")
        .execute(&mut holder)
        .await
        .unwrap();
    let asking = || {
        let address = daemon.address;
        std::thread::spawn(move || Client::new(address, "/q/gated.json").ask(true).unwrap())
    };
    let first = asking();
    wait_until("it is loading", || postgres.running("(2718)::text") == 1);
    let sessions = || {
        let sql =
            format!("select pid from pg_stat_activity where datname = '{database}' order by 1");
        postgres.psql("postgres", &sql)
    };
    wait_until("Redis is connected", || !redis.client_ids().is_empty());
    let before = (sessions(), redis.client_ids());
    daemon.configure(&ini("2h"));
    daemon.reload();
    daemon.wait_for_log("retiring", 1);
    let second = asking();
    let numbers = || daemon.stats()["queries"][0].clone();
    wait_until("both wait", || {
        numbers()["loads_in_flight"] == 1 && numbers()["query"] == "gated"
    });
    drop(holder);
    let answers = [first.join().unwrap(), second.join().unwrap()];
    assert_eq!(answers[0].0, 200, "{answers:?}");
    assert_eq!(answers[0], answers[1]);
    let third = fetch(daemon.address, "/q/gated.json");
    assert!(
        third.header("cache-status").contains("; hit"),
        "{:?}",
        third.headers
    );
    assert_eq!(numbers()["loads"], 1);
    wait_until("it is in Redis", || redis.entries().len() == 1);
    daemon.wait_for_log("retired", 1);
    daemon.reload();
    daemon.wait_for_log("retired", 2);
    let holder_has_gone = |all: &str| {
        before
            .0
            .lines()
            .filter(|pid| all.lines().any(|one| one == *pid))
            .count()
    };
    assert!(
        holder_has_gone(&sessions()) >= before.0.lines().count() - 1,
        "{before:?}"
    );
    let now = redis.client_ids();
    assert!(
        before.1.iter().all(|id| now.contains(id)),
        "{before:?}, then {now:?}"
    );
}
