//! The settings that the document depends on, and the rules for each operation.

use std::time::Duration;

use crate::query::{Query, QueryAccess};

/// The settings that the document depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct DocumentContext<'a> {
    /// The query at `/`.
    pub(super) home: &'a str,
    /// The time for which answers are fresh where a query does not say.
    pub(super) ttl: Duration,
    /// The rule for the catalog, and for queries that do not say that they are open.
    pub(super) readers: AudienceRule,
    /// The rule for the counters and for purges; `None` where they are not to be found beside this
    /// document.
    pub(super) operators: Option<AudienceRule>,
}

/// The clients that may ask for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AudienceRule {
    /// Everybody.
    Open,
    /// Some addresses.
    Addresses,
    /// Some addresses, and who brings a token.
    Token,
}

impl DocumentContext<'_> {
    /// Returns who may read a query.
    pub(super) fn readers_of(&self, query: &Query) -> AudienceRule {
        match query.access {
            QueryAccess::Open => AudienceRule::Open,
            QueryAccess::AsConfigured | QueryAccess::Token => self.readers,
        }
    }
}

impl AudienceRule {
    /// Returns the rule for clients that come from elsewhere than the addresses that need no token.
    pub(super) fn for_others(has_token: bool) -> AudienceRule {
        if has_token {
            AudienceRule::Token
        } else {
            AudienceRule::Addresses
        }
    }

    /// Returns the statuses with which the others are refused.
    pub(super) fn refusal_statuses(self) -> &'static [u16] {
        match self {
            AudienceRule::Open => &[],
            AudienceRule::Addresses => &[403],
            AudienceRule::Token => &[401, 429],
        }
    }
}

/// The tag of what does not belong to one query; those are named in lower case.
pub(super) const SERVICE: &str = "Service";
