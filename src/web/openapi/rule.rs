//! The settings that the document depends on, and the rules for each operation.

use std::time::Duration;

use crate::query::{Access, Query};

/// The settings that the document depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The query at `/`.
    pub(super) home: &'a str,
    /// The time for which answers are fresh where a query does not say.
    pub(super) ttl: Duration,
    /// The rule for the catalog, and for queries that do not say that they are open.
    pub(super) readers: Rule,
    /// The rule for the counters and for purges; `None` where they are not to be found beside this
    /// document.
    pub(super) operators: Option<Rule>,
}

/// The clients that may ask for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Everybody.
    Open,
    /// Some addresses.
    Addresses,
    /// Some addresses, and who brings a token.
    Token,
}

impl About<'_> {
    /// Returns who may read a query.
    pub(super) fn readers_of(&self, query: &Query) -> Rule {
        match query.access {
            Access::Open => Rule::Open,
            Access::AsConfigured | Access::Token => self.readers,
        }
    }
}

impl Rule {
    /// Returns the rule for clients that come from elsewhere than the addresses that need no token.
    pub(super) fn for_others(has_token: bool) -> Rule {
        if has_token {
            Rule::Token
        } else {
            Rule::Addresses
        }
    }

    /// Returns the statuses with which the others are refused.
    pub(super) fn refusals(self) -> &'static [u16] {
        match self {
            Rule::Open => &[],
            Rule::Addresses => &[403],
            Rule::Token => &[401, 429],
        }
    }
}

/// The tag of what does not belong to one query; those are named in lower case.
pub(super) const SERVICE: &str = "Service";
