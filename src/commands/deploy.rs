//! `unslow deploy KIND DIR`: writes the files of one kind of deployment, which are embedded, so
//! that they always fit the program. A kind is a folder of `assets/deploy`: a new one needs no edit
//! here. What may be written over what is decided here; how files are replaced is in `place`, and
//! how it is known what somebody has edited in `manifest`.

mod manifest;
mod place;
mod template;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::failure::CommandFailure;
use super::terminal::print_bytes;
use crate::text::words;
use manifest::DeployManifest;
use template::DeployTemplate;

/// Files that Terraform leaves behind when somebody tries the templates where they stand are left
/// out.
#[derive(RustEmbed)]
#[folder = "assets/deploy/"]
#[exclude = "*/.terraform/*"]
#[exclude = "*.terraform.lock.hcl"]
#[exclude = "*.tfstate*"]
#[exclude = "*.tfvars"]
struct EmbeddedTemplates;

/// The file of each kind that explains it. Its first block of shell commands is what is to be done
/// next.
const README: &str = "README.md";

/// The step for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileStep {
    Write,
    Update,
    Overwrite,
    Remove,
}

impl FileStep {
    fn word(self) -> &'static str {
        match self {
            FileStep::Write => "wrote",
            FileStep::Update => "updated",
            FileStep::Overwrite => "overwrote",
            FileStep::Remove => "removed",
        }
    }
}

pub(super) fn run(kind: &str, dir: &Path, force: bool) -> Result<(), CommandFailure> {
    let kinds = all_kinds();
    if !kinds.contains(kind) {
        return Err(unknown_kind(kind, &kinds));
    }
    let templates = kind_templates(kind);
    let before = read_manifest(kind, dir, &templates, force)?;
    let steps = plan_steps(dir, &templates, &before, force)?;
    let after = DeployManifest::new(kind, &templates);
    let changes: Vec<place::FileChange> = steps
        .iter()
        .map(|(path, step)| place::FileChange {
            path,
            content: match step {
                FileStep::Remove => None,
                _ => templates
                    .iter()
                    .find(|template| template.path == *path)
                    .map(|template| template.content.as_ref()),
            },
        })
        .collect();
    let manifest = after.to_text();
    place::apply(dir, &changes, &manifest)
        .map_err(|(path, error)| file_error(&path, "written", &error))?;
    print_report(dir, &steps, &templates)
}

fn unknown_kind(kind: &str, kinds: &BTreeSet<String>) -> CommandFailure {
    let names = || kinds.iter().map(String::as_str);
    CommandFailure::Usage(format!(
        "there is no kind of deployment named {}{}\n  known: {}",
        words::quote_value(kind),
        words::did_you_mean(words::nearest_word(kind, names())),
        names().collect::<Vec<_>>().join(", ")
    ))
}

/// Returns every kind, in the order of the alphabet.
fn all_kinds() -> BTreeSet<String> {
    EmbeddedTemplates::iter()
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect()
}

/// Returns the files of a kind, sorted.
fn kind_templates(kind: &str) -> Vec<DeployTemplate> {
    let prefix = format!("{kind}/");
    let mut found: Vec<DeployTemplate> = EmbeddedTemplates::iter()
        .filter_map(|full| {
            let path = full.strip_prefix(&prefix)?.to_owned();
            let content = EmbeddedTemplates::get(&full)?.data;
            Some(DeployTemplate { path, content })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Returns what was written to this folder earlier. It is an error where the folder is not ours to
/// write to.
fn read_manifest(
    kind: &str,
    dir: &Path,
    templates: &[DeployTemplate],
    force: bool,
) -> Result<DeployManifest, CommandFailure> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(DeployManifest::default()),
        Err(error) => return Err(file_error(dir, "used as a folder", &error)),
    };
    if let Some(manifest) =
        DeployManifest::read(dir).map_err(|(path, error)| file_error(&path, "read", &error))?
    {
        if manifest.kind != kind {
            return Err(CommandFailure::Running(format!(
                "{} holds what `unslow deploy {}` wrote; each kind needs a folder of its own",
                dir.display(),
                manifest.kind
            )));
        }
        return Ok(manifest);
    }
    // A run that was cut off leaves files of ours and no manifest.
    let mut foreign = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|error| file_error(dir, "listed", &error))?
            .file_name();
        let ours = templates
            .iter()
            .any(|template| name.to_str() == template.path.split('/').next());
        if !ours {
            foreign.push(name.to_string_lossy().into_owned());
        }
    }
    foreign.sort();
    if foreign.is_empty() || force {
        return Ok(DeployManifest::default());
    }
    Err(CommandFailure::Running(format!(
        "{} is not empty, and nothing in it was written by `unslow deploy`: {}\n  give a new or an \
         empty folder; --force writes beside what is there",
        dir.display(),
        short_list(&foreign)
    )))
}

/// Returns what has to be done so that the folder holds the templates. Decided for all files before
/// the first one is touched.
fn plan_steps(
    dir: &Path,
    templates: &[DeployTemplate],
    before: &DeployManifest,
    force: bool,
) -> Result<Vec<(String, FileStep)>, CommandFailure> {
    let mut steps = Vec::new();
    let mut edited = Vec::new();
    for template in templates {
        let path = &template.path;
        let content = current_file(dir, path)?;
        let step = match &content {
            CurrentFile::Absent => FileStep::Write,
            CurrentFile::File(bytes) if *bytes == *template.content => continue,
            CurrentFile::File(bytes) if before.has_written(path, bytes) => FileStep::Update,
            CurrentFile::File(_) | CurrentFile::Link if force => FileStep::Overwrite,
            CurrentFile::File(_) | CurrentFile::Link => {
                edited.push(path.clone());
                continue;
            }
        };
        steps.push((path.clone(), step));
    }
    for path in before.paths() {
        if templates.iter().any(|template| template.path == path) {
            continue;
        }
        match current_file(dir, path)? {
            CurrentFile::Absent => {}
            CurrentFile::File(bytes) if force || before.has_written(path, &bytes) => {
                steps.push((path.to_owned(), FileStep::Remove));
            }
            CurrentFile::Link if force => steps.push((path.to_owned(), FileStep::Remove)),
            CurrentFile::File(_) | CurrentFile::Link => edited.push(path.to_owned()),
        }
    }
    if edited.is_empty() {
        return Ok(steps);
    }
    Err(CommandFailure::Running(format!(
        "in {} these files are not as they were written, so nothing was touched: {}\n  keep what \
         you changed elsewhere; --force overwrites them",
        dir.display(),
        edited.join(", ")
    )))
}

/// The present state of a path.
enum CurrentFile {
    Absent,
    File(Vec<u8>),
    /// Followed, it could lead out of the folder.
    Link,
}

fn current_file(dir: &Path, path: &str) -> Result<CurrentFile, CommandFailure> {
    let mut full = dir.to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        full.push(part);
        let kind = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(CurrentFile::Absent),
            Err(error) => return Err(file_error(&full, "looked at", &error)),
        };
        let last = at + 1 == parts.len();
        if last && kind.is_symlink() {
            return Ok(CurrentFile::Link);
        }
        if (last && !kind.is_file()) || (!last && !kind.is_dir()) {
            let wanted = if last { "file" } else { "folder" };
            return Err(CommandFailure::Running(format!(
                "{} is in the way: a {wanted} of this name is to be written",
                full.display()
            )));
        }
    }
    match fs::read(&full) {
        Ok(bytes) => Ok(CurrentFile::File(bytes)),
        Err(error) => Err(file_error(&full, "read", &error)),
    }
}

fn file_error(path: &Path, done: &str, error: &io::Error) -> CommandFailure {
    let text = format!("{} cannot be {done}: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied => CommandFailure::NoPrivilege(text),
        _ => CommandFailure::Running(text),
    }
}

/// Returns a list that stays readable.
fn short_list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn print_report(
    dir: &Path,
    steps: &[(String, FileStep)],
    templates: &[DeployTemplate],
) -> Result<(), CommandFailure> {
    let full = |path: &str| {
        path.split('/')
            .fold(PathBuf::from(dir), |full, part| full.join(part))
    };
    let mut lines: Vec<String> = steps
        .iter()
        .map(|(path, step)| format!("{} {}", step.word(), full(path).display()))
        .collect();
    let written = steps
        .iter()
        .filter(|(_, step)| *step != FileStep::Remove)
        .count();
    match templates.len() - written {
        0 => {}
        1 => lines.push("1 file is as it was".to_owned()),
        kept => lines.push(format!("{kept} files are as they were")),
    }
    let readme = templates.iter().find(|template| template.path == README);
    let readme = readme.map(|template| String::from_utf8_lossy(&template.content));
    if let Some(commands) = readme.as_deref().and_then(first_commands) {
        lines.push(format!("\nNext, in {}:\n", dir.display()));
        lines.extend(commands.lines().map(|line| format!("    {line}")));
        lines.push(format!("\n{} says the rest.", full(README).display()));
    }
    print_bytes(format!("{}\n", lines.join("\n")).as_bytes())
}

/// Returns the first block of shell commands of a text in Markdown.
fn first_commands(markdown: &str) -> Option<&str> {
    let (_, rest) = markdown.split_once("```sh\n")?;
    Some(rest.split_once("```")?.0)
}

#[cfg(test)]
mod tests;
