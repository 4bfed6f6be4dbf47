//! Files that SQLite cannot read as they are, and users who may not: each is served all the same, or
//! refused with its own cause and remedy, and never called a query that is no read. What happens
//! while the program runs is in `faults_sqlite`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::daemon_home::{ended, install, text};
use crate::db_support::writer;
use crate::unslow::Unslow;

const QUERY: (&str, &str) = ("queries/value.sql", "select max(n) as n from thing");

/// A folder with a file, a query on it, and a writer that has the file open.
struct Case {
    dir: TempDir,
    runtime: Runtime,
    writer: Option<SqliteConnection>,
}

impl Case {
    fn new(sql: &'static str) -> Case {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::create_dir(dir.path().join("queries")).unwrap();
        fs::write(dir.path().join(QUERY.0), QUERY.1).unwrap();
        let runtime = Runtime::new().unwrap();
        let writer = runtime.block_on(writer(&dir.path().join("data/thing.db")));
        let mut case = Case {
            dir,
            runtime,
            writer: Some(writer),
        };
        case.write(sql);
        case
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("data/thing.db")
    }

    fn write(&mut self, sql: &'static str) {
        let writer = self.writer.as_mut().unwrap();
        let done = self.runtime.block_on(sqlx::raw_sql(sql).execute(writer));
        done.unwrap();
    }

    fn close(&mut self) {
        let writer = self.writer.take().unwrap();
        self.runtime.block_on(writer.close()).unwrap();
    }

    /// Copies the files as a crash would leave them now, without their writer.
    fn crash(&self, suffixes: &[&str]) -> PathBuf {
        let folder = self.dir.path().join("crashed");
        fs::create_dir(&folder).unwrap();
        for suffix in suffixes {
            let name = format!("thing.db{suffix}");
            fs::copy(self.dir.path().join("data").join(&name), folder.join(name)).unwrap();
        }
        folder.join("thing.db")
    }

    /// `unslow query value` on this file, as this user.
    fn query(&self, file: &Path, user: Option<u32>) -> Output {
        let binary = self.dir.path().join("unslow");
        if !binary.exists() {
            install(&binary);
        }
        let mut command = Command::new(binary);
        let url = format!("sqlite:{}", file.display());
        command
            .args(["query", "value", "--database-url", &url])
            .args(["--queries", "queries", "--format", "json"])
            .env_clear()
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        command.output().unwrap()
    }
}

/// A process that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const NOBODY: Option<u32> = Some(65_534);

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tested: becoming another user takes root");
    }
    root
}

const WAL: &str = "pragma journal_mode = wal; create table thing (n integer); \
                   insert into thing values (7)";

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    ended(output, 1, words);
    let said = text(output);
    assert!(
        !said.contains("not a read") && !said.contains("refused"),
        "{said}"
    );
}

#[test]
fn a_closed_write_ahead_log_is_read_in_a_folder_that_cannot_be_written() {
    if !is_root() {
        return;
    }
    let mut case = Case::new(WAL);
    case.close();
    assert!(!case.file().with_extension("db-wal").exists());
    ended(&case.query(&case.file(), NOBODY), 0, &[r#"{"n":7}"#]);
    assert_eq!(
        fs::read_dir(case.dir.path().join("data")).unwrap().count(),
        1
    );
    ended(&case.query(&case.file(), None), 0, &[r#"{"n":7}"#]);
}

#[test]
fn a_write_ahead_log_of_a_program_that_runs_is_read_beside_it() {
    if !is_root() {
        return;
    }
    let case = Case::new(WAL);
    for suffix in ["", "-wal", "-shm"] {
        let file = case.dir.path().join(format!("data/thing.db{suffix}"));
        fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    ended(&case.query(&case.file(), NOBODY), 0, &[r#"{"n":7}"#]);
}

#[test]
fn a_write_ahead_log_of_a_crash_is_read_or_named_with_its_remedy() {
    if !is_root() {
        return;
    }
    let case = Case::new(WAL);
    let file = case.crash(&["", "-wal"]);
    let said = case.query(&file, NOBODY);
    refused(
        &said,
        &["thing.db-wal", "write to its folder", "wal_checkpoint"],
    );
    ended(&case.query(&file, None), 0, &[r#"{"n":7}"#]);
}

#[test]
fn a_journal_of_a_crash_is_named_with_its_remedy_and_the_database_is_away() {
    let mut case = Case::new(
        "pragma cache_size = 2; create table thing (n integer, filler text); \
         with recursive r(n) as (select 1 union all select n + 1 from r where n < 2000) \
         insert into thing select 7, hex(randomblob(200)) from r",
    );
    case.write("begin; update thing set n = 8, filler = hex(randomblob(200))");
    let file = case.crash(&["", "-journal"]);
    case.write("rollback");
    refused(
        &case.query(&file, None),
        &["thing.db-journal", "rolled back", "sqlite3"],
    );
    let url = format!("sqlite:{}", file.display());
    let unslow = Unslow::start_with(
        &["--queries", "queries", "--database-url", &url],
        &[QUERY],
        &[],
    );
    let answer = unslow.get("/q/value.json");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(unslow.get("/readyz").json()["database"], "down");
    // The remedy.
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let mut mending = writer(&file).await;
        let count = sqlx::raw_sql("select count(*) from sqlite_schema");
        count.execute(&mut mending).await.unwrap();
        mending.close().await.unwrap();
    });
    crate::servers::wait_until("it is read again", || {
        unslow.get("/q/value.json").status == 200
    });
    assert_eq!(unslow.get("/q/value.json").json()["rows"][0]["n"], 7);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let mut case = Case::new(WAL);
    case.close();
    let data = case.dir.path().join("data");
    // These are known before anything is opened.
    let missing = case.query(&data.join("other.db"), None);
    ended(&missing, 6, &["[postgres] url", "other.db", "No such file"]);
    ended(&case.query(&data, None), 6, &["[postgres] url", "a folder"]);
    let file = data.join("text.db");
    fs::write(&file, "this is no database at all".repeat(100)).unwrap();
    refused(
        &case.query(&file, None),
        &["text.db", "no database of SQLite", "encrypted"],
    );
    let mut bytes = fs::read(case.file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xff);
    let damaged = data.join("damaged.db");
    fs::write(&damaged, bytes).unwrap();
    refused(
        &case.query(&damaged, None),
        &["damaged.db", "integrity_check"],
    );
    if is_root() {
        fs::set_permissions(case.file(), Permissions::from_mode(0o600)).unwrap();
        let said = case.query(&case.file(), NOBODY);
        ended(&said, 6, &["[postgres] url", "Permission denied"]);
        fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
        let said = case.query(&case.file(), NOBODY);
        ended(&said, 6, &["[postgres] url", "Permission denied"]);
    }
}

#[test]
fn a_file_that_goes_away_or_becomes_something_else_says_which() {
    for (words, becomes_folder) in [("is not there", false), ("is a folder", true)] {
        let mut case = Case::new(WAL);
        case.close();
        let file = case.file();
        let url = format!("sqlite:{}", file.display());
        let arguments = ["--queries", "queries", "--database-url", &url];
        let unslow = Unslow::start_with(&arguments, &[QUERY], &[]);
        fs::remove_file(&file).unwrap();
        if becomes_folder {
            fs::create_dir(&file).unwrap();
        }
        assert_eq!(unslow.get("/q/value.json").status, 503);
        // The file is looked at once more before that is said.
        crate::servers::wait_until("it is said to be down", || {
            unslow.get("/readyz").json()["database"] == "down"
        });
        assert!(unslow.log().contains(words), "{}", unslow.log());
    }
}

#[test]
fn a_file_that_another_program_has_locked_says_so() {
    let mut case = Case::new("create table thing (n integer)");
    case.write("begin exclusive");
    refused(
        &case.query(&case.file(), None),
        &["another program has locked", "thing.db"],
    );
    case.write("rollback");
    ended(&case.query(&case.file(), None), 0, &[r#"{"n":null}"#]);
}

#[test]
fn a_frozen_file_that_is_written_to_is_seen_as_it_is_then() {
    if !is_root() {
        return;
    }
    let mut case = Case::new(WAL);
    case.close();
    // A server of nobody's in root's folder.
    let file = case.file();
    let address = crate::daemon_support::free_address().to_string();
    let binary = case.dir.path().join("unslow");
    install(&binary);
    let url = format!("sqlite:{}", file.display());
    let server = Command::new(&binary)
        .args(["--bind", &address, "--queries", "queries", "--ttl", "1ms"])
        .args(["--stale-while-revalidate", "0s", "--database-url", &url])
        .env_clear()
        .current_dir(case.dir.path())
        .stdin(Stdio::null())
        .uid(65_534)
        .gid(65_534)
        .spawn()
        .unwrap();
    let _server = Killed(server);
    let value = || {
        let address = address.parse().unwrap();
        let mut client = crate::daemon_clients::Client::new(address, "/q/value.json");
        client.ask(true).ok().map(|(_, body)| body)
    };
    let sees = |n: &str| value().is_some_and(|body| body.contains(n));
    crate::servers::wait_until("it serves", || sees(r#"{"n":7}"#));
    let runtime = Runtime::new().unwrap();
    for (sql, n) in [
        ("insert into thing values (8)", r#"{"n":8}"#),
        ("insert into thing values (9)", r#"{"n":9}"#),
    ] {
        runtime.block_on(async {
            let mut writing = writer(&file).await;
            sqlx::raw_sql(sql).execute(&mut writing).await.unwrap();
            writing.close().await.unwrap();
        });
        crate::servers::wait_until("the change is seen", || sees(n));
    }
}
