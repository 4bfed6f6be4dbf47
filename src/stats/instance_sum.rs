//! The sum of what several instances counted.

use super::numbers::SummaryNumbers;
use super::tally::CounterTally;

/// The sum over several instances. Counts are added, and so are rates, each by its own time.
#[derive(Debug, Clone, Default)]
pub(super) struct InstanceSum {
    pub(super) tally: CounterTally,
    pub(super) loads_in_flight: u64,
    pub(super) requests_per_second: Option<f64>,
    pub(super) loads_per_second: Option<f64>,
}

impl InstanceSum {
    pub(super) fn add(&mut self, tally: &CounterTally, over: f64) {
        self.tally.add(tally);
        let own = SummaryNumbers::from_tally(tally, over);
        for (sum, rate) in [
            (&mut self.requests_per_second, own.requests_per_second),
            (&mut self.loads_per_second, own.loads_per_second),
        ] {
            *sum = match (*sum, rate) {
                (Some(sum), Some(rate)) => Some(sum + rate),
                (sum, rate) => sum.or(rate),
            };
        }
    }

    pub(super) fn numbers(&self) -> SummaryNumbers {
        SummaryNumbers {
            loads_in_flight: self.loads_in_flight,
            requests_per_second: self.requests_per_second,
            loads_per_second: self.loads_per_second,
            ..SummaryNumbers::from_tally(&self.tally, 0.0)
        }
    }
}
