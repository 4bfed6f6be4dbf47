//! The counters kept per query: each one once, with its name, what it counts, which sum it is a
//! part of, and the name and label it has where others collect it. Recording into them is `cells`',
//! what they mean together is in `numbers`.

/// Makes [`Counter`] and the table of all counters, from one line for each:
/// `Variant "name", Part, Family("label value"), "What it counts.";`
macro_rules! counters {
    ($($variant:ident $name:literal, $part:ident, $family:ident($label:literal), $help:literal;)+) => {
        /// One counter of a query.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Counter { $(#[doc = $help] $variant,)+ }

        /// Every counter with its name and what it counts, in the order of [`Counter`].
        pub const COUNTERS: [(Counter, &str, &str); [$($name),+].len()] =
            [$((Counter::$variant, $name, $help)),+];

        impl Counter {
            /// Returns which sum it is a part of.
            pub fn part(self) -> CounterPart {
                match self { $(Counter::$variant => CounterPart::$part,)+ }
            }

            /// The name it has in common with others of its kind, and the value of the label that
            /// tells them apart; empty where the kind has no label.
            pub fn family(self) -> (Family, &'static str) {
                match self { $(Counter::$variant => (Family::$family, $label),)+ }
            }
        }
    };
}

counters! {
    HitMemory "hit_memory", Hit, Hits("memory"),
        "Requests answered with a fresh copy from memory.";
    HitRedis "hit_redis", Hit, Hits("redis"),
        "Requests answered with a fresh copy from Redis.";
    StaleRevalidating "stale_revalidating", Stale, StaleServed("revalidating"),
        "Requests answered with a stale copy while a refresh ran.";
    StaleLoadError "stale_load_error", Stale, StaleServed("load_error"),
        "Requests answered with a stale copy because loading failed.";
    Coalesced "coalesced", Coalesced, Coalesced(""),
        "Requests that waited for another request's load.";
    Miss "miss", Miss, Misses(""),
        "Requests whose own load ran and succeeded.";
    BypassCacheOff "bypass_cache_off", Bypass, Bypassed(""),
        "Requests of queries that are never cached.";
    BypassTooLarge "bypass_too_large", Bypass, Bypassed(""),
        "Requests whose answer is known to be too large to store.";
    BypassCompare "bypass_compare", Bypass, Bypassed(""),
        "Requests of a comparison, which asks one tier alone or the database.";
    Error "error", Error, RequestErrors(""),
        "Requests that got no value.";
    LoadsRequest "loads_request", Load, Loads("request"),
        "Loads that a request began because it had no copy to answer with.";
    LoadsRefresh "loads_refresh", Load, Loads("refresh"),
        "Loads behind a request that was answered with a copy.";
    LoadsWarm "loads_warm", Load, Loads("warm"),
        "Loads of the warm-up.";
    LoadsSchedule "loads_schedule", Load, Loads("schedule"),
        "Loads of the schedule.";
    LoadsAdmin "loads_admin", Load, Loads("admin"),
        "Loads that an operator asked for.";
    LoadErrorsTimeout "load_errors_timeout", LoadError, LoadErrors("timeout"),
        "Loads that took longer than their limit.";
    LoadErrorsUnavailable "load_errors_unavailable", LoadError, LoadErrors("unavailable"),
        "Loads that did not reach the database.";
    LoadErrorsRefused "load_errors_refused", LoadError, LoadErrors("refused"),
        "Loads that the database refused because they are no read.";
    LoadErrorsFailed "load_errors_failed", LoadError, LoadErrors("failed"),
        "Loads whose statement the database reported an error for.";
    LoadErrorsBadQuery "load_errors_bad_query", LoadError, LoadErrors("bad_query"),
        "Loads of queries that cannot be answered as they are written.";
    LoadErrorsTooLarge "load_errors_too_large", LoadError, LoadErrors("too_large"),
        "Loads whose result was larger than the bound.";
    LoadErrorsInternal "load_errors_internal", LoadError, LoadErrors("internal"),
        "Loads that a fault of this program, or its end, cut short.";
    RefusedValues "refused_values", Own, RefusedValues(""),
        "Loads that ended because the database refused a value that a client sent.";
    LoadsNotTried "loads_not_tried", Own, LoadsNotTried(""),
        "Loads that were not tried: the database was known to be away, or too many waited.";
    LoadMicros "load_microseconds", Own, LoadSeconds(""),
        "Time spent in loads.";
    SavedMicros "time_saved_microseconds", Own, TimeSaved(""),
        "Load time of the served copies less the requests' own time.";
    CoalescedSavedMicros "coalesced_saved_microseconds", Own, CoalescedTimeSaved(""),
        "Load time of what other requests loaded less the time of waiting for it.";
    ServedBytes "served_bytes", Own, ServedBytes(""),
        "Bytes of bodies served from the cache.";
    Compressions "compressions", Own, Compressions(""),
        "Variants of bodies that were encoded.";
}

/// Sums that counters are parts of. The first six, the ways in which a request ends, add up to
/// `requests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterPart {
    /// Fresh copies.
    Hit,
    /// Stale copies.
    Stale,
    /// Another request's load.
    Coalesced,
    /// The request's own load.
    Miss,
    /// The cache deliberately not used.
    Bypass,
    /// No value.
    Error,
    /// `loads`
    Load,
    /// `load_errors`
    LoadError,
    /// A number of its own.
    Own,
}

impl CounterPart {
    /// Returns whether it is a part of `requests`.
    pub fn is_request(self) -> bool {
        !matches!(
            self,
            CounterPart::Load | CounterPart::LoadError | CounterPart::Own
        )
    }
}

/// Makes [`Family`], from one line for each: `Variant "name", Unit, "label", "What it counts.";`
macro_rules! families {
    ($($variant:ident $name:literal, $unit:ident, $label:literal, $help:literal;)+) => {
        /// Counters that have one name where others collect them (without prefix), and a label
        /// that tells them apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Family { $(#[doc = $help] $variant,)+ }

        impl Family {
            /// Every one, in order.
            pub const ALL: [Family; [$($name),+].len()] = [$(Family::$variant),+];

            /// Returns its name.
            pub fn name(self) -> &'static str {
                match self { $(Family::$variant => $name,)+ }
            }

            /// Returns the label's name; `None` where it has none.
            pub fn label(self) -> Option<&'static str> {
                let label = match self { $(Family::$variant => $label,)+ };
                (!label.is_empty()).then_some(label)
            }

            /// Returns what its counters count.
            pub fn help(self) -> &'static str {
                match self { $(Family::$variant => $help,)+ }
            }

            /// Returns what its counters are in.
            pub fn unit(self) -> CounterUnit {
                match self { $(Family::$variant => CounterUnit::$unit,)+ }
            }
        }
    };
}

families! {
    Requests "requests_total", Count, "",
        "Requests that were answered, however they ended.";
    Hits "hits_total", Count, "tier",
        "Requests answered with a fresh copy, by the tier it came from.";
    StaleServed "stale_served_total", Count, "reason",
        "Requests answered with a stale copy, by the reason.";
    Coalesced "coalesced_total", Count, "",
        "Requests that waited for another request's load.";
    Misses "misses_total", Count, "",
        "Requests whose own load ran and succeeded.";
    Bypassed "bypassed_total", Count, "",
        "Requests past the cache.";
    RequestErrors "request_errors_total", Count, "",
        "Requests that got no value.";
    Loads "loads_total", Count, "trigger",
        "Statements run on the database, by what began them.";
    LoadErrors "load_errors_total", Count, "class",
        "Loads that failed, by the class of the error.";
    RefusedValues "refused_values_total", Count, "",
        "Loads that ended because the database refused a value that a client sent.";
    LoadsNotTried "loads_not_tried_total", Count, "",
        "Loads that were not tried: the database was known to be away, or too many waited.";
    LoadSeconds "load_seconds_total", Microseconds, "",
        "Time spent in loads.";
    TimeSaved "time_saved_seconds_total", Microseconds, "",
        "Load time of the served copies less the requests' own time.";
    CoalescedTimeSaved "coalesced_time_saved_seconds_total", Microseconds, "",
        "Load time of what other requests loaded less the time of waiting for it.";
    ServedBytes "served_bytes_total", Bytes, "",
        "Bytes of bodies served from the cache.";
    Compressions "compressions_total", Count, "",
        "Variants of bodies that were encoded.";
}

/// The unit of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterUnit {
    /// Pieces.
    Count,
    /// Microseconds; the families that are of them have the name of seconds.
    Microseconds,
    /// Bytes.
    Bytes,
}

impl Family {
    /// Returns the counters that add up to it, each with the value of its label; several may have
    /// the same.
    pub fn family_counters(self) -> impl Iterator<Item = (Counter, &'static str)> {
        let all = COUNTERS.iter().map(|(counter, ..)| *counter);
        all.filter_map(move |counter| match (self, counter.family()) {
            (Family::Requests, _) => counter.part().is_request().then_some((counter, "")),
            (_, (family, value)) => (family == self).then_some((counter, value)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_counters_and_names_each_once() {
        let mut names: Vec<_> = COUNTERS.iter().map(|(_, name, _)| *name).collect();
        for (index, (counter, _, help)) in COUNTERS.iter().enumerate() {
            assert_eq!(*counter as usize, index);
            assert!(help.ends_with('.'), "{help}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNTERS.len());
    }

    #[test]
    fn every_counter_is_in_one_family_with_a_label_value_where_that_has_a_label() {
        for (counter, name, _) in COUNTERS {
            let (family, value) = counter.family();
            assert_eq!(family.label().is_some(), !value.is_empty(), "{name}");
            assert!(
                family.family_counters().any(|(own, _)| own == counter),
                "{name}"
            );
        }
        for family in Family::ALL {
            assert!(family.family_counters().count() > 0, "{}", family.name());
            assert!(family.name().ends_with("_total") && family.help().ends_with('.'));
            let of_seconds = family.name().contains("seconds");
            assert_eq!(of_seconds, family.unit() == CounterUnit::Microseconds);
        }
    }
}
