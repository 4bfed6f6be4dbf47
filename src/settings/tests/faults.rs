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
        &["--database-url", "mysql://u:hunter2@h/d"],
        &["--database-url: [postgres] url: "],
    ),
    (
        "",
        "",
        &["--database-url", "postgres://u:hun#ter2@h/d"],
        &["%23"],
    ),
    (
        "",
        "",
        &["--database-url", "postgres://u:hunter2@h/d?sslmode=no"],
        &["--database-url (url)"],
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
        &["--redis-url", "http://:hunter2@r"],
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
