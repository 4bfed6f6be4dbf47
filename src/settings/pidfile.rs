//! The place of the pidfile, read without the rest: a command that asks for the daemon's state, or
//! ends it, must work while the settings are not in order.

use std::path::{Path, PathBuf};

use super::config_file::config_file;
use super::surroundings::ProcessEnvironment;
use crate::flags::Flags;

/// The pidfile's place by settings that cannot be used, as far as they can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidfilePlace {
    /// `[server] pidfile`, absolute, if any layer names it.
    pub named: Option<PathBuf>,
    /// The folder of the ini file, or the working directory where there is none.
    pub folder: PathBuf,
    /// `[server] user`, if any layer names it: whose the process is.
    pub user: Option<String>,
    /// `[server] group`, likewise.
    pub group: Option<String>,
}

/// Returns the pidfile that flag, environment or ini file names, the first of these that does.
/// Nothing else in them is looked at.
pub fn pidfile_place(flags: &Flags, surroundings: &ProcessEnvironment) -> PidfilePlace {
    let working = surroundings.working_folder.as_path();
    let ini = config_file(flags, working).map(|file| working.join(file));
    let folder = ini.as_deref().and_then(Path::parent).unwrap_or(working);
    let text = ini.as_ref().and_then(|file| std::fs::read(file).ok());
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // The value, and the folder that a relative path in it starts from.
    let named = |flag: &str, variable: &str, key: &str| {
        let flag = flags.flag_values(flag).and_then(|values| values.last());
        let mut variables = surroundings.environment.iter();
        let variable = variables.find(|(name, _)| name == variable);
        flag.or(variable.map(|(_, value)| value))
            .map(|text| (text.clone(), working))
            .or_else(|| Some((named_in(&text, key)?, folder)))
            .filter(|(text, _)| !text.is_empty())
    };
    let pidfile = named("pid", "UNSLOW_SERVER_PIDFILE", "pidfile");
    let user = named("user", "UNSLOW_SERVER_USER", "user");
    let group = named("group", "UNSLOW_SERVER_GROUP", "group");
    PidfilePlace {
        named: pidfile.map(|(text, base)| base.join(text)),
        folder: folder.to_owned(),
        user: user.map(|(text, _)| text),
        group: group.map(|(text, _)| text),
    }
}

/// Returns the value of a key in `[server]`.
fn named_in(ini: &str, wanted: &str) -> Option<String> {
    let lines = ini.lines().map(str::trim);
    let server = lines
        .skip_while(|line| *line != "[server]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let mut pairs = server.filter_map(|line| line.split_once(['=', ':']));
    let (_, value) = pairs.find(|(key, _)| key.trim() == wanted)?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Returns what is found beside this ini file, with these arguments and this variable.
    fn found(ini: Option<&str>, arguments: &[&str], variable: Option<&str>) -> (String, bool) {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = ini {
            std::fs::write(dir.path().join("app.ini"), text).unwrap();
        }
        let words = [&["unslow"], arguments].concat();
        let flags = crate::flags::parse(words, super::super::all_flags()).unwrap();
        let variable = variable.map(|value| ("UNSLOW_SERVER_PIDFILE".into(), value.into()));
        let surroundings = ProcessEnvironment {
            working_folder: dir.path().to_owned(),
            environment: variable.into_iter().collect(),
        };
        let place = pidfile_place(&flags, &surroundings);
        let named = place.named.unwrap_or_default();
        let named = named.strip_prefix(dir.path()).unwrap_or(&named);
        (named.display().to_string(), place.folder == dir.path())
    }

    #[test]
    fn it_is_found_in_settings_that_are_not_in_order() {
        let broken = "[cache]\nttl=oops\npidfile=no\n[server\n[server]\n workers = x\n\
                      pidfile = run/a.pid\n[nonsense]\npidfile=no\n";
        let is = |text: &str| (text.to_owned(), true);
        assert_eq!(found(Some(broken), &[], None), is("run/a.pid"));
        assert_eq!(
            found(Some(broken), &[], Some("/run/b.pid")),
            is("/run/b.pid")
        );
        let flag = ["status", "--pid", "c.pid"];
        assert_eq!(found(Some(broken), &flag, Some("/run/b.pid")), is("c.pid"));
        assert_eq!(found(Some("[server]\n#pidfile = x\n"), &[], None), is(""));
        assert_eq!(found(None, &[], None), is(""));
    }

    #[test]
    fn the_user_is_found_in_settings_that_are_not_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[cache]\nttl=oops\n[server]\nuser = web\ngroup = www\n[x]\nuser = no\n";
        std::fs::write(dir.path().join("app.ini"), text).unwrap();
        let surroundings = ProcessEnvironment {
            working_folder: dir.path().to_owned(),
            environment: Vec::new(),
        };
        for (words, user) in [
            (&["unslow", "stop"][..], "web"),
            (&["unslow", "stop", "-u", "me"], "me"),
        ] {
            let flags = crate::flags::parse(words, super::super::all_flags()).unwrap();
            let place = pidfile_place(&flags, &surroundings);
            assert_eq!(place.user.as_deref(), Some(user));
            assert_eq!(place.group.as_deref(), Some("www"));
        }
    }
}
