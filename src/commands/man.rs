//! `unslow man` and `unslow completions`: both are made from the definitions that the help is made
//! from, so that they cannot differ from the program.

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::failure::CommandFailure;
use super::terminal::print_bytes;
use crate::{flags, settings};

/// The part that is not in the definitions: exit codes, as scripts rely on them.
const EXIT: [(&str, &str); 7] = [
    ("0", "The command succeeded. With status: the daemon runs."),
    (
        "1",
        "The command failed while it ran. With status: the daemon has died and left its pidfile.",
    ),
    ("2", "The command line is wrong."),
    ("3", "With status alone: the daemon does not run."),
    (
        "4",
        "The user may not do this. With status: the state of the daemon is unknown.",
    ),
    ("6", "The settings or a query file hold an error."),
    ("7", "The daemon does not run; stop ends with 0 then."),
];

const FILES: [(&str, &str); 4] = [
    (
        "app.ini",
        "The settings, in the working directory; `unslow init` writes one that explains itself.",
    ),
    ("queries/*.sql", "The queries, beside it."),
    (
        "unslow.pid",
        "Who runs. Its lock counts, not its number. In $RUNTIME_DIRECTORY, else in \
         $XDG_RUNTIME_DIR/unslow, else beside the settings.",
    ),
    (
        "unslow.pid.ctl",
        "The socket on which the daemon takes commands: a line of JSON asks, a line answers.",
    ),
];

pub(super) fn print_page() -> Result<(), CommandFailure> {
    let listed: Vec<_> = settings::all_flags().collect();
    let mut definition = flags::command_definition(&listed);
    definition.build();
    let man = Man::new(definition.clone()).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    write_head(&definition).to_writer(&mut page)?;
    write_commands(&definition).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    for (title, entries) in [
        ("SIGNALS", &flags::SIGNALS[..]),
        ("EXIT STATUS", &EXIT),
        ("FILES", &FILES),
    ] {
        write_section(title, entries).to_writer(&mut page)?;
    }
    print_bytes(&page)
}

/// Returns what it is, and how it is called.
fn write_head(definition: &clap::Command) -> Roff {
    let about = definition.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let mut paragraphs = about.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let mut head = Roff::default();
    head.control("SH", ["NAME"]);
    head.text([roman(format!("unslow - {}", first.trim_end_matches('.')))]);
    head.control("SH", ["SYNOPSIS"]);
    head.text([bold("unslow"), roman(" [COMMAND] [OPTIONS]")]);
    head.control("SH", ["DESCRIPTION"]);
    for paragraph in paragraphs {
        head.text([roman(paragraph)]);
    }
    head
}

/// Returns each command, with what it takes besides the settings.
fn write_commands(definition: &clap::Command) -> Roff {
    let mut section = Roff::default();
    section.control("SH", ["COMMANDS"]);
    let named = definition.get_subcommands();
    for command in named.filter(|command| command.get_name() != "help") {
        let own = |argument: &&clap::Arg| {
            !argument.is_hide_set() && !argument.is_global_set() && argument.get_id() != "help"
        };
        let mut arguments: Vec<_> = command.get_arguments().filter(own).collect();
        arguments.sort_by_key(|argument| !argument.is_positional());
        let mut name: Vec<Inline> = vec![bold(command.get_name())];
        for argument in &arguments {
            let argument = if argument.is_positional() {
                argument.to_string()
            } else {
                format!("[{argument}]")
            };
            name.push(roman(format!(" {argument}")));
        }
        section.control("TP", []);
        section.text(name);
        let about = command.get_about().map(ToString::to_string);
        section.text([roman(about.unwrap_or_default() + ".")]);
        for argument in arguments {
            let help = argument.get_help().map(ToString::to_string);
            section.control("RS", []);
            section.control("TP", []);
            section.text([bold(argument.to_string())]);
            section.text([roman(help.unwrap_or_default())]);
            section.control("RE", []);
        }
    }
    section
}

fn write_section(title: &str, entries: &[(&str, &str)]) -> Roff {
    let mut section = Roff::default();
    section.control("SH", [title]);
    for (name, meaning) in entries {
        section.control("TP", []);
        section.text([bold(*name)]);
        section.text([roman(*meaning)]);
    }
    section
}

pub(super) fn print_completions(shell: Shell) -> Result<(), CommandFailure> {
    let listed: Vec<_> = settings::all_flags().collect();
    let mut definition = flags::command_definition(&listed);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, "unslow", &mut script);
    print_bytes(&script)
}
