//! The encodings of a body on the wire, and the one that a request asks for (RFC 9110, 12.5.3).

use actix_web::http::header::{self, HeaderMap};

use super::weights::list_members;

/// The encoding of a body on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Encoding {
    /// The body as it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// The encodings in the order of preference, the best last: by what they cost to make and to
    /// read.
    const ALL: [Encoding; 4] = [
        Encoding::Identity,
        Encoding::Gzip,
        Encoding::Brotli,
        Encoding::Zstd,
    ];

    /// Returns the name for `Content-Encoding` and within an `ETag`; `None` for
    /// [`Encoding::Identity`].
    pub(in crate::web) fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => Some("gzip"),
            Encoding::Brotli => Some("br"),
            Encoding::Zstd => Some("zstd"),
        }
    }

    fn is_named_by(self, token: &str) -> bool {
        let name = self.name().unwrap_or("identity");
        token.eq_ignore_ascii_case(name)
            || (self == Encoding::Gzip && token.eq_ignore_ascii_case("x-gzip"))
    }
}

/// The encodings that a client takes, as far as they decide about a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct AcceptedCodings {
    best: Encoding,
    /// True where bodies may also go as they are.
    takes_identity: bool,
}

impl AcceptedCodings {
    /// A client that says nothing.
    const ANYTHING_PLAIN: AcceptedCodings = AcceptedCodings {
        best: Encoding::Identity,
        takes_identity: true,
    };

    /// Reads `Accept-Encoding`. Where it refuses every encoding there is, bodies go as they are: a
    /// client that can read nothing at all is not helped by words that it cannot read either.
    pub(in crate::web) fn read(headers: &HeaderMap) -> AcceptedCodings {
        if !headers.contains_key(header::ACCEPT_ENCODING) {
            return AcceptedCodings::ANYTHING_PLAIN;
        }
        let liking = |encoding| encoding_weight(encoding, headers);
        let all = Encoding::ALL.into_iter();
        let best = all.max_by_key(|encoding| liking(*encoding));
        match best.filter(|best| liking(*best).0 > 0) {
            None => AcceptedCodings::ANYTHING_PLAIN,
            Some(best) => AcceptedCodings {
                best,
                takes_identity: liking(Encoding::Identity).0 > 0,
            },
        }
    }

    /// Returns the encoding for a body of which encoding is worth it, or is not.
    pub(in crate::web) fn choose_encoding(self, is_worthwhile: bool) -> Encoding {
        if is_worthwhile || !self.takes_identity {
            self.best
        } else {
            Encoding::Identity
        }
    }
}

/// Returns how much an encoding is liked, 0 for not at all, and whether it is named. Of two weights
/// for one encoding the lesser counts, so that a refusal is never overlooked.
fn encoding_weight(encoding: Encoding, headers: &HeaderMap) -> (u16, bool) {
    let mut named: Option<u16> = None;
    let mut any: Option<u16> = None;
    for member in list_members(headers, &header::ACCEPT_ENCODING) {
        let of = match member.token {
            "*" => &mut any,
            token if encoding.is_named_by(token) => &mut named,
            _ => continue,
        };
        *of = Some(of.map_or(member.weight, |before| before.min(member.weight)));
    }
    match (named, any, encoding) {
        (Some(weight), ..) => (weight, true),
        (None, Some(weight), _) => (weight, false),
        // Acceptable unless it is refused, but the last choice.
        (None, None, Encoding::Identity) => (1, false),
        (None, None, _) => (0, false),
    }
}
