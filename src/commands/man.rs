//! `unslow man` and `unslow completions`: both are made from the definitions that the help is made
//! from, so that they cannot differ from the program.

use std::io;

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Failure, print};
use crate::{flags, settings};

/// What is not in the definitions: exit codes, as scripts rely on them.
const EXIT: [(&str, &str); 7] = [
    ("0", "It was done. With status: it runs."),
    (
        "1",
        "It failed while running. With status: it died and left its pidfile.",
    ),
    ("2", "The command line makes no sense."),
    ("3", "Only with status: it does not run."),
    (
        "4",
        "Whoever asks may not. With status: that cannot be told.",
    ),
    ("6", "The settings or a query file are not in order."),
    ("7", "It does not run; with stop that is a 0."),
];

pub(super) fn page() -> Result<(), Failure> {
    let listed: Vec<_> = settings::flags().collect();
    let mut page = Vec::new();
    let exit = exit_codes();
    render(flags::definition(&listed), &mut page)?;
    exit.to_writer(&mut page)?;
    print(&page)
}

fn render(definition: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    Man::new(definition).manual("User Commands").render(page)
}

fn exit_codes() -> Roff {
    let mut section = Roff::default();
    section.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT {
        section.control("TP", []);
        section.text([bold(code)]);
        section.text([roman(meaning)]);
    }
    section
}

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let listed: Vec<_> = settings::flags().collect();
    let mut definition = flags::definition(&listed);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, "unslow", &mut script);
    print(&script)
}
