//! The Redis tiers that are in use in this process.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::redis::RedisTier;

/// The Redis tiers that are in use in this process: one, but for while a reload changes it.
#[derive(Default)]
pub(super) struct ActiveTiers(Mutex<Vec<Weak<RedisTier>>>);

impl ActiveTiers {
    pub(super) fn add(&self, tier: &Arc<RedisTier>) {
        let mut tiers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tiers.retain(|tier| tier.strong_count() > 0);
        tiers.push(Arc::downgrade(tier));
    }

    pub(super) fn all_but(&self, own: Option<&Arc<RedisTier>>) -> Vec<Arc<RedisTier>> {
        let tiers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = tiers.iter().filter_map(Weak::upgrade);
        others
            .filter(|tier| own.is_none_or(|own| !Arc::ptr_eq(own, tier)))
            .collect()
    }
}
