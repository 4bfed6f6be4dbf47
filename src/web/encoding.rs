//! Encoding a body for the wire. The callers decide when and how often.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiate::{AcceptedCodings, Encoding};

/// The bytes below which an encoded body saves less than its header costs.
const WORTH_ENCODING: usize = 1024;

/// The use of an encoded body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EncodingEffort {
    /// One response: quick.
    Once,
    /// Every response of an entry's life: small.
    Kept,
}

/// Returns the encoding to use for a body of this length: small ones go as they are, unless the
/// client refuses that.
pub(super) fn choose_encoding(accepted: AcceptedCodings, length: usize) -> Encoding {
    accepted.choose_encoding(length >= WORTH_ENCODING)
}

/// Returns the encoded body.
pub(super) fn encode(body: &[u8], encoding: Encoding, effort: EncodingEffort) -> Bytes {
    let kept = effort == EncodingEffort::Kept;
    let encoded = match encoding {
        Encoding::Identity => Ok(body.to_vec()),
        Encoding::Gzip => encode_gzip(body, Compression::new(if kept { 6 } else { 1 })),
        Encoding::Brotli => Ok(encode_brotli(body, if kept { 5 } else { 1 })),
        Encoding::Zstd => zstd::bulk::compress(body, if kept { 6 } else { 1 }),
    };
    encoded.expect("writing to memory does not fail").into()
}

fn encode_gzip(body: &[u8], level: Compression) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    encoder.write_all(body)?;
    encoder.finish()
}

fn encode_brotli(body: &[u8], quality: i32) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality,
        ..Default::default()
    };
    let mut encoded = Vec::with_capacity(body.len() / 4);
    brotli::BrotliCompress(&mut &*body, &mut encoded, &parameters)
        .expect("writing to memory does not fail");
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use actix_web::http::header::{self, HeaderMap, HeaderValue};
    use std::io::Read;

    #[test]
    fn every_encoding_decodes_to_the_body() {
        let body = "a body that repeats itself, ".repeat(200).into_bytes();
        for effort in [EncodingEffort::Once, EncodingEffort::Kept] {
            let mut gunzipped = Vec::new();
            flate2::read::GzDecoder::new(&encode(&body, Encoding::Gzip, effort)[..])
                .read_to_end(&mut gunzipped)
                .unwrap();
            assert_eq!(gunzipped, body);
            let mut unbrotlied = Vec::new();
            let encoded = encode(&body, Encoding::Brotli, effort);
            brotli::BrotliDecompress(&mut &encoded[..], &mut unbrotlied).unwrap();
            assert_eq!(unbrotlied, body);
            let encoded = encode(&body, Encoding::Zstd, effort);
            assert_eq!(zstd::bulk::decompress(&encoded, body.len()).unwrap(), body);
            assert_eq!(encode(&body, Encoding::Identity, effort), body);
        }
    }

    #[test]
    fn small_bodies_go_as_they_are() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let chosen = |length| choose_encoding(AcceptedCodings::read(&headers), length);
        assert_eq!(chosen(WORTH_ENCODING - 1), Encoding::Identity);
        assert_eq!(chosen(WORTH_ENCODING), Encoding::Gzip);
    }
}
