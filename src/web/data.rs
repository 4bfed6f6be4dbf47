//! A query's rows as data: JSON, CSV and NDJSON, with the headers that let caches and clients
//! reuse them. Each format and encoding is made once per entry and kept with it.

use std::fmt::Write;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use super::Site;
use super::context::Context;
use super::encoding::{Effort, encode, worthwhile};
use super::negotiate::{Encoding, Format};
use crate::app::format;
use crate::cache::{Entry, Reply};
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use crate::query::Query;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The response for a reply in a data format; 304 where the client already has it.
pub(super) fn respond(
    site: &Site,
    context: &Context,
    query: &Query,
    reply: &Reply,
    format: Format,
) -> Result<HttpResponse, RequestError> {
    let entry = &reply.entry;
    let encoding = worthwhile(context.encoding, entry.body.len());
    let etag = etag(entry, format, encoding);
    let mut response = if context.has(&etag) {
        HttpResponse::build(StatusCode::NOT_MODIFIED).finish()
    } else {
        let body = variant(site, query, entry, format, encoding)?;
        let mut response = HttpResponse::build(StatusCode::OK);
        response.insert_header((header::CONTENT_TYPE, format.content_type()));
        if let Some(name) = encoding.name() {
            response.insert_header((header::CONTENT_ENCODING, name));
        }
        site.count_served(query, reply, body.len());
        response.body(body)
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(&etag));
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Encoding"),
    );
    headers.insert(header::CACHE_CONTROL, cache_control(reply));
    headers.insert(header::AGE, HeaderValue::from(reply.age.as_secs()));
    provenance(headers, reply);
    let render = context.started.elapsed().saturating_sub(spent(reply));
    server_timing(headers, reply, render);
    response.extensions_mut().insert(reply.outcome);
    Ok(response)
}

/// `Cache-Status` (RFC 9211): on data and on pages alike.
pub(super) fn provenance(headers: &mut HeaderMap, reply: &Reply) {
    let left = reply.ttl_left.as_secs();
    let stored = if reply.stored { "; stored" } else { "" };
    let text = match reply.outcome {
        Outcome::Hit(Tier::Memory) => format!("unslow; hit; ttl={left}; detail=memory"),
        Outcome::Hit(Tier::Redis) => format!("unslow; hit; ttl={left}; detail=redis"),
        Outcome::Stale(reason) => {
            // A stale copy's remaining freshness is negative.
            let past = reply.age.saturating_sub(reply.ttl).as_secs();
            let detail = match reason {
                StaleReason::Revalidating => "stale",
                StaleReason::LoadError => "stale-error",
            };
            format!("unslow; hit; ttl=-{past}; detail={detail}")
        }
        Outcome::Miss => format!("unslow; fwd=uri-miss{stored}"),
        Outcome::Coalesced => format!("unslow; fwd=uri-miss{stored}; collapsed"),
        Outcome::Bypass(_) => "unslow; fwd=bypass".to_owned(),
        Outcome::Error => "unslow; fwd=uri-miss".to_owned(),
    };
    headers.insert(CACHE_STATUS, value(&text));
}

/// For how long others may keep it: what is left of the TTL, and the window after it. What the
/// cache itself passes by, nobody else may keep.
fn cache_control(reply: &Reply) -> HeaderValue {
    if reply.outcome == Outcome::Bypass(BypassReason::CacheOff) {
        return HeaderValue::from_static("no-store");
    }
    let mut text = format!("max-age={}", reply.ttl_left.as_secs());
    let window = reply.policy.stale_while_revalidate;
    if !window.is_zero() {
        let _ = write!(text, ", stale-while-revalidate={}", window.as_secs());
    }
    value(&text)
}

/// `Server-Timing` (W3C), in milliseconds: only where time went.
pub(super) fn server_timing(headers: &mut HeaderMap, reply: &Reply, render: Duration) {
    let timings = &reply.timings;
    let steps = [
        ("memory", timings.memory),
        ("redis", timings.redis),
        ("wait", timings.wait),
        ("db", timings.load),
        ("render", render),
    ];
    let mut text = String::with_capacity(96);
    for (name, duration) in steps
        .into_iter()
        .filter(|(_, duration)| !duration.is_zero())
    {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(
            text,
            "{separator}{name};dur={:.3}",
            duration.as_secs_f64() * 1000.0
        );
    }
    headers.insert(SERVER_TIMING, value(&text));
}

/// The time a request spent before its response was made.
pub(super) fn spent(reply: &Reply) -> Duration {
    let timings = &reply.timings;
    timings.memory + timings.redis + timings.wait + timings.load
}

/// The body in this format and encoding; made on first use, then kept with the entry.
fn variant(
    site: &Site,
    query: &Query,
    entry: &Entry,
    format: Format,
    encoding: Encoding,
) -> Result<Bytes, RequestError> {
    let plain = match format {
        Format::Json | Format::Html => entry.body.clone(),
        Format::Csv | Format::Ndjson => converted(entry, format)?,
    };
    if encoding == Encoding::Identity {
        return Ok(plain);
    }
    Ok(entry.variant(slot(format, encoding), |_| {
        site.app.stats.query(query.index).compression();
        encode(&plain, encoding, Effort::Kept)
    }))
}

fn converted(entry: &Entry, format: Format) -> Result<Bytes, RequestError> {
    let slot = slot(format, Encoding::Identity);
    if let Some(kept) = entry.kept(slot) {
        return Ok(kept);
    }
    let rows = format::rows(&entry.body);
    let made = match format {
        Format::Csv => format::csv(&format::columns_from_json(&entry.head)?, rows)?,
        _ => format::ndjson(rows),
    };
    Ok(entry.variant(slot, |_| made.into()))
}

/// Where an entry keeps the body in this format and encoding.
fn slot(format: Format, encoding: Encoding) -> usize {
    let format = match format {
        Format::Json | Format::Html => 0,
        Format::Csv => 1,
        Format::Ndjson => 2,
    };
    let encoding = match encoding {
        Encoding::Identity => 0,
        Encoding::Gzip => 1,
        Encoding::Brotli => 2,
        Encoding::Zstd => 3,
    };
    format * 4 + encoding
}

/// A strong validator: the same bytes on the wire, the same tag.
fn etag(entry: &Entry, format: Format, encoding: Encoding) -> String {
    let separator = if encoding == Encoding::Identity {
        ""
    } else {
        "-"
    };
    let encoding = encoding.name().unwrap_or_default();
    format!(
        "\"{}-{}{separator}{encoding}\"",
        entry.etag,
        format.suffix()
    )
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("made of digits, names and signs that headers may hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_and_encoding_has_a_slot_of_its_own() {
        let mut slots = Vec::new();
        for format in [Format::Json, Format::Csv, Format::Ndjson] {
            for encoding in [
                Encoding::Identity,
                Encoding::Gzip,
                Encoding::Brotli,
                Encoding::Zstd,
            ] {
                slots.push(slot(format, encoding));
            }
        }
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 12);
        assert!(slots.iter().all(|slot| *slot < Entry::SLOTS));
    }
}
