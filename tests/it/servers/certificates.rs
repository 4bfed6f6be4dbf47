//! A certificate authority of the tests' own, and a server certificate for `localhost` from it.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::home;

/// The files, in PEM form.
pub(crate) struct Certificates {
    /// The certificate that a client has to trust.
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    /// A certificate of the same key whose time is over.
    pub(crate) expired: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`.
    pub(crate) fn make(folder: &Path) -> Certificates {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        // Named like the server it would be the server's own certificate to OpenSSL.
        authority
            .distinguished_name
            .push(DnType::CommonName, "the tests' authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = params.signed_by(&key, &authority).unwrap();
        let mut past = params;
        past.not_before = rcgen::date_time_ymd(2000, 1, 1);
        past.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let expired = past.signed_by(&key, &authority).unwrap();
        let files = Certificates {
            ca: folder.join("ca.pem"),
            certificate: folder.join("server.pem"),
            expired: folder.join("expired.pem"),
            key: folder.join("server.key"),
        };
        home::write(&files.ca, &authority.pem());
        home::write(&files.certificate, &server.pem());
        home::write(&files.expired, &expired.pem());
        home::write(&files.key, &key.serialize_pem());
        files
    }
}
