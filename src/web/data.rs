//! A query's rows as data: JSON, CSV and NDJSON, with the headers that let caches and clients
//! reuse them. Each format and encoding is made once per entry and kept with it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use bytes::Bytes;

use super::access::ReadAdmission;
use super::context::RequestContext;
use super::encoding::{EncodingEffort, choose_encoding, encode};
use super::line::HeaderLine;
use super::negotiate::{Encoding, Format};
use super::site::Site;
use super::wanted::WantedForm;
use super::{aside, body, freshness};
use crate::app::format;
use crate::cache::{Entry, Reply};
use crate::error::RequestError;
use crate::outcome::{Outcome, StaleReason, Tier};
use crate::query::Query;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Is there, and `true`, where the result had more rows than are sent.
const TRUNCATED: HeaderName = HeaderName::from_static("unslow-truncated");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Returns the response for a reply in a data format; 304 where the client already has it.
pub(super) async fn respond_data(
    site: &web::Data<Site>,
    context: &RequestContext,
    query: &Arc<Query>,
    reply: &Reply,
    wanted: WantedForm,
    admission: ReadAdmission,
) -> Result<HttpResponse, RequestError> {
    let entry = &reply.entry;
    let encoding = choose_encoding(context.encoding, entry.body.len());
    let etag = body_etag(entry, wanted, encoding);
    let mut response = if context.has_etag(&etag) {
        HttpResponse::build(StatusCode::NOT_MODIFIED).finish()
    } else {
        let body = derived_body(site, query, entry, wanted, encoding).await?;
        site.count_served(query, reply, body.len());
        let mut response = HttpResponse::Ok().body(body);
        body::describe_body(response.headers_mut(), wanted.format, encoding);
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Encoding"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        freshness::cache_control(reply, admission),
    );
    headers.insert(
        header::AGE,
        HeaderValue::from(freshness::age_seconds(reply)),
    );
    add_provenance(headers, reply);
    let render = context.started.elapsed().saturating_sub(time_spent(reply));
    server_timing(headers, reply, render);
    tell_log(site, &mut response, reply);
    Ok(response)
}

/// The outcome, for the access log, where there is one.
pub(super) fn tell_log(site: &Site, response: &mut HttpResponse, reply: &Reply) {
    if site.access_log.is_some() {
        response.extensions_mut().insert(reply.outcome);
    }
}

/// `Cache-Status` (RFC 9211), and whether rows were cut off: on data and on pages alike.
pub(super) fn add_provenance(headers: &mut HeaderMap, reply: &Reply) {
    if format::is_truncated(&reply.entry.body) {
        headers.insert(TRUNCATED, HeaderValue::from_static("true"));
    }
    let left = reply.ttl_left.as_secs();
    let stored = if reply.stored { "; stored" } else { "" };
    let mut line = HeaderLine::new();
    line.push_text("unslow; ");
    match reply.outcome {
        Outcome::Hit(tier) => {
            let detail = match tier {
                Tier::Memory => "; detail=memory",
                Tier::Redis => "; detail=redis",
            };
            line.push_text("hit; ttl=")
                .push_number(left)
                .push_text(detail)
        }
        Outcome::Stale(reason) => {
            // A stale copy's remaining freshness is negative.
            let past = reply.age.saturating_sub(reply.ttl).as_secs();
            let detail = match reason {
                StaleReason::Revalidating => "; detail=stale",
                StaleReason::LoadError => "; detail=stale-error",
            };
            let sign = if past > 0 { "-" } else { "" };
            line.push_text("hit; ttl=")
                .push_text(sign)
                .push_number(past)
                .push_text(detail)
        }
        Outcome::Miss => line.push_text("fwd=uri-miss").push_text(stored),
        Outcome::Coalesced => line
            .push_text("fwd=uri-miss")
            .push_text(stored)
            .push_text("; collapsed"),
        Outcome::Bypass(_) => line.push_text("fwd=bypass"),
        Outcome::Error => line.push_text("fwd=uri-miss"),
    };
    headers.insert(CACHE_STATUS, line.header_value());
}

/// `Server-Timing` (W3C), in milliseconds: only where time went.
pub(super) fn server_timing(headers: &mut HeaderMap, reply: &Reply, render: Duration) {
    let timings = &reply.timings;
    let steps = [
        ("memory;dur=", timings.memory),
        ("redis;dur=", timings.redis),
        ("wait;dur=", timings.wait),
        ("db;dur=", timings.load),
        ("render;dur=", render),
    ];
    let mut line = HeaderLine::new();
    for (name, duration) in steps.into_iter().filter(|(_, time)| !time.is_zero()) {
        let separator = if line.is_empty() { "" } else { ", " };
        line.push_text(separator)
            .push_text(name)
            .push_milliseconds(duration);
    }
    headers.insert(SERVER_TIMING, line.header_value());
}

/// Returns the time a request spent before its response was made.
pub(super) fn time_spent(reply: &Reply) -> Duration {
    let timings = &reply.timings;
    timings.memory + timings.redis + timings.wait + timings.load
}

/// Returns the body in this format and encoding; made on first use, then kept with the entry.
/// NDJSON with its last line is kept only where it is compressed: as it is, it costs one copy to
/// make.
async fn derived_body(
    site: &web::Data<Site>,
    query: &Arc<Query>,
    entry: &Arc<Entry>,
    wanted: WantedForm,
    encoding: Encoding,
) -> Result<Bytes, RequestError> {
    let is_kept = !wanted.meta || encoding != Encoding::Identity;
    if is_kept {
        if derived_slot(wanted, encoding) == STORED {
            return Ok(entry.body.clone());
        }
        if let Some(kept) = entry.kept_body(derived_slot(wanted, encoding)) {
            return Ok(kept);
        }
    }
    let (whose, of) = (Arc::clone(query), Arc::clone(entry));
    let work = move |site: &Site| make_body(site, &whose, &of, wanted, encoding);
    aside::run(site, entry.body.len(), work).await?
}

/// The slot of the body as it is stored, which stands for itself.
const STORED: usize = 0;

/// Makes that body, unless somebody else has.
fn make_body(
    site: &Site,
    query: &Query,
    entry: &Entry,
    wanted: WantedForm,
    encoding: Encoding,
) -> Result<Bytes, RequestError> {
    let plain = || match wanted.format {
        Format::Json | Format::Html | Format::Text => Ok(entry.body.clone()),
        Format::Ndjson if wanted.meta => with_last_line(entry),
        Format::Csv | Format::Ndjson => convert_body(entry, wanted.format),
    };
    if encoding == Encoding::Identity {
        return plain();
    }
    let slot = derived_slot(wanted, encoding);
    if let Some(kept) = entry.kept_body(slot) {
        return Ok(kept);
    }
    let plain = plain()?;
    Ok(entry.derived_body(slot, |_| {
        site.app.stats.query_stats(query.index).count_compression();
        encode(&plain, encoding, EncodingEffort::Kept)
    }))
}

/// Returns NDJSON, and a line of its own behind the rows that says whether there were more.
fn with_last_line(entry: &Entry) -> Result<Bytes, RequestError> {
    let rows = convert_body(entry, Format::Ndjson)?;
    let last = if format::is_truncated(&entry.body) {
        &b"{\"truncated\":true}\n"[..]
    } else {
        b"{\"truncated\":false}\n"
    };
    Ok([&rows, last].concat().into())
}

fn convert_body(entry: &Entry, format: Format) -> Result<Bytes, RequestError> {
    let wanted = WantedForm {
        format,
        meta: false,
    };
    let slot = derived_slot(wanted, Encoding::Identity);
    if let Some(kept) = entry.kept_body(slot) {
        return Ok(kept);
    }
    let rows = format::document_rows(&entry.body);
    let made = match format {
        Format::Csv => format::write_csv(&format::columns_from_json(&entry.head)?, rows)?,
        _ => format::write_ndjson(rows),
    };
    Ok(entry.derived_body(slot, |_| made.into()))
}

/// The place where an entry keeps the outline of the home page made of it: after all bodies.
pub(super) const OUTLINE: usize = 12;

/// Returns where an entry keeps the body in this format and encoding.
fn derived_slot(wanted: WantedForm, encoding: Encoding) -> usize {
    if wanted.meta {
        return match encoding {
            Encoding::Identity => unreachable!("NDJSON with its last line is not kept as it is"),
            Encoding::Gzip => OUTLINE + 1,
            Encoding::Brotli => OUTLINE + 2,
            Encoding::Zstd => OUTLINE + 3,
        };
    }
    let format = match wanted.format {
        Format::Json | Format::Html | Format::Text => 0,
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

/// Returns a strong validator: the same bytes on the wire, the same tag.
fn body_etag(entry: &Entry, wanted: WantedForm, encoding: Encoding) -> HeaderValue {
    let mut line = HeaderLine::new();
    line.push_text("\"").push_text(&entry.etag).push_text("-");
    line.push_text(wanted.format.suffix());
    if wanted.meta {
        line.push_text("-meta");
    }
    if let Some(name) = encoding.name() {
        line.push_text("-").push_text(name);
    }
    line.push_text("\"").header_value()
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
                let meta = false;
                slots.push(derived_slot(WantedForm { format, meta }, encoding));
            }
        }
        let (format, meta) = (Format::Ndjson, true);
        for encoding in [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd] {
            slots.push(derived_slot(WantedForm { format, meta }, encoding));
        }
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 15);
        assert!(!slots.contains(&OUTLINE));
        assert!(slots.iter().all(|slot| *slot < Entry::SLOTS));
    }
}
