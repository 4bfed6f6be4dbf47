//! The statistics page in its states; the numbers themselves are made up in `numbers`.

use super::super::super::{
    EvictionCounts, NotReloaded, PageFrame, PagesHere, StatsPage, StatsSort, render_stats,
};
use super::{Pages, World, numbers};
use crate::stats::StatsSnapshot;

impl World<'_> {
    pub(super) fn stats(&self, frame: PageFrame<'_>, pages: &mut Pages) {
        let text = self.text;
        let mut draw = |name: &str, page: &StatsPage<'_>| {
            pages.push((name.to_owned(), render_stats(&frame, page)));
        };
        let good = numbers::good(text, &self.name);
        draw("stats", &page(&good));
        let refusal = text("app.ini:7: [cache] ttl: \"ten\" is no duration\n  write 10s, 5m or 2h");
        let worse = numbers::worse(text, &self.name);
        let worse = StatsPage {
            not_reloaded: Some(NotReloaded {
                at: "2026-11-23T05:06:40.123Z",
                message: &refusal,
            }),
            evicted: Some(EvictionCounts {
                seconds: 240.0,
                memory: 312,
                redis: 1_204,
            }),
            refresh: Some(10),
            ..page(&worse)
        };
        draw("stats-worse", &worse);
        let fleet = numbers::fleet(text, &self.name);
        draw("stats-fleet", &page(&fleet));
        draw("stats-new", &page(&StatsSnapshot::default()));
    }
}

fn page(snapshot: &StatsSnapshot) -> StatsPage<'_> {
    StatsPage {
        snapshot,
        sort: StatsSort::default(),
        refresh: None,
        not_reloaded: None,
        evicted: None,
        script: "stats.js",
        here: PagesHere::All,
        of_late: None,
        lines_lost: 0,
    }
}
