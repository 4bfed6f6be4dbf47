//! The time for which others may keep an answer: `Cache-Control` and `Age` (RFC 9111). A receiver
//! subtracts the age from the life, so that the two are made together: the difference is never more
//! than the time that is left, and less by under a second.

use std::time::Duration;

use actix_web::http::header::HeaderValue;

use super::access::ReadAdmission;
use super::line::HeaderLine;
use crate::cache::Reply;
use crate::outcome::{BypassReason, Outcome};

/// Returns `Cache-Control`: the whole life of a fresh copy, and the window behind it in which a
/// receiver may serve it while it asks again. A stale copy has no life left, whatever its age; nor
/// have rows that a purge made stale while they were loaded. What the cache itself passes by,
/// nobody else may keep; what is for one client, only that one.
pub(super) fn cache_control(reply: &Reply, admission: ReadAdmission) -> HeaderValue {
    if reply.outcome == Outcome::Bypass(BypassReason::CacheOff) {
        return HeaderValue::from_static("no-store");
    }
    let mut line = HeaderLine::new();
    if admission == ReadAdmission::Personal {
        line.push_text("private, ");
    }
    line.push_text("max-age=").push_number(life_seconds(reply));
    let window = stale_seconds(reply);
    if window > 0 {
        line.push_text(", stale-while-revalidate=")
            .push_number(window);
    }
    line.header_value()
}

/// Returns `Age` in seconds. The part of a second that [`life_seconds`] cuts off is taken off here too.
pub(super) fn age_seconds(reply: &Reply) -> u64 {
    if is_stale(reply) {
        return reply.age.as_secs();
    }
    let cut_off = reply
        .ttl
        .saturating_sub(Duration::from_secs(life_seconds(reply)));
    let age = reply.age.saturating_sub(cut_off);
    age.as_secs() + u64::from(age.subsec_nanos() > 0)
}

/// Returns the life of the copy in whole seconds.
fn life_seconds(reply: &Reply) -> u64 {
    if is_stale(reply) {
        0
    } else {
        reply.ttl.as_secs()
    }
}

/// Returns how long past its life a receiver may serve it, in whole seconds. Of a stale copy, what
/// is left of that, counted from its beginning as receivers count.
fn stale_seconds(reply: &Reply) -> u64 {
    let window = reply.policy.stale_while_revalidate;
    if !is_stale(reply) {
        return window.as_secs();
    }
    let left = (reply.ttl + window).saturating_sub(reply.age).min(window);
    match left.as_secs() {
        0 => 0,
        left => age_seconds(reply) + left,
    }
}

fn is_stale(reply: &Reply) -> bool {
    reply.ttl_left.is_zero()
}
