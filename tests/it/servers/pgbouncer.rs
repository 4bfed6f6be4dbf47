//! A PgBouncer in transaction mode in front of a [`Postgres`]. Clients need no password.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use super::home;
use super::postgres::Postgres;
use super::process::{Process, on_free_port, program};

pub(crate) struct PgBouncer {
    _process: Process,
    folder: PathBuf,
    port: u16,
}

impl PgBouncer {
    /// Starts one with `pool_size` connections to the server for each database and user.
    pub(crate) fn start(postgres: &Postgres, pool_size: u32) -> PgBouncer {
        PgBouncer::with(postgres, pool_size, "")
    }

    /// Starts one with these lines more in its settings.
    pub(crate) fn with(postgres: &Postgres, pool_size: u32, more: &str) -> PgBouncer {
        let folder = home::folder("pgbouncer");
        let users = folder.join("users");
        home::write(&users, "\"master\" \"secret\"\n\"postgres\" \"\"\n");
        let (port, process) = on_free_port(|port| {
            let ini = folder.join("pgbouncer.ini");
            home::write(
                &ini,
                &format!(
                    "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\n\
                     listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                     auth_type = trust\nauth_file = {}\npool_mode = transaction\n\
                     default_pool_size = {pool_size}\nmax_client_conn = 200\n{more}\n",
                    postgres.port(),
                    users.display(),
                ),
            );
            let mut command = Command::new(program("pgbouncer", &[], "pgbouncer"));
            command.arg(&ini);
            let ready = || TcpStream::connect(("127.0.0.1", port)).is_ok();
            Process::start(command, &folder.join("output"), ready)
        });
        PgBouncer {
            _process: process,
            folder,
            port,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
