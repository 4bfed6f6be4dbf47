//! What systemd reads: the unit files, by its own judgement. What it is told is tested where that
//! is written (`daemon/notify.rs`).

use std::path::Path;
use std::process::{Command, Output};

use crate::unslow::command;

/// Runs one of systemd's programs; `None` where it is not installed.
fn systemd(program: &str, args: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
    {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("not tested: {program} is not installed (Debian: systemd)");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

/// Writes the files that `systemd-unit` prints into this folder, and gives their names.
fn units(args: &[&str], folder: &Path) -> Vec<String> {
    let output = command(&[&["systemd-unit"], args].concat())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut names = Vec::new();
    for file in printed.split("# /etc/systemd/system/").skip(1) {
        let (name, content) = file.split_once('\n').unwrap();
        std::fs::write(folder.join(name), content).unwrap();
        names.push(name.to_owned());
    }
    names
}

#[test]
fn systemd_finds_the_units_in_order_and_well_confined() {
    let low = [
        "--bind",
        "0.0.0.0:80",
        "--bind",
        "unix:/run/unslow/web.sock",
    ];
    let logs = ["--access-log", "my logs/a.log", "--user", "www-data"];
    for args in [&[][..], &low, &logs] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.ini"), "").unwrap();
        std::fs::create_dir(folder.path().join("my logs")).unwrap();
        let names = units(args, folder.path());
        assert_eq!(names, ["unslow.service", "unslow.socket"]);
        let files = ["./unslow.service", "./unslow.socket"];
        let verify = [&["verify", "--man=no"], &files[..]].concat();
        let Some(output) = systemd("systemd-analyze", &verify, folder.path()) else {
            return;
        };
        let said = text(&output);
        assert!(output.status.success(), "{args:?}: {said}");
        assert!(!said.contains("unslow."), "{args:?}: {said}");
        let security = ["security", "--offline=yes", "--threshold=20", files[0]];
        let output = systemd("systemd-analyze", &security, folder.path()).unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
}
