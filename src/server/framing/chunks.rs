//! The end of a body in chunks. Its tests are those of the requests around it.

/// A place in a body in chunks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chunk {
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

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk::Size(0)
    }
}

impl Chunk {
    /// Returns how many of the bytes belong to the body, and whether it ends behind them.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Chunk::Data(left) = self {
                at += take(left, bytes.len() - at);
                if *left == 0 {
                    *self = Chunk::Size(0);
                }
                continue;
            }
            at += 1;
            *self = match (*self, byte) {
                (Chunk::Size(0) | Chunk::Extension(0), b'\n') | (Chunk::TrailerFeed, _) => {
                    Chunk::End
                }
                (Chunk::Size(size) | Chunk::Extension(size), b'\n') => {
                    Chunk::Data(size.saturating_add("\r\n".len() as u64))
                }
                (Chunk::Size(size), digit) => match char::from(*digit).to_digit(16) {
                    Some(digit) => {
                        Chunk::Size(size.saturating_mul(16).saturating_add(digit.into()))
                    }
                    None => Chunk::Extension(size),
                },
                (Chunk::End, b'\r') => Chunk::EndFeed,
                (Chunk::EndFeed, _) => return (at, true),
                (Chunk::Trailer, b'\r') => Chunk::TrailerFeed,
                (Chunk::End | Chunk::Trailer, _) => Chunk::Trailer,
                (same @ (Chunk::Extension(_) | Chunk::Data(_)), _) => same,
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
