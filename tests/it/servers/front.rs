//! nginx, HAProxy and Caddy before instances of a test's own, each with the configuration that
//! `unslow deploy` writes. Replaced in it are ports, paths, the domain and the instances, by the ways
//! that its comments name; and what takes root is left out. How they are asked is in `front_support`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};
use socket2::{Domain, Socket, Type};

use super::certificates::Certificates;
use super::home;
use super::process::{Process, on_free_port, program};
use crate::unslow::LOST;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Nginx, Kind::Haproxy, Kind::Caddy];

    /// Returns the name that `unslow deploy` has for it; the program and Debian's package have the
    /// same name.
    fn name(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
            Kind::Caddy => "caddy",
        }
    }

    /// The configuration that is written.
    pub(crate) fn configuration(self) -> String {
        self.written(match self {
            Kind::Nginx => "unslow.conf",
            Kind::Haproxy => "haproxy.cfg",
            Kind::Caddy => "Caddyfile",
        })
    }

    /// A file that is written.
    pub(crate) fn written(self, file: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let output = crate::unslow::command(&["deploy", self.name(), "x"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(folder.path().join("x").join(file)).unwrap()
    }
}

pub(crate) struct Front {
    pub(crate) kind: Kind,
    /// The address where it speaks TLS, and the one where it only redirects.
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) certificates: Certificates,
    folder: PathBuf,
    process: Process,
}

impl Front {
    /// Starts it before one to three instances, for the domain `localhost`.
    pub(crate) fn start(kind: Kind, instances: &[SocketAddr]) -> Front {
        Front::with(kind, instances, |_| ())
    }

    /// The same with a change of the configuration, to see what that is good for.
    pub(crate) fn with(kind: Kind, instances: &[SocketAddr], change: impl Fn(&mut Text)) -> Front {
        let folder = home::folder(kind.name());
        let certificates = Certificates::make(&folder);
        let written = kind.configuration();
        let (https, (http, process)) = on_free_port(|https| {
            let http = another_port();
            if !is_new(https) {
                return None;
            }
            let mut text = Text(written.clone());
            text.instances(instances);
            if kind == Kind::Nginx {
                let tries = |number| format!("proxy_next_upstream_tries {number};");
                text.swap(&tries(3), &tries(instances.len()));
            }
            change(&mut text);
            text.swap("unslow.example.com", "localhost");
            let command = match kind {
                Kind::Nginx => nginx(&folder, &mut text, (http, https), &certificates),
                Kind::Haproxy => haproxy(&folder, &mut text, (http, https), &certificates),
                Kind::Caddy => caddy(&folder, &mut text, (http, https), &certificates),
            };
            // Its own certificate shows that nobody else has taken the port.
            let to = SocketAddr::from(([127, 0, 0, 1], https));
            let hello = || {
                let versions = [&version::TLS13];
                let mut stream = secure(&certificates, to, [127, 0, 0, 1], &versions, "http/1.1")?;
                stream.conn.complete_io(&mut stream.sock)
            };
            let ready = || hello().is_ok();
            let process = Process::start(command, &folder.join("output"), ready)?;
            Some((http, process))
        });
        Front {
            kind,
            https: SocketAddr::from(([127, 0, 0, 1], https)),
            http: SocketAddr::from(([127, 0, 0, 1], http)),
            certificates,
            folder,
            process,
        }
    }

    /// A connection by https on which the handshake is yet to come.
    pub(crate) fn connect(
        &self,
        source: [u8; 4],
        versions: &[&'static SupportedProtocolVersion],
        alpn: &str,
    ) -> io::Result<Secure> {
        secure(&self.certificates, self.https, source, versions, alpn)
    }

    /// One of its own files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// All that it has written to its logs.
    pub(crate) fn logs(&self) -> String {
        let access = fs::read_to_string(self.file("unslow.log")).unwrap_or_default();
        access + &self.process.output()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // QUIT would wait for clients, or print what all threads do.
        self.process.end(Signal::SIGTERM);
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A configuration that is being fitted to a test.
pub(crate) struct Text(String);

impl Text {
    /// Replaces something that has to be there.
    #[track_caller]
    pub(crate) fn swap(&mut self, from: &str, to: &str) {
        assert!(self.0.contains(from), "{from:?} is not in\n{}", self.0);
        self.0 = self.0.replace(from, to);
    }

    /// Leaves out the lines with this in them; there has to be one.
    #[track_caller]
    pub(crate) fn without(&mut self, words: &str) {
        self.swap(words, words);
        let kept = self.0.lines().filter(|line| !line.contains(words));
        self.0 = kept.fold(String::new(), |text, line| text + line + "\n");
    }

    /// The first one is there; the others stand in comments, and so does what is for several.
    fn instances(&mut self, instances: &[SocketAddr]) {
        for (number, address) in instances.iter().enumerate() {
            let placeholder = format!("127.0.0.1:{}", 8000 + number);
            let uncommented = |line: &str| match line.split_once('#') {
                Some((indent, rest)) if rest.contains(&placeholder) && instances.len() > 1 => {
                    format!("{indent}{rest}\n")
                }
                _ => format!("{line}\n"),
            };
            self.0 = self.0.lines().map(uncommented).collect();
            self.swap(&placeholder, &address.to_string());
        }
    }
}

/// Returns whether no other front of this run was given the port: HAProxy shares one with another
/// HAProxy.
fn is_new(port: u16) -> bool {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    GIVEN.lock().unwrap().insert(port)
}

/// A free port, on which nobody listens yet.
fn another_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if is_new(port) {
            return port;
        }
    }
}

/// A connection to `to` from a loopback address.
pub(crate) fn from(source: [u8; 4], to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(Ipv4Addr::from(source)), 0).into())?;
    socket.connect(&to.into())?;
    socket.set_read_timeout(Some(LOST))?;
    Ok(socket.into())
}

pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

/// The same with TLS, on which the handshake is yet to come.
fn secure(
    certificates: &Certificates,
    to: SocketAddr,
    source: [u8; 4],
    versions: &[&'static SupportedProtocolVersion],
    alpn: &str,
) -> io::Result<Secure> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(&certificates.ca).unwrap();
    roots.add(ca).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    Ok(StreamOwned::new(client, from(source, to)?))
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The site, in a main file that is as loose as Debian's.
fn nginx(folder: &Path, text: &mut Text, ports: (u16, u16), files: &Certificates) -> Command {
    let here = shown(folder);
    text.without("listen [::]");
    text.swap("listen 80;", &format!("listen 127.0.0.1:{};", ports.0));
    text.swap("listen 443 ", &format!("listen 127.0.0.1:{} ", ports.1));
    let live = "/etc/letsencrypt/live/localhost";
    text.swap(&format!("{live}/fullchain.pem"), &shown(&files.certificate));
    text.swap(&format!("{live}/privkey.pem"), &shown(&files.key));
    text.swap("/var/log/nginx", &here);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {here}/{what};\n"))
        .concat();
    let main = format!(
        "worker_processes 2;\npid {here}/nginx.pid;\nevents {{ worker_connections 768; }}\nhttp {{\n\
         {temporary}access_log off;\ngzip on;\ngzip_types *;\ngzip_min_length 1;\n\
         ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\nssl_prefer_server_ciphers on;\n\
         include {here}/unslow.conf;\n}}\n"
    );
    home::write(&folder.join("unslow.conf"), &text.0);
    home::write(&folder.join("nginx.conf"), &main);
    let mut command = Command::new(program("nginx", &[], "nginx"));
    command.args(["-e", "stderr", "-g", "daemon off;", "-c"]);
    command.arg(folder.join("nginx.conf"));
    command
}

fn haproxy(folder: &Path, text: &mut Text, ports: (u16, u16), files: &Certificates) -> Command {
    let pem = folder.join("unslow.pem");
    let both = [&files.certificate, &files.key].map(|file| fs::read_to_string(file).unwrap());
    home::write(&pem, &both.concat());
    for rights in ["chroot ", "    user ", "    group "] {
        text.without(rights);
    }
    text.without("bind [::]");
    text.swap("bind :80", &format!("bind 127.0.0.1:{}", ports.0));
    text.swap("bind :443 ", &format!("bind 127.0.0.1:{} ", ports.1));
    text.swap("/etc/haproxy/unslow.pem", &shown(&pem));
    text.swap("/run/haproxy", &shown(folder));
    text.swap("log /dev/log local0", "log stdout format raw local0");
    let file = folder.join("haproxy.cfg");
    home::write(&file, &text.0);
    let mut command = Command::new(program("haproxy", &[], "haproxy"));
    command.arg("-db").arg("-f").arg(file);
    command
}

fn caddy(folder: &Path, text: &mut Text, ports: (u16, u16), files: &Certificates) -> Command {
    let here = shown(folder);
    let (http, https) = ports;
    text.swap(
        "\n{\n",
        &format!("\n{{\nhttp_port {http}\nhttps_port {https}\ndefault_bind 127.0.0.1\n"),
    );
    let pair = format!("tls {} {}", shown(&files.certificate), shown(&files.key));
    text.swap("#tls /etc/caddy/unslow.crt /etc/caddy/unslow.key", &pair);
    text.swap("/var/lib/caddy", &here);
    let file = folder.join("Caddyfile");
    home::write(&file, &text.0);
    let mut command = Command::new(program("caddy", &[], "caddy"));
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file)
        .env("HOME", &here)
        .env("XDG_DATA_HOME", &here)
        .env("XDG_CONFIG_HOME", &here);
    command
}
