//! Clients that ask and do not read: what waits for them stays within `[server] max_unsent`, the
//! others are served meanwhile, and all of it is given back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::crowds::resident;
use crate::servers::wait_until as until;
use crate::slow_clients::make_room;
use crate::unslow::Unslow;

/// The environment in which no memory is kept that has been given back, so that it can be measured.
const EXACT: [(&str, &str); 1] = [("MALLOC_MMAP_THRESHOLD_", "131072")];

/// 6 MB that no other client shares.
const UNSHARED: (&str, &str) = (
    "queries/unshared.sql",
    "-- cache: off\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 600) \
     select i, hex(zeroblob(5000)) as filler from n",
);
/// The same for all.
const SHARED: (&str, &str) = (
    "queries/shared.sql",
    "-- ttl: 1h\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) \
     select i, hex(zeroblob(5000)) as filler from n",
);
/// A query whose answer fits into a connection's buffer.
const MEDIUM: (&str, &str) = (
    "queries/medium.sql",
    "-- ttl: 1h\nselect hex(zeroblob(30000)) as filler",
);

fn start(max: &str) -> Unslow {
    make_room();
    let args = [
        ["--queries", "queries"],
        ["--demo-delay", "0s"],
        ["--pool-size", "1"],
        ["--max-unsent", max],
        ["--max-entry", "4MiB"],
    ];
    let files = [UNSHARED, SHARED, MEDIUM];
    Unslow::start_with(&args.concat(), &files, &EXACT)
}

/// Returns the member of `/stats.json` about answers that wait.
fn unsent(unslow: &Unslow, member: &str) -> u64 {
    let stats = unslow.get("/stats.json").json();
    stats["unsent"][member]
        .as_u64()
        .unwrap_or_else(|| panic!("no {member}: {stats}"))
}

/// A client that has asked for `path` with these headers, has read the status, and reads no more.
fn asks_and_stops(unslow: &Unslow, path: &str, headers: &str) -> (TcpStream, u16) {
    let mut stream = unslow.connect();
    socket2::SockRef::from(&stream)
        .set_recv_buffer_size(4096)
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut status = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut status).unwrap();
    let status = std::str::from_utf8(&status[9..]).unwrap();
    (stream, status.parse().unwrap())
}

#[test]
fn answers_that_nobody_reads_stay_within_their_budget_and_are_given_back() {
    const MAX: u64 = 32 << 20;
    let unslow = start("32MiB");
    let before = resident(&unslow);
    let mut clients = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let (stream, status) = asks_and_stops(&unslow, "/q/unshared.json", "");
        clients.push(stream);
        statuses.push(status);
        assert!(unsent(&unslow, "bytes") <= MAX);
    }
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!((2..=5).contains(&served), "{statuses:?}");
    assert_eq!(unsent(&unslow, "refused"), 40 - served as u64);
    assert_eq!(unsent(&unslow, "max_bytes"), MAX);
    let grown = resident(&unslow).saturating_sub(before);
    // Beside the bound: one load, and what it is made of.
    assert!(grown < MAX + (32 << 20), "{} MiB more", grown >> 20);
    // The others are served: small answers, those in a connection's buffer, and what is shared.
    for path in [
        "/q/version.json",
        "/q/medium.json",
        "/",
        "/stats",
        "/metrics",
    ] {
        assert_eq!(unslow.get(path).status, 200, "{path}");
    }
    let refused = unslow.get("/q/unshared.json");
    assert_eq!(refused.status, 503);
    assert!(!refused.header("retry-after").is_empty());
    assert!(refused.text().contains("wait to be sent"), "{refused:?}");
    let page = unslow.get("/stats").text();
    assert!(page.contains("max_unsent"), "the verdict says so: {page}");
    let metrics = unslow.get("/metrics").text();
    let counted = format!("unslow_unsent_refused_total {}", 41 - served);
    assert!(metrics.contains(&counted), "{metrics}");
    drop(clients);
    until("all is given back", || unsent(&unslow, "bytes") == 0);
    assert_eq!(unslow.get("/q/unshared.json").status, 200);
}

#[test]
fn what_clients_share_counts_once_and_goes_on_when_it_leaves_the_cache() {
    let unslow = start("32MiB");
    assert_eq!(unslow.get("/q/shared.json").status, 200);
    until("it is sent", || unsent(&unslow, "bytes") == 0);
    let clients: Vec<_> = (0..60)
        .map(|_| asks_and_stops(&unslow, "/q/shared.json", ""))
        .collect();
    assert!(clients.iter().all(|(_, status)| *status == 200));
    let held = unsent(&unslow, "bytes");
    // 3 MB, and what the connections' own buffers hold.
    assert!(
        held > 3_000_000 && held < 3_500_000 + 60 * (256 << 10),
        "{held}"
    );
    unslow.request("POST", "/q/shared/purge", &[]);
    assert!(unsent(&unslow, "bytes") >= 3_000_000);
    drop(clients);
    until("all is given back", || unsent(&unslow, "bytes") == 0);
}

#[test]
fn buffers_of_connections_count_and_errors_are_sent_though_all_is_full() {
    let unslow = start("2MiB");
    let mut clients = Vec::new();
    // Several on one connection, so that they are more than the system takes.
    let more = "GET /q/medium.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(4);
    until("there is no room for a medium answer", || {
        let (mut stream, status) = asks_and_stops(&unslow, "/q/medium.json", "");
        stream.write_all(more.as_bytes()).unwrap();
        clients.push(stream);
        status == 503
    });
    assert!(clients.len() > 5, "{}", clients.len());
    assert!(unsent(&unslow, "bytes") >= 2 << 20);
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/stats", 200),
        ("/q/version.json", 200),
        ("/q/medium.json", 503),
        ("/q/none", 404),
    ] {
        assert_eq!(unslow.get(path).status, status, "{path}");
    }
    drop(clients);
    until("all is given back", || unsent(&unslow, "bytes") == 0);
    assert_eq!(unslow.get("/q/medium.json").status, 200);
}
