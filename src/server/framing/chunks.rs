//! The end of a body in chunks. Its tests are those of the requests around it.

/// A place in a body in chunks.
#[derive(Debug, Clone, Copy)]
pub(super) enum ChunkState {
    /// The place within the digits of a size.
    Size(u64),
    /// The place behind the digits.
    Extension(u64),
    /// So many bytes before the next size, with the end of line between.
    Data(u64),
    /// The place behind the last chunk, at the beginning of a line.
    End,
    EndFeed,
    Trailer,
    TrailerFeed,
}

impl Default for ChunkState {
    fn default() -> ChunkState {
        ChunkState::Size(0)
    }
}

impl ChunkState {
    /// Returns how many of the bytes belong to the body, and whether it ends behind them.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let ChunkState::Data(left) = self {
                at += take(left, bytes.len() - at);
                if *left == 0 {
                    *self = ChunkState::Size(0);
                }
                continue;
            }
            at += 1;
            *self = match (*self, byte) {
                (ChunkState::Size(0) | ChunkState::Extension(0), b'\n')
                | (ChunkState::TrailerFeed, _) => ChunkState::End,
                (ChunkState::Size(size) | ChunkState::Extension(size), b'\n') => {
                    ChunkState::Data(size.saturating_add("\r\n".len() as u64))
                }
                (ChunkState::Size(size), digit) => match char::from(*digit).to_digit(16) {
                    Some(digit) => {
                        ChunkState::Size(size.saturating_mul(16).saturating_add(digit.into()))
                    }
                    None => ChunkState::Extension(size),
                },
                (ChunkState::End, b'\r') => ChunkState::EndFeed,
                (ChunkState::EndFeed, _) => return (at, true),
                (ChunkState::Trailer, b'\r') => ChunkState::TrailerFeed,
                (ChunkState::End | ChunkState::Trailer, _) => ChunkState::Trailer,
                (same @ (ChunkState::Extension(_) | ChunkState::Data(_)), _) => same,
            };
        }
        (at, false)
    }
}

/// Takes as many of `available` bytes as are left.
pub(super) fn take(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= taken as u64;
    taken
}
