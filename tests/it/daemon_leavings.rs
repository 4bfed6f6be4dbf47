//! The remains of a daemon: its processes, pidfiles and sockets; and other ways to call its binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::daemon_support::{Daemon, is_alive};
use crate::servers::wait_until;

impl Daemon {
    /// Runs as [`Daemon::run`] does, with the program itself where another one stands in its place.
    pub(crate) fn run_itself(&self, args: &[&str]) -> Output {
        let itself = Path::new(env!("CARGO_BIN_EXE_unslow"));
        self.command_of(itself, args).output().unwrap()
    }

    /// Makes the command of a shell that runs this line first.
    pub(crate) fn command_after(&self, line: &str, args: &[&str]) -> Command {
        let script = format!("{line}; exec \"$0\" \"$@\"");
        let mut command = self.command_of(Path::new("/bin/sh"), &["-c", &script]);
        command.arg(&self.binary).args(args);
        command
    }

    /// Every process whose command line names this folder, as those do that were started by its
    /// binary's path.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let here = self.path("");
        let here = here.to_str().unwrap().trim_end_matches('/');
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.parse().ok()
        });
        let is_here = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(here) && is_alive(*pid)
        };
        all.filter(is_here).collect()
    }

    /// Nothing runs, and nobody finds anything of it: neither pidfile nor socket.
    #[track_caller]
    pub(crate) fn has_left_nothing(&self) {
        wait_until("no process is left", || self.processes().is_empty());
        assert_eq!(self.leavings(), Vec::<String>::new());
    }

    /// The names of pidfiles and sockets in the folder.
    pub(crate) fn leavings(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = names
            .filter(|name| [".pid", ".sock"].iter().any(|part| name.contains(part)))
            .collect();
        found.sort();
        found
    }
}
