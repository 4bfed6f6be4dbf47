//! How command lines are read, and what the help lists.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

const TTL: SettingFlag = SettingFlag {
    long: "ttl",
    short: None,
    value: "TIME",
    aliases: &["time-to-live"],
    repeatable: false,
};
const BIND: SettingFlag = SettingFlag {
    long: "bind",
    short: Some('b'),
    value: "ADDR",
    repeatable: true,
    aliases: &[],
};
const DEBUG: SettingFlag = SettingFlag {
    long: "debug",
    value: BOOL,
    aliases: &[],
    ..TTL
};

fn settings() -> impl Iterator<Item = FlagHelp> {
    [&TTL, &BIND, &DEBUG].into_iter().map(|flag| FlagHelp {
        flag,
        heading: "Cache",
        help: "what it is for".to_owned(),
    })
}

fn read(line: &str) -> Result<Flags, clap::Error> {
    parse(line.split(' '), settings())
}

#[test]
fn without_a_command_it_runs() {
    let flags = read("unslow --ttl 5s").unwrap();
    assert_eq!(flags.command, Command::Run);
    assert_eq!(flags.flag_values("ttl").unwrap(), ["5s"]);
    assert_eq!(flags.flag_values("bind"), None);
}

#[test]
fn settings_are_taken_before_and_after_a_command() {
    for line in [
        "unslow --ttl 5s check --online",
        "unslow check --online --ttl=5s",
    ] {
        let flags = read(line).unwrap();
        assert_eq!(flags.command, Command::Check { online: true }, "{line}");
        assert_eq!(flags.flag_values("ttl").unwrap(), ["5s"], "{line}");
    }
}

#[test]
fn repeated_and_bare_flags_keep_their_values() {
    let flags = read("unslow -b a -b b run --debug").unwrap();
    assert_eq!(flags.flag_values("bind").unwrap(), ["a", "b"]);
    assert_eq!(flags.flag_values("debug").unwrap(), ["true"]);
    assert_eq!(
        read("unslow --debug=false")
            .unwrap()
            .flag_values("debug")
            .unwrap(),
        ["false"]
    );
}

#[test]
fn gunicorns_spellings_work_but_are_not_shown() {
    assert_eq!(
        read("unslow --time-to-live 1s")
            .unwrap()
            .flag_values("ttl")
            .unwrap(),
        ["1s"]
    );
    let check = read("unslow --check-config").unwrap();
    assert_eq!(check.command, Command::Check { online: false });
    let help = read("unslow --help").unwrap_err().to_string();
    assert!(
        !help.contains("time-to-live") && !help.contains("check-config"),
        "{help}"
    );
}

#[test]
fn an_unknown_flag_is_a_usage_error_with_a_suggestion() {
    let error = read("unslow --tll 5s").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--ttl"), "{error}");
}

#[test]
fn only_the_help_of_run_lists_the_settings() {
    assert!(
        read("unslow --help")
            .unwrap_err()
            .to_string()
            .contains("Cache:")
    );
    assert!(
        read("unslow run --help")
            .unwrap_err()
            .to_string()
            .contains("--ttl")
    );
    assert!(
        !read("unslow query --help")
            .unwrap_err()
            .to_string()
            .contains("--ttl")
    );
}

#[test]
fn parameters_of_a_query_are_pairs() {
    let flags = read("unslow query top since=2026-01-01 eq=a=b --format csv").unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        flags.command,
        Command::Query {
            name: "top".to_owned(),
            params: vec![pair("since", "2026-01-01"), pair("eq", "a=b")],
            format: Some(OutputFormat::Csv),
        }
    );
    assert_eq!(read("unslow query top since").unwrap_err().exit_code(), 2);
}

#[test]
fn a_purge_is_hard_unless_one_other_thing_is_asked_for() {
    let purge = |line: &str| match read(line).unwrap().command {
        Command::Purge {
            how, params, url, ..
        } => (how.soft, how.refresh, params.len(), url),
        other => panic!("{other:?}"),
    };
    assert_eq!(purge("unslow purge top"), (false, false, 0, None));
    let url = Some("http://host".to_owned());
    assert_eq!(
        purge("unslow purge top n=1 --soft --url http://host"),
        (true, false, 1, url)
    );
    assert_eq!(purge("unslow purge --refresh top"), (false, true, 0, None));
    for line in ["unslow purge", "unslow purge top --soft --refresh"] {
        assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn d_makes_a_start_of_a_run_and_of_nothing_else() {
    for line in [
        "unslow -D",
        "unslow run --daemon",
        "unslow start -D",
        "unslow start",
    ] {
        assert_eq!(read(line).unwrap().command, Command::Start, "{line}");
    }
    let check = Command::Check { online: false };
    assert_eq!(read("unslow --check-config -D").unwrap().command, check);
    for line in ["unslow stop -D", "unslow -D status"] {
        assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn workers_are_scaled_by_a_number_with_a_sign() {
    for (text, by) in [("+1", 1), ("-2", -2), ("+512", 512)] {
        let flags = read(&format!("unslow scale {text}")).unwrap();
        assert_eq!(flags.command, Command::Scale { by }, "{text}");
    }
    for text in ["3", "+0", "-0", "+513", "--", "+x", "-w"] {
        assert_eq!(
            read(&format!("unslow scale {text}"))
                .unwrap_err()
                .exit_code(),
            2,
            "{text}"
        );
    }
}

#[test]
fn what_gunicorn_has_and_we_need_not_is_taken_and_said_to_have_no_effect() {
    let flags = read("unslow --preload -k gevent --threads 4 --initgroups --reuse-port").unwrap();
    let said = flags.without_effect;
    for name in ["--preload", "--worker-class", "--threads", "--reuse-port"] {
        assert_eq!(
            said.iter().filter(|line| line.starts_with(name)).count(),
            1,
            "{name}: {said:?}"
        );
    }
    assert_eq!(said.len(), 4, "what is so anyway needs no word: {said:?}");
    let twice = read("unslow run --max-requests 5 --max-requests 6 --preload --preload").unwrap();
    assert_eq!(twice.without_effect.len(), 2);
    assert!(read("unslow").unwrap().without_effect.is_empty());
}

#[test]
fn the_proxy_protocol_is_refused_with_what_to_do_instead() {
    for line in ["unslow --proxy-protocol", "unslow --proxy-protocol v2 run"] {
        let error = read(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(
            error.to_string().contains("--forwarded-allow-ips"),
            "{error}"
        );
    }
    assert!(
        read("unslow --proxy-protocol off")
            .unwrap()
            .without_effect
            .is_empty()
    );
}

#[test]
fn the_help_of_what_serves_has_the_signals() {
    for line in ["unslow --help", "unslow run --help", "unslow start --help"] {
        let help = read(line).unwrap_err().to_string();
        for word in ["TERM ", "USR2", "WINCH", "--daemon"] {
            assert!(help.contains(word), "{line}: {help}");
        }
    }
    assert!(
        !read("unslow stop --help")
            .unwrap_err()
            .to_string()
            .contains("--daemon")
    );
}

#[test]
fn the_definition_is_sound() {
    command_definition(&settings().collect::<Vec<_>>()).debug_assert();
    let real: Vec<_> = crate::settings::all_flags().collect();
    command_definition(&real).debug_assert();
}

#[test]
fn compare_has_a_c_of_its_own_and_bounds() {
    let of = |line: &str| match read(line).unwrap() {
        Flags {
            config,
            command: Command::Compare(wanted),
            ..
        } => (config, wanted.runs, wanted.clients, wanted.params.len()),
        other => panic!("{other:?}"),
    };
    let file = || Some(PathBuf::from("f"));
    assert_eq!(of("unslow compare q"), (None, None, 1, 0));
    assert_eq!(of("unslow compare q a=b -n 5 -c 8"), (None, Some(5), 8, 1));
    assert_eq!(of("unslow -c f compare q -c 8"), (file(), None, 8, 0));
    assert_eq!(of("unslow compare --config f q"), (file(), None, 1, 0));
    let refused = |line: &str| read(line).unwrap_err().to_string();
    for runs in ["0", "10001", "-1", "many"] {
        let said = refused(&format!("unslow compare q -n={runs}"));
        assert!(said.contains("from 1 to 10000"), "{said}");
    }
    for clients in ["0", "101", "app.ini"] {
        let said = refused(&format!("unslow compare q -c {clients}"));
        assert!(
            said.contains("from 1 to 100") && said.contains("--config"),
            "{said}"
        );
    }
}
