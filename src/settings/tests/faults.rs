//! Bad input: each error names its place and the remedy, and repeats no secret.

use super::*;

/// Ini, environment (`NAME=VALUE` or empty), flag, and what the error must say.
const BAD: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "[server]\nbind=127.0.0.1:1, 127.0.0.1:2\n[stats]\nbind=127.0.0.1:3, 127.0.0.1:2\n",
        "",
        &[],
        &["app.ini:4: [stats] bind: 127.0.0.1:2 is listened on for everybody"],
    ),
    (
        "[tls]\ncert=c\nkey=k\nredirect_bind=127.0.0.1:1\n",
        "",
        &["--stats-bind=127.0.0.1:1"],
        &["--stats-bind: [stats] bind: 127.0.0.1:1 is listened on"],
    ),
    (
        "[server]\ncors_origins = https://a.example/\n",
        "",
        &[],
        &[
            "app.ini:2: [server] cors_origins",
            "browsers write https://a.example",
        ],
    ),
    (
        "",
        "",
        &["--cors-origin=https://a.example", "--cors-origin=*"],
        &[
            "--cors-origin: [server] cors_origins",
            "\"*\" stands for every site",
        ],
    ),
    (
        "[access]\ntoken_file = nowhere\n",
        "",
        &[],
        &[
            "app.ini:2: [access] token_file",
            "nowhere",
            "check the path",
        ],
    ),
    (
        "[cache]\n\nttl = 10\n",
        "",
        &[],
        &["app.ini:3: [cache] ttl: \"10\"", "as in 10s"],
    ),
    (
        "[cache]\nttl=4000d\n",
        "",
        &[],
        &["app.ini:2: [cache] ttl: \"4000d\" is too long", "3650d"],
    ),
    ("[cache]\nttl=0s\n", "", &[], &["app.ini:2", "cache: off"]),
    (
        "[cache]\nttl=10s ; ten\n",
        "",
        &[],
        &["a comment stands on a line of its own"],
    ),
    (
        "[server]\nhome=\"version\"\n",
        "",
        &[],
        &["quotes are part of a value"],
    ),
    (
        "[server]\nworkers=\n",
        "",
        &[],
        &["app.ini:2: [server] workers", "1 to 512"],
    ),
    (
        "[cache]\nttll=1s\n",
        "",
        &[],
        &["app.ini:2: ", "did you mean ttl?"],
    ),
    (
        "",
        "UNSLOW_CACHE_TTL=ten",
        &[],
        &["environment UNSLOW_CACHE_TTL: [cache] ttl: \"ten\""],
    ),
    (
        "",
        "UNSLOW_CACHE_TLL=1s",
        &[],
        &["environment UNSLOW_CACHE_TLL", "UNSLOW_CACHE_TTL?"],
    ),
    (
        "",
        "UNSLOW_XYZZY_PLUGH_QUUX=1s",
        &[],
        &["UNSLOW_SECTION_KEY"],
    ),
    ("", "PORT=http", &[], &["environment PORT: [server] bind"]),
    (
        "",
        "",
        &["--ttl", "0s"],
        &["--ttl: [cache] ttl: \"0s\" is zero"],
    ),
    (
        "",
        "",
        &["--workers", "513"],
        &["--workers: [server] workers", "1 to 512"],
    ),
    ("", "", &["--memory", "64MB"], &["write 64MiB"]),
    (
        "",
        "",
        &["--stats-allow", "10.0.0.1/8"],
        &["--stats-allow", "10.0.0.0/8"],
    ),
    (
        "",
        "",
        &["--queries", "nowhere"],
        &["--queries: [queries] dir", "cannot be read"],
    ),
    ("", "", &["--log-level", "loud"], &["error, warn, info"]),
    (
        "",
        "",
        &["--db-sslmode", "allow"],
        &["--db-sslmode: [postgres] sslmode", "verify-full"],
    ),
    (
        "",
        "",
        &["--database-url", "mysql://u@h/d"],
        &["--database-url: [postgres] url: "],
    ),
    (
        "",
        "DATABASE_URL=postgres://u:hun#ter2@h/d",
        &[],
        &["DATABASE_URL: [postgres] url: ", "%23"],
    ),
    (
        "",
        "DATABASE_URL=postgres://u:hunter2@h/d?sslmode=no",
        &[],
        &["DATABASE_URL (url)"],
    ),
    (
        "",
        "",
        &["--database-url", "sqlite:nowhere.db"],
        &["[postgres] url: the value cannot be read"],
    ),
    (
        "",
        "",
        &["--database-url", "postgres://h/d"],
        &["not its user", "--db-user"],
    ),
    (
        "",
        "",
        &["--redis-url", "http://r"],
        &["--redis-url: [redis] url: ", "rediss://"],
    ),
    (
        "[postgres]\nhost=h\nuser=u\n",
        "",
        &[],
        &["app.ini:2", "not its database", "--db-name"],
    ),
    (
        "[postgres]\npassword=hunter2\npassword_file=pw\n",
        "",
        &[],
        &["app.ini:2", "one of the two"],
    ),
    (
        "[postgres]\npassword_file=gone\n",
        "",
        &[],
        &["app.ini:2: [postgres] password_file"],
    ),
    (
        "",
        "",
        &["--config", "gone.ini"],
        &["gone.ini: the settings file", "unslow init"],
    ),
];

#[test]
fn bad_input_gets_an_error_with_place_and_remedy_and_without_secrets() {
    for (ini, environment, flags, words) in BAD {
        let mut start = Start::with_ini(ini).flags(flags);
        if let Some((name, value)) = environment.split_once('=') {
            start = start.env(name, value);
        }
        let error = start.load().unwrap_err();
        let text = error.to_string();
        for word in *words {
            assert!(
                text.contains(word),
                "{ini:?} {environment} {flags:?}\n{text}"
            );
        }
        assert!(error.place.is_some() && error.remedy.is_some(), "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains("ter2@"),
            "{text}"
        );
    }
}

#[test]
fn a_password_in_the_url_of_a_flag_is_refused_with_what_to_do_instead() {
    for url in [
        "postgres://u:hunter2@h/d",
        "postgresql://u:hunter2@%2Frun%2Fpg/d",
        "postgres://u@h/d?password=hunter2",
        "postgres://u@h/d?pass%77ord=hunter2",
        "postgres://u:hun#ter2@h/d",
        "postgres://u:1#hunter2@h/d",
        "postgres://u:hunter2/x@h/d",
        "u:hunter2@h",
    ] {
        let start = Start::new().flags(&["--database-url", url]);
        let text = start.load().unwrap_err().to_string();
        for word in [
            "--database-url: [postgres] url: ",
            "holds a password",
            "UNSLOW_POSTGRES_URL",
            "--db-password-file",
        ] {
            assert!(text.contains(word), "{url}: {text}");
        }
        assert!(!text.contains("ter2"), "{text}");
    }
    for url in [
        "redis://:hunter2@r",
        "rediss://u:hunter2@r:1/2",
        "redis+unix:///s?pass=hunter2",
        "unix:///s?password=hunter2",
    ] {
        let start = Start::new().flags(&["--redis-url", url]);
        let text = start.load().unwrap_err().to_string();
        for word in [
            "--redis-url: [redis] url: ",
            "holds a password",
            "UNSLOW_REDIS_URL",
        ] {
            assert!(text.contains(word), "{url}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_url_without_a_password_is_taken_as_a_flag_and_one_with_it_elsewhere() {
    let password = |start: &Start| start.postgres().password.map(|p| p.reveal().to_owned());
    for url in [
        "postgres://u@h:5432/d",
        "postgres://u:@h/d",
        "postgres://u@h/d?sslmode=require",
    ] {
        let start = Start::new().flags(&["--database-url", url]);
        assert_eq!(password(&start).unwrap_or_default(), "", "{url}");
    }
    let with_file = Start::new().file("pw", "hunter2").flags(&[
        "--database-url",
        "postgres://u@h/d",
        "--db-password-file",
        "pw",
    ]);
    assert_eq!(password(&with_file).unwrap(), "hunter2");
    for start in [
        Start::new().env("DATABASE_URL", "postgres://u:hunter2@h/d"),
        Start::new().env("UNSLOW_POSTGRES_URL", "postgres://u:hunter2@h/d"),
        Start::with_ini("[postgres]\nurl=postgres://u:hunter2@h/d\n"),
    ] {
        assert_eq!(password(&start).unwrap(), "hunter2");
    }
    let redis = Start::new().env("UNSLOW_REDIS_URL", "redis://:hunter2@r");
    assert!(
        redis
            .settings()
            .redis
            .unwrap()
            .url
            .reveal()
            .contains("hunter2")
    );
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let start = Start::new();
    std::fs::write(start.path().join("app.ini"), b"[cache]\nttl=\xff\n").unwrap();
    let text = start.load().unwrap_err().to_string();
    assert!(
        text.contains("app.ini: ") && text.contains("UTF-8"),
        "{text}"
    );
}

#[test]
fn who_reads_and_who_purges_have_tokens_of_their_own() {
    let start = |reader: &str| {
        let ini = "[admin]\ntoken_file=a\n[access]\ntoken_file=r\n";
        Start::with_ini(ini).file("a", "tok3n\n").file("r", reader)
    };
    assert_eq!(
        start("0ther").settings().access.token.unwrap().reveal(),
        "0ther"
    );
    let error = start("tok3n").load().unwrap_err().to_string();
    assert!(
        error.starts_with("app.ini:4: [access] token_file: "),
        "{error}"
    );
    assert!(
        error.contains("admin token") && !error.contains("tok3n"),
        "{error}"
    );
}
