//! The identity of a SQLite file: its device and inode, the moment it was made, and the part of its
//! own header that no write changes. A file under the same name that replaces another, or is on
//! another machine, is another database.

use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::system::DatabaseSystem;

/// The header of a database file.
const HEADER: usize = 100;

/// The beginning of every header.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The fields of the header that tell files apart: page size, schema cookie (the tables were made
/// or changed another number of times), encoding, user version and application id. The counters of
/// changes and pages are left out: each write changes them.
const FIELDS: [Range<usize>; 5] = [16..18, 40..44, 56..60, 60..64, 68..72];

/// Returns the identity of the file at this path; `None` where there is none, or what is there is
/// no database: damaged, just being copied, or without anything in it yet. The file of before may
/// come back.
pub(super) fn system_at(path: &Path) -> Option<DatabaseSystem> {
    // Both from what was opened: the name may lead elsewhere at the next moment.
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    if !header.starts_with(MAGIC) {
        return None;
    }
    let mut name = format!("sqlite:{}", place(&metadata));
    for byte in FIELDS.into_iter().flatten() {
        let _ = write!(name, "{:02x}", header[byte]);
    }
    Some(DatabaseSystem::with_name(&name))
}

#[cfg(unix)]
fn place(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    let (device, inode, made) = (metadata.dev(), metadata.ino(), made(metadata));
    format!("{device}:{inode}:{made}:")
}

#[cfg(not(unix))]
fn place(metadata: &Metadata) -> String {
    format!("{}:", made(metadata))
}

/// Nanoseconds since 1970; 0 where the file system does not keep it.
fn made(metadata: &Metadata) -> u128 {
    let made = metadata.created().ok();
    let since = made.and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    since.unwrap_or_default().as_nanos()
}
