//! What holds for every page at once. `samples` has the pages in their main states, `dom` reads
//! markup. Tests of one page's own words stand below that page.

#![allow(clippy::unwrap_used, reason = "tests")]

mod dom;
mod look;
mod samples;
mod structure;
mod words;

/// Writes the sample pages with their style into the folder named by `UNSLOW_PREVIEW_DIR`, to be
/// looked at in a browser. Does nothing where the variable is not set.
#[test]
fn the_sample_pages_can_be_written_out_to_be_looked_at() {
    let Some(dir) = std::env::var_os("UNSLOW_PREVIEW_DIR") else {
        return;
    };
    let dir = std::path::PathBuf::from(dir);
    std::fs::create_dir_all(&dir).unwrap();
    for (name, page) in samples::pages(str::to_owned) {
        std::fs::write(dir.join(name).with_extension("html"), page.0).unwrap();
    }
    std::fs::write(dir.join("style.css"), look::STYLE).unwrap();
    std::fs::write(dir.join("favicon.svg"), look::FAVICON).unwrap();
}
