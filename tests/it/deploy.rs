//! `unslow deploy` as the program does it: what is written, how it is refused, and that
//! `docs/deploying.md` knows every file. `deploy_serve`, `deploy_database` and `make check-deploy`
//! test what the files do.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::unslow::command;

fn deploy(dir: &Path, args: &[&str]) -> Output {
    let mut all = vec!["deploy"];
    all.extend(args);
    command(&all).current_dir(dir).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every file below a folder, by its path with `/`.
fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, below: &str, into: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{path}/"), into);
            } else {
                into.insert(path);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, "", &mut found);
    found
}

fn assets() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/deploy")
}

fn kinds() -> BTreeSet<String> {
    let entries = fs::read_dir(assets()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns whether a text names a file in code marks: by its path, or by a folder that it is in.
fn names(text: &str, path: &str) -> bool {
    let folders = path.match_indices('/').map(|(at, _)| &path[..=at]);
    folders
        .chain([path])
        .any(|name| text.contains(&format!("`{name}`")))
}

#[test]
fn every_file_of_every_kind_is_written_and_in_the_readmes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("docs/deploying.md")).unwrap();
    assert!(!kinds().is_empty());
    for kind in kinds() {
        let dir = tempfile::tempdir().unwrap();
        let output = deploy(dir.path(), &[&kind, "x"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        let wanted = files(&assets().join(&kind));
        let mut written = files(&dir.path().join("x"));
        assert!(written.remove(".unslow-deploy"));
        assert_eq!(written, wanted, "{kind}");
        assert!(
            chapter.contains(&format!("unslow deploy {kind} ")),
            "{kind}"
        );
        let own = fs::read_to_string(dir.path().join("x/README.md")).unwrap();
        for path in &wanted {
            assert!(
                said.contains(&format!("wrote x/{path}\n")),
                "{path}: {said}"
            );
            assert!(names(&chapter, path), "deploying.md does not name `{path}`");
            let known = path == "README.md" || names(&own, path);
            assert!(known, "{kind}'s README.md does not name `{path}`");
        }
        assert!(said.contains("\nNext, in x:\n\n    "), "{said}");
    }
}

#[test]
fn the_help_names_every_kind() {
    let output = deploy(Path::new("."), &["--help"]);
    let said = text(&output.stdout);
    let known = kinds().into_iter().collect::<Vec<_>>().join(", ");
    assert!(said.contains(&known), "{known:?} is not in {said}");
}

#[test]
fn it_can_be_repeated_and_says_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    assert!(deploy(dir.path(), &["terraform", "x"]).status.success());
    let script = dir.path().join("x/scripts/serve.sh");
    assert_eq!(
        fs::metadata(&script).unwrap().permissions().mode() & 0o111,
        0o111
    );
    fs::remove_file(&script).unwrap();
    let output = deploy(dir.path(), &["terraform", "x"]);
    let said = text(&output.stdout);
    assert!(
        output.status.success() && said.starts_with("wrote x/scripts/serve.sh\n"),
        "{said}"
    );
    assert!(said.contains(" files are as they were\n"), "{said}");

    fs::write(dir.path().join("x/dns.tf"), "mine").unwrap();
    let output = deploy(dir.path(), &["terraform", "x"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("dns.tf") && said.contains("--force"),
        "{said}"
    );
    let output = deploy(dir.path(), &["terraform", "x", "--force"]);
    assert!(text(&output.stdout).starts_with("overwrote x/dns.tf\n"));
    assert!(
        fs::read_to_string(dir.path().join("x/dns.tf"))
            .unwrap()
            .contains("aws_acm_certificate")
    );
}

#[test]
fn what_it_cannot_do_is_refused_with_the_names() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let output = deploy(dir.path(), args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(output.stdout.is_empty());
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    };
    let known = Vec::from_iter(kinds()).join(", ");
    refused(
        &["terraforn", "x"],
        2,
        &["terraforn", "did you mean `terraform`", &known],
    );
    refused(&["terraform"], 2, &["<DIR>"]);
    fs::create_dir(dir.path().join("theirs")).unwrap();
    fs::write(dir.path().join("theirs/photo.jpg"), "").unwrap();
    refused(
        &["terraform", "theirs"],
        1,
        &["theirs is not empty", "photo.jpg"],
    );
    fs::write(dir.path().join("file"), "").unwrap();
    refused(
        &["terraform", "file"],
        1,
        &["file cannot be used as a folder"],
    );
    refused(&["terraform", "file/below"], 1, &["file/below"]);
    let locked = dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write everywhere.
    if fs::write(locked.join("probe"), "").is_err() {
        refused(
            &["terraform", "locked"],
            4,
            &["locked/", "cannot be written"],
        );
        assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
    }
}
