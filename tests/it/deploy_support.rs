//! A folder that stands for a machine, for the scripts that are deployed: the real program, stand-ins
//! for what would change this machine or ask AWS, which record what they were asked, and the objects
//! and secrets that AWS would have.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Records its name and arguments, then does what follows.
const RECORD: &str = "#!/bin/sh\nprintf '%s\\n' \"${0##*/} $*\" >>\"$STORE/calls\"\n";

/// The further acts of each stand-in.
const STAND_INS: &[(&str, &str)] = &[
    // The last argument is the file, or nothing is.
    (
        "aws",
        r#"for last; do :; done
case "$*" in
  's3api get-object '*) cp "$STORE/objects/$6@$8" "$last" ;;
  'secretsmanager get-secret-value '*) cat "$STORE/secrets/$4" ;;
  *) exit 2 ;;
esac"#,
    ),
    (
        "curl",
        r#"while [ $# -gt 0 ]; do
  [ "$1" = --output ] && [ "$2" != /dev/null ] && cp "$STORE/ca" "$2"
  shift
done
exit 0"#,
    ),
    ("getent", r#"[ -e "$STORE/user" ] || exit 2"#),
    ("useradd", r#": >"$STORE/user""#),
    ("chown", ""),
    ("systemctl", ""),
    ("shutdown", ""),
    ("dnf", ""),
];

pub(crate) struct Machine {
    folder: TempDir,
    facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// One with the scripts in their places. `ca` is what the database's certificates are said to be.
    pub(crate) fn new(ca: &str) -> Machine {
        let machine = Machine {
            folder: tempfile::tempdir().unwrap(),
            facts: Vec::new(),
        };
        for folder in ["bin", "store/objects", "store/secrets", "root/etc/unslow"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for (name, script) in STAND_INS {
            let path = machine.path(&format!("bin/{name}"));
            fs::write(&path, format!("{RECORD}{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(machine.path("store/ca"), ca).unwrap();
        let deployed = machine.path("deployed");
        let output = crate::unslow::command(&["deploy", "terraform"])
            .arg(&deployed)
            .output()
            .unwrap();
        assert!(output.status.success());
        fs::rename(deployed.join("scripts"), machine.path("scripts")).unwrap();
        machine
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A file of the machine.
    pub(crate) fn root(&self, below: &str) -> PathBuf {
        self.path("root").join(below)
    }

    /// A template as it was written, below the deployed folder.
    pub(crate) fn template(&self, path: &str) -> String {
        fs::read_to_string(self.path("deployed").join(path)).unwrap()
    }

    /// Tells the scripts something.
    pub(crate) fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        self.facts.retain(|(known, _)| *known != name);
        self.facts.push((name, value.into()));
    }

    /// Puts an object where `aws` finds it, and gives its SHA-256.
    pub(crate) fn object(&self, key: &str, version: &str, content: &[u8]) -> String {
        fs::write(
            self.path(&format!("store/objects/{key}@{version}")),
            content,
        )
        .unwrap();
        sha256(content)
    }

    /// Has the program of this build be the one to install.
    pub(crate) fn program(&mut self) {
        let content = fs::read(env!("CARGO_BIN_EXE_unslow")).unwrap();
        let hash = self.object("unslow", "v1", &content);
        self.fact("BINARY_KEY", "unslow");
        self.fact("BINARY_VERSION", "v1");
        self.fact("BINARY_SHA256", hash);
    }

    pub(crate) fn secret(&self, id: &str, value: &str) {
        fs::write(self.path(&format!("store/secrets/{id}")), value).unwrap();
    }

    /// Runs a script to its end, and forgets what earlier ones have asked for.
    pub(crate) fn run(&self, script: &str) -> Output {
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|(name, value)| format!("{name}='{value}'"))
            .collect();
        fs::write(self.root("etc/unslow/deploy.env"), facts.join("\n")).unwrap();
        fs::write(self.path("store/calls"), "").unwrap();
        Command::new("/bin/bash")
            .arg(self.path("scripts").join(script))
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("STORE", self.path("store"))
            .env("DEPLOY_ROOT", self.path("root"))
            .env("DEPLOY_PAUSE", "0")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Returns the calls of the stand-ins, a line each.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("store/calls")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The same of one of them.
    pub(crate) fn calls_of(&self, name: &str) -> Vec<String> {
        let mut calls = self.calls();
        calls.retain(|call| call.split(' ').next() == Some(name));
        calls
    }
}

pub(crate) fn sha256(content: &[u8]) -> String {
    let digits = Sha256::digest(content);
    let digits = digits.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Returns the standard error of a script, which has to have ended well.
#[track_caller]
pub(crate) fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}
