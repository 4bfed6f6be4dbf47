//! A TCP relay between a client and a server of the tests: it leads to another server, delays,
//! slices, withholds or cuts what passes. It knows nothing of the protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// The treatment of the bytes that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Everything passes at once.
    Pass,
    /// Everything passes later by this much, in each direction, and no slower.
    Delay(Duration),
    /// Replies pass a byte at a time.
    Drip,
    /// The next reply passes by half, and its connection ends.
    CutReply,
    /// Something else passes in place of replies.
    Noise,
    /// Nothing passes until the manner changes; new connections are taken.
    Hold,
    /// New connections are reset.
    Refuse,
}

/// A relay on a free loopback port. Dropping it ends its connections.
pub(crate) struct Relay {
    port: u16,
    state: Arc<RelayState>,
}

struct RelayState {
    target: AtomicU16,
    manner: Mutex<Manner>,
    changed: Condvar,
    streams: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Starts a relay to this port of 127.0.0.1.
    pub(crate) fn to(target: u16) -> Relay {
        Relay::at("127.0.0.1:0", target)
    }

    /// The same, listening at this address.
    pub(crate) fn at(address: &str, target: u16) -> Relay {
        let listener = TcpListener::bind(address).unwrap();
        let relay = Relay {
            port: listener.local_addr().unwrap().port(),
            state: Arc::new(RelayState {
                target: AtomicU16::new(target),
                manner: Mutex::new(Manner::Pass),
                changed: Condvar::new(),
                streams: Mutex::default(),
            }),
        };
        let state = Arc::clone(&relay.state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                state.take(client);
            }
        });
        relay
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Leads new connections to another port; those there are stay where they lead.
    pub(crate) fn lead_to(&self, target: u16) {
        self.state.target.store(target, Ordering::SeqCst);
    }

    /// Treats what passes from now on in this manner.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner() = manner;
        self.state.changed.notify_all();
    }

    /// Resets every connection there is.
    pub(crate) fn reset(&self) {
        self.state.reset();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.behave(Manner::Refuse);
        self.reset();
    }
}

impl RelayState {
    fn manner(&self) -> MutexGuard<'_, Manner> {
        self.manner.lock().unwrap()
    }

    fn take(self: &Arc<Self>, client: TcpStream) {
        let target = self.target.load(Ordering::SeqCst);
        if *self.manner() == Manner::Refuse {
            reset_on_close(&client);
            return;
        }
        // A server that is away looks to the client as if it had closed at once.
        let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
            reset_on_close(&client);
            return;
        };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        let copies = [client.try_clone().unwrap(), server.try_clone().unwrap()];
        self.streams.lock().unwrap().extend(copies);
        self.pump(
            client.try_clone().unwrap(),
            server.try_clone().unwrap(),
            false,
        );
        self.pump(server, client, true);
    }

    /// Carries one direction, by a thread that reads and one that writes, so that a delay does not
    /// become a bound on the rate.
    fn pump(self: &Arc<Self>, mut from: TcpStream, to: TcpStream, replies: bool) {
        let (send, receive) = channel();
        let state = Arc::clone(self);
        thread::spawn(move || state.write(to, &receive, replies));
        thread::spawn(move || {
            let mut buffer = [0; CHUNK];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if send
                    .send((Instant::now(), buffer[..count].to_vec()))
                    .is_err()
                {
                    break;
                }
            }
        });
    }

    fn write(&self, mut to: TcpStream, receive: &Receiver<(Instant, Vec<u8>)>, replies: bool) {
        for (read_at, bytes) in receive {
            let mut manner = self.manner();
            while *manner == Manner::Hold {
                manner = self.changed.wait(manner).unwrap();
            }
            let now = *manner;
            drop(manner);
            if let Manner::Delay(delay) = now {
                thread::sleep((read_at + delay).saturating_duration_since(Instant::now()));
            }
            let slice = if replies && now == Manner::Drip {
                1
            } else {
                CHUNK
            };
            if bytes
                .chunks(slice)
                .any(|slice| to.write_all(slice).is_err())
            {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn reset(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            reset_on_close(&stream);
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Has the kernel answer with RST when the last copy of the socket is closed.
fn reset_on_close(stream: &TcpStream) {
    let at_once = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let _ = setsockopt(stream, sockopt::Linger, &at_once);
}

#[test]
fn a_relay_passes_holds_cuts_and_leads_elsewhere() {
    fn ask(relay: &Relay) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", relay.port()))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(b"PING\r\nQUIT\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
    let (first, second) = (super::Redis::start(), super::Redis::start());
    let relay = Relay::to(first.port());
    for manner in [
        Manner::Pass,
        Manner::Drip,
        Manner::Delay(Duration::from_millis(5)),
    ] {
        relay.behave(manner);
        assert_eq!(ask(&relay).unwrap(), b"+PONG\r\n+OK\r\n", "{manner:?}");
    }
    relay.behave(Manner::Refuse);
    assert!(ask(&relay).map_or(true, |answer| answer.is_empty()));
    relay.behave(Manner::Pass);
    let before = second.stat("total_connections_received");
    relay.lead_to(second.port());
    assert_eq!(ask(&relay).unwrap(), b"+PONG\r\n+OK\r\n");
    assert!(second.stat("total_connections_received") >= before + 2);
    relay.behave(Manner::Hold);
    thread::scope(|scope| {
        let held = scope.spawn(|| ask(&relay));
        super::wait_until("it is taken", || {
            !relay.state.streams.lock().unwrap().is_empty()
        });
        assert!(!held.is_finished());
        relay.behave(Manner::Pass);
        assert_eq!(held.join().unwrap().unwrap(), b"+PONG\r\n+OK\r\n");
    });
}
