//! Redis answers, and what it says cannot be used: replies in pieces, cut off or of another kind, and
//! values that somebody else has written. No wrong body comes of it. What makes Redis itself unwell is
//! in `faults_redis`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::faults_redis::{ask, on, until_it_is_used};
use crate::servers::Redis;

/// A way to Redis that treats its replies badly.
struct Proxy {
    port: u16,
    manner: Arc<AtomicU8>,
}

const FAIR: u8 = 0;
/// A byte at a time.
const DRIP: u8 = 1;
/// Half a reply, and then the end.
const CUT: u8 = 2;
/// Something else than a reply.
const NOISE: u8 = 3;

impl Proxy {
    fn to(redis: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            port: listener.local_addr().unwrap().port(),
            manner: Arc::new(AtomicU8::new(FAIR)),
        };
        let manner = Arc::clone(&proxy.manner);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", redis)) else {
                    continue;
                };
                let pairs = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let (mut client, mut server) = pairs;
                    let _ = std::io::copy(&mut client, &mut server);
                    let _ = server.shutdown(Shutdown::Both);
                });
                let manner = Arc::clone(&manner);
                std::thread::spawn(move || replies(server, client, &manner));
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn behave(&self, manner: u8) {
        self.manner.store(manner, Ordering::Relaxed);
    }
}

fn replies(mut server: TcpStream, mut client: TcpStream, manner: &AtomicU8) {
    let mut buffer = [0; 16384];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let bytes = &buffer[..count];
        let sent = match manner.load(Ordering::Relaxed) {
            DRIP => bytes
                .chunks(1)
                .try_for_each(|byte| client.write_all(byte).and_then(|()| client.flush())),
            CUT => {
                let _ = client.write_all(&bytes[..count / 2]);
                break;
            }
            NOISE => client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            _ => client.write_all(bytes),
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn replies_in_pieces_cut_off_or_of_another_kind_give_no_wrong_body() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.port());
    let unslow = on(&proxy.url());
    until_it_is_used(&unslow, 1);
    proxy.behave(DRIP);
    for _ in 0..5 {
        assert!(ask(&unslow, 1).ends_with("detail=redis"));
    }
    for manner in [CUT, NOISE] {
        proxy.behave(manner);
        for n in 1..6 {
            ask(&unslow, n);
        }
        proxy.behave(FAIR);
        until_it_is_used(&unslow, 1);
    }
    assert_eq!(unslow.numbers("echo")["error"], 0);
}

#[test]
fn values_that_are_not_ours_are_misses_and_are_overwritten() {
    let redis = Redis::start();
    let unslow = on(&redis.url());
    until_it_is_used(&unslow, 1);
    let key = redis.entries().pop().unwrap();
    let loads = || unslow.numbers("echo")["loads"].as_u64().unwrap();
    for command in [
        format!("SET {key} garbage PX 60000"),
        format!("SET {key} \"\" PX 60000"),
        format!("SETRANGE {key} 40 xxxxxxxxxxxxxxxxxxxx"),
        format!("PERSIST {key}"),
        format!("SETRANGE {key} 100000000 x"),
    ] {
        let before = loads();
        let done = redis.command(&command);
        assert!(!done.starts_with('-'), "{command}: {done}");
        assert!(ask(&unslow, 1).contains("fwd=uri-miss"), "{command}");
        assert_eq!(loads(), before + 1, "{command}");
        until_it_is_used(&unslow, 1);
    }
    redis.command(&format!("DEL {key}"));
    redis.command(&format!("LPUSH {key} x"));
    assert!(ask(&unslow, 1).contains("fwd=uri-miss"));
    until_it_is_used(&unslow, 1);
}
