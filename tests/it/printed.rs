//! The output that other programs read: the manual page and the completions.

use std::process::{Command, Output};

use unslow::settings;

use crate::unslow::run;

fn printed(args: &[&str]) -> String {
    let Output { status, stdout, .. } = run(args);
    assert!(status.success(), "{args:?}");
    String::from_utf8(stdout).unwrap()
}

/// Returns the text as a reader sees it: without the marks of the form.
fn plain(roff: &str) -> String {
    let text = roff.replace("\\-", "-").replace("\\fB", "");
    text.replace("\\fR", "").replace("\\fI", "")
}

#[test]
fn the_manual_has_every_command_setting_signal_and_exit_code() {
    let page = plain(&printed(&["man"]));
    for command in ["start", "stop [--now]", "scale <+N|-N>", "systemd-unit"] {
        assert!(
            page.contains(&format!("\n{command}\n")),
            "{command}: {page}"
        );
    }
    for listed in settings::all_flags() {
        let flag = format!("--{}", listed.flag.long);
        assert!(page.contains(&flag), "{flag}");
    }
    for section in ["NAME", "SIGNALS", "\"EXIT STATUS\"", "FILES"] {
        assert!(page.contains(&format!(".SH {section}\n")), "{section}");
    }
    assert!(
        !page.contains("max-requests"),
        "gunicorn's own is not shown"
    );
}

#[test]
fn every_shell_gets_completions_that_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for word in ["systemd-unit", "statement-timeout", "bind"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("unslow.bash");
    std::fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&script).output();
    let checked = checked.unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
