//! A body that is served for long, with its encodings, each made on first use.

use std::sync::OnceLock;

use bytes::Bytes;

use super::encoding::{EncodingEffort, encode};
use super::negotiate::Encoding;

/// A body and its encodings.
#[derive(Debug)]
pub(super) struct EncodedVariants {
    body: Bytes,
    encoded: [OnceLock<Bytes>; 3],
}

impl EncodedVariants {
    /// Takes a body that nothing has been made of.
    pub(super) fn new(body: Bytes) -> EncodedVariants {
        EncodedVariants {
            body,
            encoded: Default::default(),
        }
    }

    /// Returns its length before it is encoded, in bytes.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// Returns the body in this encoding.
    pub(super) fn in_encoding(&self, encoding: Encoding) -> Bytes {
        let slot = match encoding {
            Encoding::Identity => return self.body.clone(),
            Encoding::Gzip => 0,
            Encoding::Brotli => 1,
            Encoding::Zstd => 2,
        };
        self.encoded[slot]
            .get_or_init(|| encode(&self.body, encoding, EncodingEffort::Kept))
            .clone()
    }
}
