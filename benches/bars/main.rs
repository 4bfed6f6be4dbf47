//! `make bench`: the figures that the cache promises, each measured against its bar, in one table.
//!
//! What is compared is processor time of the server per request (user and system, of all its
//! processes), because requests per second swing with whatever else the machine does. Rivals
//! serve the same bytes and take turns in one run; medians count. This file owns the table and
//! the order; `rows` the single figures, `load` the requests, `process` the servers, `bare` the
//! bare actix rivals, `others` nginx, Varnish and gunicorn.
//!
//! `cargo bench --bench bars -- WORD…` measures only the rows that hold one of the words.
//! `BENCH_SECONDS` and `BENCH_ROUNDS` are how long each contender runs in a round, and how often.

mod bare;
mod load;
mod others;
mod process;
mod rows;

use std::error::Error;
use std::process::ExitCode;

/// Both sides allocate alike: as the program does.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) type Measured<T> = Result<T, Box<dyn Error>>;

/// One line of the table.
pub(crate) struct Row {
    pub(crate) figure: &'static str,
    pub(crate) bar: &'static str,
    /// The measured value in words; the reason, where there is none.
    pub(crate) measured: String,
    /// `None` where nothing was measured.
    pub(crate) met: Option<bool>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == bare::ROLE) {
        return finish(bare::serve(&arguments[1..]));
    }
    // `cargo test --benches` starts this too, and means a test.
    if !arguments.iter().any(|word| word == "--bench") {
        println!("measures only under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    finish(measure(&words))
}

fn finish(result: Measured<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(words: &[&str]) -> Measured<()> {
    let mut table = Vec::new();
    for (name, rows) in rows::ALL {
        if words.is_empty() || words.iter().any(|word| name.contains(word)) {
            eprintln!("measuring: {name}");
            table.extend(rows()?);
        }
    }
    print(&table);
    Ok(())
}

/// Prints in Markdown, so that it can be pasted.
fn print(table: &[Row]) {
    println!("\n| Figure | Bar | Measured | Met |\n|---|---|---|---|");
    for row in table {
        let met = row
            .met
            .map_or("–", |met| if met { "yes" } else { "**no**" });
        println!(
            "| {} | {} | {} | {met} |",
            row.figure, row.bar, row.measured
        );
    }
}
