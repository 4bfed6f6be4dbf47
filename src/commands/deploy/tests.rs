//! What is written, and over what. The deployments themselves are tested in `tests/it/deploy*`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

const KIND: &str = "terraform";

fn deployed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(KIND, dir.path(), false).unwrap();
    dir
}

fn refused(dir: &Path, force: bool) -> (u8, String) {
    let failure = run(KIND, dir, force).unwrap_err();
    (failure.exit_code(), failure.message().unwrap())
}

fn read(dir: &TempDir, path: &str) -> String {
    fs::read_to_string(dir.path().join(path)).unwrap()
}

/// Has the folder's manifest say that this is what was written.
fn claim(dir: &TempDir, path: &str, content: &str) {
    fs::write(dir.path().join(path), content).unwrap();
    let mut all = kind_templates(KIND);
    all.retain(|template| template.path != path);
    all.push(DeployTemplate {
        path: path.to_owned(),
        content: content.as_bytes().to_vec().into(),
    });
    let manifest = DeployManifest::new(KIND, &all).to_text();
    fs::write(dir.path().join(manifest::NAME), manifest).unwrap();
}

#[test]
fn every_file_is_written_and_scripts_can_be_run() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("not/there/yet");
    run(KIND, &new, false).unwrap();
    for template in kind_templates(KIND) {
        let path = new.join(&template.path);
        assert_eq!(fs::read(&path).unwrap(), *template.content);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let script = template.content.starts_with(b"#!");
        assert_eq!(mode & 0o100 != 0, script, "{}", path.display());
    }
    assert!(new.join(manifest::NAME).exists());
}

#[test]
fn an_unknown_kind_lists_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["teraform", "", "terraform/", "..", "terraform/tests"] {
        let failure = run(kind, &dir.path().join("x"), false).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        let message = failure.message().unwrap();
        assert!(
            message.contains("known: ") && message.contains(KIND),
            "{message}"
        );
    }
    let failure = run("teraform", dir.path(), false).unwrap_err();
    assert!(
        failure
            .message()
            .unwrap()
            .contains("did you mean `terraform`")
    );
    assert!(!dir.path().join("x").exists());
}

#[test]
fn a_later_run_changes_what_nobody_has_edited_and_leaves_the_rest() {
    let dir = deployed();
    fs::write(dir.path().join("terraform.tfvars"), "mine").unwrap();
    fs::remove_file(dir.path().join("dns.tf")).unwrap();
    claim(&dir, "outputs.tf", "as an earlier version wrote it");
    run(KIND, dir.path(), false).unwrap();
    assert!(read(&dir, "outputs.tf").contains("output \"url\""));
    assert!(dir.path().join("dns.tf").exists());
    assert_eq!(read(&dir, "terraform.tfvars"), "mine");
    assert!(fs::read_dir(dir.path()).unwrap().all(|entry| {
        !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("unslow-new")
    }));
}

#[test]
fn an_edited_file_is_refused_by_name_and_nothing_else_is_touched() {
    let dir = deployed();
    fs::write(dir.path().join("network.tf"), "mine").unwrap();
    fs::remove_file(dir.path().join("dns.tf")).unwrap();
    let (code, message) = refused(dir.path(), false);
    assert_eq!(code, 1);
    assert!(
        message.contains("network.tf") && message.contains("--force"),
        "{message}"
    );
    assert!(!message.contains("dns.tf"), "{message}");
    assert!(!dir.path().join("dns.tf").exists());
    assert_eq!(read(&dir, "network.tf"), "mine");
    run(KIND, dir.path(), true).unwrap();
    assert!(read(&dir, "network.tf").contains("aws_vpc"));
}

#[test]
fn a_file_that_is_no_longer_written_goes_unless_it_was_edited() {
    let dir = deployed();
    claim(&dir, "old.tf", "as an earlier version wrote it");
    run(KIND, dir.path(), false).unwrap();
    assert!(!dir.path().join("old.tf").exists());
    claim(&dir, "old.tf", "as an earlier version wrote it");
    fs::write(dir.path().join("old.tf"), "mine").unwrap();
    assert!(refused(dir.path(), false).1.contains("old.tf"));
    assert_eq!(read(&dir, "old.tf"), "mine");
    run(KIND, dir.path(), true).unwrap();
    assert!(!dir.path().join("old.tf").exists());
}

#[test]
fn a_folder_that_is_not_ours_is_refused_with_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("photo.jpg"), "").unwrap();
    fs::write(dir.path().join("main.tf"), "theirs").unwrap();
    let (code, message) = refused(dir.path(), false);
    assert_eq!(code, 1);
    assert!(message.contains("main.tf, photo.jpg"), "{message}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    run(KIND, dir.path(), true).unwrap();
    assert_eq!(read(&dir, "main.tf"), "theirs");
    assert!(dir.path().join("network.tf").exists());
}

#[test]
fn a_run_that_was_cut_off_can_be_repeated() {
    let dir = deployed();
    fs::remove_file(dir.path().join(manifest::NAME)).unwrap();
    fs::remove_file(dir.path().join("network.tf")).unwrap();
    run(KIND, dir.path(), false).unwrap();
    assert!(dir.path().join("network.tf").exists());
}

#[test]
fn the_folder_of_another_kind_is_refused_even_by_force() {
    let dir = deployed();
    let text = read(&dir, manifest::NAME).replace("kind: terraform", "kind: nginx");
    fs::write(dir.path().join(manifest::NAME), text).unwrap();
    for force in [false, true] {
        assert!(refused(dir.path(), force).1.contains("unslow deploy nginx"));
    }
}

#[test]
fn what_is_in_the_way_is_named_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(
        refused(&file, true)
            .1
            .contains("file cannot be used as a folder")
    );
    let dir = deployed();
    fs::remove_file(dir.path().join("network.tf")).unwrap();
    fs::create_dir(dir.path().join("network.tf")).unwrap();
    assert!(
        refused(dir.path(), true)
            .1
            .contains("network.tf is in the way")
    );
    fs::remove_dir(dir.path().join("network.tf")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("x"), "theirs").unwrap();
    symlink(elsewhere.path().join("x"), dir.path().join("network.tf")).unwrap();
    assert!(refused(dir.path(), false).1.contains("network.tf"));
    run(KIND, dir.path(), true).unwrap();
    assert_eq!(
        fs::read_to_string(elsewhere.path().join("x")).unwrap(),
        "theirs"
    );
    assert!(read(&dir, "network.tf").contains("aws_vpc"));
    fs::remove_dir_all(dir.path().join("scripts")).unwrap();
    symlink(elsewhere.path(), dir.path().join("scripts")).unwrap();
    assert!(
        refused(dir.path(), true)
            .1
            .contains("scripts is in the way")
    );
}

#[test]
fn what_is_next_comes_from_the_readme_of_each_kind() {
    for kind in all_kinds() {
        let readme = kind_templates(&kind)
            .into_iter()
            .find(|template| template.path == README);
        let readme = readme.unwrap_or_else(|| panic!("{kind} has no {README}"));
        let text = String::from_utf8(readme.content.into_owned()).unwrap();
        assert!(first_commands(&text).is_some_and(|commands| commands.lines().count() > 0));
    }
}
