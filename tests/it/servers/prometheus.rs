//! A Prometheus that scrapes what a test gives it, five times a second.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use serde_json::Value;
use url::form_urlencoded;

use super::home;
use super::process::{Process, on_free_port, program};

pub(crate) struct Prometheus {
    process: Process,
    folder: PathBuf,
    port: u16,
}

impl Prometheus {
    /// Scrapes `target` (`HOST:PORT`), with these lines more for its job, and with these rules.
    pub(crate) fn scraping(target: &str, more: &str, rules: &str) -> Prometheus {
        let folder = home::folder("prometheus");
        let config = folder.join("prometheus.yml");
        home::write(&folder.join("rules.yml"), rules);
        home::write(
            &config,
            &format!(
                "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  \
                 evaluation_interval: 200ms\nrule_files: [rules.yml]\nscrape_configs:\n  \
                 - job_name: unslow\n    static_configs:\n      - targets: [\"{target}\"]\n{more}",
            ),
        );
        let (port, process) = on_free_port(|port| {
            let mut command = Command::new(program("prometheus", &[], "prometheus"));
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.join("data").display()
                ))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"));
            let ready = || get(port, "/-/ready").is_some_and(|(status, _)| status == 200);
            Process::start(command, &folder.join("output"), ready)
        });
        Prometheus {
            process,
            folder,
            port,
        }
    }

    /// Returns the answer of its API to a GET.
    pub(crate) fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let (_, body) = get(self.port, &format!("/api/v1/{path}?{query}")).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// The series that an expression gives now.
    #[track_caller]
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.api("query", &[("query", expression)]);
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The value of an expression that gives one series; `None` as long as it gives none.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Option<f64> {
        let series = self.query(expression);
        assert!(series.len() < 2, "{expression}: {series:?}");
        series.first()?["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // On QUIT it would print what all its threads do.
        self.process.end(Signal::SIGTERM);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Status and body; `None` where nobody answers.
fn get(port: u16, target: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    // A client that speaks 1.0 gets no chunks.
    write!(stream, "GET {target} HTTP/1.0\r\n\r\n").ok()?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).ok()?;
    let head = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&received[..head]).ok()?.get(9..12)?;
    Some((status.parse().ok()?, received[head + 4..].to_vec()))
}

/// Runs promtool in a folder, with this as its input.
pub(crate) fn promtool(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let file = folder.join("promtool-input");
    std::fs::write(&file, input).unwrap();
    Command::new(program("promtool", &[], "prometheus"))
        .args(arguments)
        .current_dir(folder)
        .stdin(std::fs::File::open(file).unwrap())
        .output()
        .unwrap()
}
