//! Answers that are too large to be kept: which query, how large, and which setting says so.

use super::super::format;
use super::super::stats::page::StatsPage;
use super::level::{Verdict, VerdictLevel};
use crate::stats::NotKeptSnapshot;

/// The time for which an answer that was not kept is worth a word.
const OF_LATE: f64 = 600.0;

/// Queries whose answers were too large to be kept of late: what is loaded for every request.
pub(super) fn not_kept(page: &StatsPage<'_>) -> Vec<Verdict> {
    let rows = page.snapshot.queries.iter().filter(|row| !row.removed);
    let known = rows.filter_map(|row| Some((&row.query, row.not_kept.as_ref()?)));
    let recent = known.filter(|(_, it)| it.age_seconds <= OF_LATE);
    let say = |(query, it): (&String, &NotKeptSnapshot)| {
        let (bytes, limit) = (
            format::format_bytes(it.bytes),
            format::format_bytes(it.limit),
        );
        let words = format!(
            "An answer of {query} takes {bytes}, and {} allows {limit}: it is not kept, and each request loads it. Raise that, or select less.",
            it.setting
        );
        (VerdictLevel::Attention, words)
    };
    recent.map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::stats::StatsSort;
    use super::super::find_verdicts;
    use super::*;
    use crate::stats::{QuerySnapshot, StatsSnapshot};
    use crate::view::PagesHere;

    fn said(age_seconds: f64) -> Vec<String> {
        let mut snapshot = StatsSnapshot::default();
        snapshot.total.requests = 100;
        snapshot.total.hit_ratio = Some(0.1);
        snapshot.queries = vec![QuerySnapshot {
            query: "big".to_owned(),
            not_kept: Some(NotKeptSnapshot {
                bytes: 5 << 20,
                limit: 4 << 20,
                setting: "[cache] max_entry".to_owned(),
                age_seconds,
            }),
            ..QuerySnapshot::default()
        }];
        let page = StatsPage {
            snapshot: &snapshot,
            sort: StatsSort::default(),
            refresh: None,
            not_reloaded: None,
            evicted: None,
            script: "",
            here: PagesHere::All,
            of_late: None,
            lines_lost: 0,
        };
        let words = find_verdicts(&page).into_iter().map(|(_, words)| words);
        words.map(|words| words.replace('\u{a0}', " ")).collect()
    }

    #[test]
    fn an_answer_that_is_not_kept_is_named_with_its_size_and_the_setting_and_no_ttl_is_advised() {
        let late = said(60.0);
        let names = |words: &String| {
            ["big", "5 MiB", "[cache] max_entry", "4 MiB"]
                .iter()
                .all(|it| words.contains(it))
        };
        assert!(late.iter().any(names), "{late:?}");
        assert!(!late.iter().any(|words| words.contains("TTL")), "{late:?}");
        let over = said(OF_LATE + 1.0);
        assert!(!over.iter().any(names), "{over:?}");
        assert!(
            over.iter().any(|words| words.contains("A longer TTL")),
            "{over:?}"
        );
    }
}
