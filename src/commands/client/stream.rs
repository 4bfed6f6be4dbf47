//! The bytes between a command and a server.

use std::io::{Read, Write};

/// Answers to commands are short; whatever goes on beyond this is none.
pub(super) const LONGEST: u64 = 16 << 20;

/// The transport of a request.
pub(super) trait ByteStream: Read + Write + Send {}

impl<T: Read + Write + Send> ByteStream for T {}
