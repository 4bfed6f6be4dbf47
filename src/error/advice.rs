//! Causes of a connection that is not made, in words that say what to do about them: of TLS, which
//! the database and Redis share. How an error is told from another is each part's own.

/// A cause in words, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The cause; what the library said where that is clear enough.
    pub(crate) words: String,
    pub(crate) remedy: String,
}

/// The words of the TLS library in an error, each with the cause and the remedy. `{ca}` stands for
/// the setting that names trusted authorities.
const CAUSES: [(&str, &str, &str); 11] = [
    (
        "CaUsedAsEndEntity",
        "the server shows the certificate of an authority (CA:TRUE), as `openssl req -x509` makes \
         it, and this is taken for no server's own",
        "make one that is a server's: add -addext basicConstraints=critical,CA:FALSE -addext \
         subjectAltName=DNS:HOST to that command, and name the new file in {ca}",
    ),
    (
        "UnknownIssuer",
        "the certificate of the server is signed by nobody who is trusted here",
        "name the PEM file of the authority that signed it in {ca}",
    ),
    (
        "not valid for any names",
        "the certificate of the server says its name in its subject (CN) only, which counts no \
         more, or not at all",
        "make one with the name as -addext subjectAltName=DNS:HOST",
    ),
    (
        "not valid for name",
        "the certificate of the server is for another name",
        "connect by a name that is in the certificate, or make one for this name",
    ),
    (
        "NotValidForName",
        "the certificate of the server is for another name",
        "connect by a name that is in the certificate, or make one for this name",
    ),
    (
        "not valid yet",
        "the certificate of the server is not valid yet",
        "look at the clocks of both machines",
    ),
    (
        "expired",
        "the certificate of the server has expired",
        "renew it; if it is new, look at the clock of this machine",
    ),
    (
        "UnsupportedCertVersion",
        "the certificate of the server is one of version 1",
        "make one of version 3, with -addext subjectAltName=DNS:HOST",
    ),
    (
        "UnsupportedSignatureAlgorithm",
        "the certificate of the server is signed by a method that is not taken here",
        "make one that is signed with SHA-256, by a key of RSA (2048 bits or more), ECDSA or Ed25519",
    ),
    (
        "does not support TLS",
        "the server speaks no TLS",
        "turn TLS on there (ssl = on), or say so with sslmode = disable",
    ),
    (
        "InvalidContentType",
        "the server speaks no TLS at this port",
        "name the port where it does, or a URL without TLS",
    ),
];

/// Explains what the TLS library says, if it is that which speaks.
pub(crate) fn of_tls(text: &str, ca: &str) -> Option<Advice> {
    let cause = CAUSES.iter().find(|(said, _, _)| text.contains(said));
    if let Some((_, words, remedy)) = cause {
        return Some(Advice {
            words: (*words).to_owned(),
            remedy: remedy.replace("{ca}", ca),
        });
    }
    text.contains("peer certificate").then(|| Advice {
        words: text.to_owned(),
        remedy: format!("look at the certificate of the server, and at {ca}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rustls::{CertificateError, Error};

    use super::*;

    #[test]
    fn each_refusal_of_a_certificate_has_words_and_a_remedy() {
        for error in [
            CertificateError::UnknownIssuer,
            CertificateError::NotValidForName,
            CertificateError::Expired,
            CertificateError::NotValidYet,
            CertificateError::BadEncoding,
        ] {
            let text = Error::InvalidCertificate(error).to_string();
            let advice = of_tls(&text, "[postgres] sslrootcert").unwrap();
            assert!(!advice.remedy.contains("{ca}"), "{advice:?}");
        }
        let issuer = of_tls("invalid peer certificate: UnknownIssuer", "[redis] ca_file").unwrap();
        assert!(issuer.remedy.ends_with("[redis] ca_file"), "{issuer:?}");
        assert_eq!(of_tls("Connection refused (os error 111)", "x"), None);
    }
}
