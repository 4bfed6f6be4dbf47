//! The rivals by others, where they are installed: nginx with `proxy_cache`, Varnish, and the page
//! it all began with, on gunicorn. Each takes its page from a bare rival once and then serves it
//! from its own cache, on the loopback, with its files in a temporary folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Measured;
use crate::load::get_ok;
use crate::process::{Server, find, free_port};

/// A server with its folder, which goes when it ends.
pub(crate) struct Other {
    pub(crate) server: Server,
    _folder: TempDir,
}

impl Other {
    pub(crate) fn start(
        name: &'static str,
        port: u16,
        command: &mut Command,
        folder: TempDir,
    ) -> Measured<Other> {
        Ok(Other {
            server: Server::start(name, port, command)?,
            _folder: folder,
        })
    }
}

/// nginx as a cache before `origin`; `None` where it is not installed.
pub(crate) fn nginx(origin: u16) -> Measured<Option<Other>> {
    let Some(program) = find("nginx") else {
        return Ok(None);
    };
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let here = folder.path().display();
    let config = folder.path().join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {here}/pid; error_log {here}/error.log;
         events {{ worker_connections 512; }}
         http {{
           access_log off; keepalive_requests 1000000000;
           client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;
           uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
           proxy_cache_path {here}/cache keys_zone=pages:10m inactive=1h;
           server {{
             listen 127.0.0.1:{port};
             location / {{
               proxy_pass http://127.0.0.1:{origin};
               proxy_cache pages; proxy_cache_valid 200 1h;
               proxy_ignore_headers Cache-Control Expires;
             }}
           }}
         }}\n"
    );
    fs::write(&config, text)?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path());
    command.arg("-c").arg(&config).args(["-e", "stderr"]);
    started("nginx", port, &mut command, folder).map(Some)
}

/// Varnish as a cache before `origin`; `None` where it is not installed.
pub(crate) fn varnish(origin: u16) -> Measured<Option<Other>> {
    let Some(program) = find("varnishd") else {
        return Ok(None);
    };
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let config = folder.path().join("page.vcl");
    let text = format!(
        "vcl 4.0;
         backend origin {{ .host = \"127.0.0.1\"; .port = \"{origin}\"; }}
         sub vcl_backend_response {{
           set beresp.ttl = 1h; set beresp.uncacheable = false; return (deliver);
         }}\n"
    );
    fs::write(&config, text)?;
    let mut command = Command::new(program);
    command.arg("-F").arg("-n").arg(folder.path());
    command.arg("-a").arg(format!("127.0.0.1:{port}"));
    command
        .args(["-s", "malloc,64m", "-T", "none", "-f"])
        .arg(&config);
    started("varnish", port, &mut command, folder).map(Some)
}

/// The page it all began with; `None` where Python, Flask, gunicorn or redis-py is missing.
/// `BENCH_PYTHON` names the interpreter that has them.
pub(crate) fn gunicorn(redis_url: &str) -> Measured<Option<Other>> {
    let python = std::env::var("BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_all = Command::new(&python)
        .args(["-c", "import flask, gunicorn, redis"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_all {
        return Ok(None);
    }
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut command = Command::new(python);
    command.args(["-m", "gunicorn", "--workers", "1", "--bind"]);
    command.arg(format!("127.0.0.1:{port}"));
    command.arg("--chdir");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/bars"));
    command.arg("original:app").env("REDIS_URL", redis_url);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    started("gunicorn", port, &mut command, folder).map(Some)
}

/// Started, and with the page in its cache.
fn started(
    name: &'static str,
    port: u16,
    command: &mut Command,
    folder: TempDir,
) -> Measured<Other> {
    let other = Other::start(name, port, command, folder)?;
    get_ok(port, "/")?;
    Ok(other)
}
