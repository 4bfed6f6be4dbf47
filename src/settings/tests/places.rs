//! Where values come from: URLs against parts, the variables that many programs know, and paths.

use std::time::Duration;

use super::*;

const ORIGINAL: &str = "[postgres]\ndatabase=postgres\nhost=127.0.0.1\npassword=secret\n\
                        user=master\n\n[redis]\nurl=redis://127.0.0.1:6379\n";

#[test]
fn the_file_of_the_original_works_unchanged() {
    let start = Start::with_ini(ORIGINAL);
    let postgres = start.postgres();
    assert_eq!((postgres.host.as_str(), postgres.port), ("127.0.0.1", 5432));
    assert_eq!(
        (postgres.database.as_str(), postgres.user.as_str()),
        ("postgres", "master")
    );
    assert_eq!(postgres.password.unwrap().reveal(), "secret");
    assert_eq!(
        start.settings().redis.unwrap().url.reveal(),
        "redis://127.0.0.1:6379"
    );
}

#[test]
fn with_nothing_given_it_is_the_demo() {
    let settings = Start::new().settings();
    assert!(matches!(settings.database, DatabaseTarget::Demo));
    assert!(settings.redis.is_none() && settings.queries_dir.is_none());
    assert_eq!(settings.server.bind[0].to_string(), "127.0.0.1:8000");
}

#[test]
fn passwords_come_out_exactly_as_they_were_written() {
    for password in [
        r#"\ # ; % " ' x"#,
        r"ends\",
        "\"q\"",
        "%41",
        "a=b:c",
        "${X}",
        "%(x)s",
    ] {
        let ini = format!("[postgres]\nhost=h\ndatabase=d\nuser=u\npassword = {password}\n");
        let from_ini = Start::with_ini(&ini).postgres().password.unwrap();
        assert_eq!(from_ini.reveal(), password);
        let without = ini.lines().take(4).collect::<Vec<_>>().join("\n");
        let from_environment = Start::with_ini(&without)
            .env("UNSLOW_POSTGRES_PASSWORD", password)
            .postgres();
        assert_eq!(from_environment.password.unwrap().reveal(), password);
    }
}

#[test]
fn a_url_from_a_higher_layer_replaces_the_parts_below_it() {
    let start = Start::with_ini(ORIGINAL).env("DATABASE_URL", "postgres://other@db:6432/data");
    let postgres = start.postgres();
    assert_eq!((postgres.host.as_str(), postgres.port), ("db", 6432));
    assert_eq!(
        (postgres.database.as_str(), postgres.user.as_str()),
        ("data", "other")
    );
    assert!(
        postgres.password.is_none(),
        "the password of another server must not be sent"
    );
    let origin = start.shown("postgres", "host").1;
    assert_eq!(origin, "environment DATABASE_URL (url)");
}

#[test]
fn parts_from_a_higher_layer_replace_pieces_of_a_url() {
    let ini = "[postgres]\nurl=postgres://u:p%40ss@h:6432/d\n";
    let start = Start::with_ini(ini).flags(&["--db-host", "other"]);
    let postgres = start.postgres();
    assert_eq!((postgres.host.as_str(), postgres.port), ("other", 6432));
    assert_eq!(postgres.password.unwrap().reveal(), "p@ss");
}

#[test]
fn the_password_of_a_url_can_come_from_a_file_beside_it() {
    let ini = "[postgres]\nurl=postgres://u:old@h/d\npassword_file=pw\n\
               [redis]\nurl=redis://:old@r\npassword_file=pw\n";
    let start = Start::with_ini(ini).file("pw", "new\n");
    assert_eq!(start.postgres().password.unwrap().reveal(), "new");
    let redis = start.settings().redis.unwrap();
    assert_eq!(redis.url.reveal(), "redis://r");
    assert_eq!(redis.password.unwrap().reveal(), "new");
}

#[test]
fn a_higher_redis_url_drops_the_password_file_below_it() {
    let start = Start::with_ini("[redis]\nurl=redis://a\npassword_file=pw\n")
        .file("pw", "secret")
        .env("REDIS_URL", "redis://b");
    let redis = start.settings().redis.unwrap();
    assert_eq!((redis.url.reveal(), redis.password), ("redis://b", None));
}

#[test]
fn a_url_that_moves_the_database_does_not_loosen_its_tls() {
    let ini = format!("{ORIGINAL}[cache]\n").replace("user=", "sslmode=verify-full\nuser=");
    let moved = Start::with_ini(&ini).env("DATABASE_URL", "postgres://u@h/d");
    assert_eq!(moved.postgres().sslmode, SslMode::VerifyFull);
    let said = moved.flags(&["--database-url", "postgres://u@h/d?sslmode=require"]);
    assert_eq!(said.postgres().sslmode, SslMode::Require);
}

#[test]
fn libpqs_words_are_settings_and_a_url_says_what_it_leaves_out() {
    let ini = "[postgres]\nhost=h\nuser=u\ndbname=d\noptions=-c geqo=off\nconnect_timeout=3\n\
               application_name=app\nsearch_path=a, b\n";
    let postgres = Start::with_ini(ini).postgres();
    assert_eq!(postgres.database, "d");
    assert_eq!(postgres.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(postgres.application_name, "app");
    let session: Vec<_> = postgres.session_options().collect();
    assert_eq!(session, [("geqo", "off"), ("search_path", "a, b")]);
    let twice = Start::with_ini("[postgres]\ndatabase=a\ndbname=b\n").load();
    assert!(twice.unwrap_err().to_string().contains("app.ini:3"));
    let moved = Start::with_ini(ini).env("DATABASE_URL", "postgres://u@h2/d2?keepalives=1");
    assert_eq!(moved.postgres().options, []);
    let notes = moved.settings().notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("environment DATABASE_URL: [postgres] url: keepalives"));
    let alone = Start::with_ini("[postgres]\napplication_name=x\noptions=-c a=b\n");
    assert!(matches!(alone.settings().database, DatabaseTarget::Demo));
    let system = "[postgres]\nurl=postgres://u@h/d?sslmode=verify-full&sslrootcert=system\n";
    assert_eq!(Start::with_ini(system).postgres().sslrootcert, None);
}

#[test]
fn an_empty_value_takes_back_what_a_lower_layer_says() {
    let start = Start::with_ini(ORIGINAL).flags(&["--database-url=", "--redis-url="]);
    let settings = start.settings();
    assert!(
        matches!(settings.database, DatabaseTarget::Demo),
        "{:?}",
        settings.database
    );
    assert!(settings.redis.is_none());
}

#[test]
fn a_sqlite_file_is_found_from_where_it_was_named() {
    let start = Start::new()
        .file("conf/app.ini", "[postgres]\nurl=sqlite:data.db\n")
        .file("conf/data.db", "")
        .file("other.db", "")
        .flags(&["--config", "conf/app.ini"]);
    let file = |start: &Start| match start.settings().database {
        DatabaseTarget::SqliteFile(path) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(file(&start), start.path().join("conf/data.db"));
    let start = start.flags(&["--database-url", "sqlite:other.db"]);
    assert_eq!(file(&start), start.path().join("other.db"));
    let error = start
        .flags(&["--db-host", "h"])
        .load()
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("--db-host: [postgres] host: "), "{error}");
}

#[test]
fn the_variables_that_many_programs_know_stand_between_file_and_own_ones() {
    let start = Start::with_ini("[server]\nbind=127.0.0.1:1\n").env("PORT", "9000");
    assert_eq!(start.settings().server.bind[0].to_string(), "0.0.0.0:9000");
    let start = start.env("UNSLOW_SERVER_BIND", "127.0.0.1:2");
    assert_eq!(start.settings().server.bind[0].to_string(), "127.0.0.1:2");
    for (value, debug) in [
        ("1", true),
        ("t", true),
        ("Yes", true),
        ("0", false),
        ("*", false),
    ] {
        assert_eq!(
            Start::new().env("DEBUG", value).settings().server.debug,
            debug,
            "{value}"
        );
    }
    let unused = Start::new()
        .env("DATABASE_URL", "")
        .env("PGHOST", "x")
        .env("PGPASSWORD", "y");
    assert!(matches!(unused.settings().database, DatabaseTarget::Demo));
}

#[test]
fn repeated_flags_make_a_list() {
    let start = Start::new().flags(&["-b", "127.0.0.1:1", "--bind", "unix:x"]);
    let bind = start.settings().server.bind;
    assert_eq!(bind[1], BindAddress::Unix(start.path().join("x")));
    assert_eq!(bind.len(), 2);
}

#[test]
fn the_folder_of_queries_is_the_one_beside_the_ini_file() {
    let start = Start::new()
        .file("conf/app.ini", "")
        .file("conf/queries/a.sql", "select 1")
        .flags(&["-c", "conf/app.ini"]);
    assert_eq!(
        start.settings().queries_dir,
        Some(start.path().join("conf/queries"))
    );
    assert_eq!(Start::with_ini("").settings().queries_dir, None);
    let both = start.file("queries/b.sql", "select 1");
    assert_eq!(
        both.settings().queries_dir,
        Some(both.path().join("conf/queries"))
    );
}

#[test]
fn without_an_ini_file_the_folder_of_queries_is_the_one_in_the_working_directory() {
    let start = Start::new().file("queries/a.sql", "select 1");
    let folder = Some(start.path().join("queries"));
    assert_eq!(start.settings().queries_dir, folder);
    assert_eq!(start.shown("queries", "dir").1, "default");
    assert_eq!(start.file("app.ini", "").settings().queries_dir, folder);
    assert_eq!(Start::new().settings().queries_dir, None);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_folder_of_queries_that_leads_nowhere_is_named() {
    let start = Start::new();
    std::os::unix::fs::symlink("nowhere", start.path().join("queries")).unwrap();
    let error = start.load().unwrap_err().to_string();
    assert!(
        error.contains("[queries] dir") && error.contains("cannot be read"),
        "{error}"
    );
}

#[test]
fn what_kubernetes_says_of_a_service_named_unslow_is_passed_over() {
    let links = [
        ("UNSLOW_PORT", "tcp://10.0.0.1:80"),
        ("UNSLOW_SERVICE_HOST", "10.0.0.1"),
        ("UNSLOW_SERVICE_PORT_HTTP", "80"),
        ("UNSLOW_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("UNSLOW_POSTGRES_PORT", "tcp://10.0.0.3:5432"),
    ];
    let start = links
        .iter()
        .fold(Start::new(), |start, (name, text)| start.env(name, text));
    assert!(matches!(start.settings().database, DatabaseTarget::Demo));
    let error = start.env("UNSLOW_CACHE_TTTL", "5s").load().unwrap_err();
    assert!(
        error.to_string().contains("did you mean UNSLOW_CACHE_TTL?"),
        "{error}"
    );
}

#[test]
fn secrets_are_in_no_debug_text_and_not_shown() {
    let ini = "[postgres]\nurl=postgres://u:hunter2@h/d\n[redis]\nurl=redis://:hunter2@r\n\
               [admin]\ntoken_file=token\n";
    let start = Start::with_ini(ini).file("token", "hunter2");
    for loaded in [
        start.load().unwrap(),
        Start::with_ini(&ORIGINAL.replace("secret", "hunter2"))
            .load()
            .unwrap(),
    ] {
        let text = format!("{loaded:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(
        start.shown("postgres", "url").0.unwrap(),
        "postgres://u:***@h/d"
    );
}
