//! The rights of clients. There are two rules, for the clients that the settings name:
//!
//! - for operators, who see `/stats` and purge ([`AccessRule::check_operator`]): loopback without a proxy
//!   before it, the addresses in `[stats] allow`, or whoever brings the admin token. For actions
//!   there is [`own_origin`] besides: a browser has all these rights too, and sends what any page
//!   tells it to;
//! - for who reads queries ([`AccessRule::may_read`]): everybody, unless `[access]` names a token
//!   or addresses.
//!
//! `token` knows what a token is, `attempts` how often one may be guessed, `origin` where requests
//! come from.

mod attempts;
mod origin;
mod token;

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;

use super::context::RequestContext;
use crate::error::RequestError;
use crate::query::{Query, QueryAccess};
use crate::settings::{Network, Settings};
use attempts::TokenAttempts;
use token::TokenDigest;

pub(super) use origin::{FORWARDING, own_origin};

/// The time for which the answer to a wrong token is held back, so that guessing is slow.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);

/// The rules, with what the settings say.
#[derive(Debug)]
pub(super) struct AccessRule {
    operators: Vec<Network>,
    admin: Option<TokenDigest>,
    /// True where queries are protected that do not say otherwise.
    restricted: bool,
    readers: Vec<Network>,
    reader: Option<TokenDigest>,
    attempts: TokenAttempts,
    /// The proxies whose word on their clients is believed.
    proxies: Vec<Network>,
}

/// The reason for which a client may read a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAdmission {
    /// Everybody may read it.
    Open,
    /// A token or an address admits the client: the answer is for this client alone.
    Personal,
}

impl AccessRule {
    pub(super) fn new(settings: &Settings) -> AccessRule {
        AccessRule {
            operators: settings.stats_allow.clone(),
            admin: settings.admin_token.as_ref().map(TokenDigest::hash),
            restricted: settings.access.is_restricted(),
            readers: settings.access.allow.clone(),
            reader: settings.access.token.as_ref().map(TokenDigest::hash),
            attempts: TokenAttempts::new(),
            proxies: settings.server.forwarded_allow_ips.clone(),
        }
    }

    /// Lets the request do what is for operators, or says which setting would. The answer to a
    /// wrong token takes a second.
    ///
    /// # Errors
    /// 401 where a token could be given (a browser asks for it then), 403 where none is set, 429
    /// where too many wrong ones were.
    pub(super) async fn check_operator(
        &self,
        request: &HttpRequest,
        context: &RequestContext,
    ) -> Result<(), RequestError> {
        let head = request.head();
        if origin::is_local(head) || is_within(&self.operators, context.client) {
            return Ok(());
        }
        let refusal = access_refusal(
            self.admin.is_some(),
            "this is open to this machine itself (over HTTP/1.1 and past no proxy), to the \
             addresses in [stats] allow, and with the token of [admin] token_file",
        );
        self.compare_tokens(head, context, &[self.admin], refusal)
            .await
    }

    /// Returns whether reading this query takes a token or an address on the list.
    pub(super) fn is_protected(&self, query: &Query) -> bool {
        self.restricted && query.access != QueryAccess::Open
    }

    /// Lets the request read this query, or says what it takes. `None` is all that nobody knows to
    /// be open: the whole catalog, or a query that there is not. The answer to a wrong token takes
    /// a second.
    ///
    /// # Errors
    /// As [`AccessRule::check_operator`].
    pub(super) async fn may_read(
        &self,
        head: &RequestHead,
        context: &RequestContext,
        query: Option<&Query>,
    ) -> Result<ReadAdmission, RequestError> {
        let protected = query.map_or(self.restricted, |query| self.is_protected(query));
        if !protected {
            return Ok(ReadAdmission::Open);
        }
        if !is_within(&self.readers, context.client) {
            let tokens = [self.reader, self.admin];
            let refusal = access_refusal(
                tokens.iter().any(Option::is_some),
                "this is open to the addresses in [access] allow, and with the token of [access] \
                 token_file (Authorization: Bearer, or as a password)",
            );
            self.compare_tokens(head, context, &tokens, refusal).await?;
        }
        Ok(ReadAdmission::Personal)
    }

    /// Returns whether the request brings anything to be let in by.
    pub(super) fn brings_token(head: &RequestHead) -> bool {
        token::presented_token(&head.headers).is_some()
    }

    /// Lets the request pass if it brings one of these tokens.
    async fn compare_tokens(
        &self,
        head: &RequestHead,
        context: &RequestContext,
        tokens: &[Option<TokenDigest>],
        refusal: RequestError,
    ) -> Result<(), RequestError> {
        let mut tokens = tokens.iter().flatten().peekable();
        let presented = token::presented_token(&head.headers);
        let Some(presented) = presented.filter(|_| tokens.peek().is_some()) else {
            return Err(refusal);
        };
        let attempt = self.attempts.take(context.client);
        let attempt = attempt.map_err(|wait| RequestError::TooManyGuesses { wait })?;
        // All of them, so that time does not tell which it was either.
        if tokens.fold(false, |right, token| token.is_of(&presented) | right) {
            attempt.give_back();
            token::mind_the_wire(head, context, &self.proxies);
            return Ok(());
        }
        actix_web::rt::time::sleep(WRONG_TOKEN_DELAY).await;
        Err(refusal)
    }
}

fn is_within(networks: &[Network], client: Option<IpAddr>) -> bool {
    client.is_some_and(|client| networks.iter().any(|network| network.contains(client)))
}

fn access_refusal(takes_token: bool, message: &str) -> RequestError {
    RequestError::Rejected {
        status: if takes_token { 401 } else { 403 },
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
