//! TLS of the server's own: reads the pair that `[tls]` names, finds out whether it is one, and
//! makes of it what connections are accepted with. It opens no socket.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ParsedCertificate, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, InconsistentKeys, RootCertStore, ServerConfig};

use crate::error::StartupError;
use crate::settings::TlsSettings;

const CERT: &str = "--tls-cert / [tls] cert";
const KEY: &str = "--tls-key / [tls] key";

/// A certificate and the key that belongs to it, read from their files once. What the files hold
/// later changes nothing until another pair is loaded.
#[derive(Clone)]
pub struct CertifiedPair {
    certified: Arc<CertifiedKey>,
    note: Option<String>,
}

impl CertifiedPair {
    /// Reads the files and checks that they belong together. To be called while whoever runs the
    /// program still has the right to read the key.
    ///
    /// # Errors
    /// A file that cannot be read or holds no PEM of its kind, a key of a kind that is not known,
    /// two that do not belong together. Each names the file, the setting and the remedy.
    pub fn load(settings: &TlsSettings) -> Result<CertifiedPair, StartupError> {
        let (cert, key) = (settings.cert.as_path(), settings.key.as_path());
        let chain = read_certificates(cert)?;
        let secret = private_key(key)?;
        let certified = CertifiedKey::from_der(chain, secret, &ring::default_provider())
            .map_err(|error| no_pair(&error, cert, key))?;
        let note = time_warning(&certified).map(|why| format!("{CERT}: {} {why}", cert.display()));
        Ok(CertifiedPair {
            certified: Arc::new(certified),
            note,
        })
    }

    /// Returns what is odd about the certificate but keeps nobody from serving it: its time.
    pub fn certificate_note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Returns what connections are accepted with: TLS 1.2 and 1.3, and HTTP/1.1 as the only
    /// protocol.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let resolver: Arc<dyn ResolvesServerCert> =
            Arc::new(SingleCertAndKey::from(Arc::clone(&self.certified)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of both versions")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl fmt::Debug for CertifiedPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("note", &self.note)
            .finish_non_exhaustive()
    }
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, StartupError> {
    let content = read(file, CERT)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<_, _>>()
        .map_err(|error| no_pem(file, CERT, &error))?;
    if chain.is_empty() {
        let what = format!("{} holds no certificate in PEM form", file.display());
        return Err(StartupError::new(what).at_place(CERT).with_remedy(
            "it begins with -----BEGIN CERTIFICATE-----; the server's own comes first",
        ));
    }
    Ok(chain)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, StartupError> {
    let content = read(file, KEY)?;
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| {
        if !matches!(error, pem::Error::NoItemsFound) {
            return no_pem(file, KEY, &error);
        }
        let text = String::from_utf8_lossy(&content);
        let error =
            StartupError::new(format!("{} holds no private key", file.display())).at_place(KEY);
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
            error.with_remedy(
                "it is encrypted, and nobody is there to type its password: take that off with \
                 `openssl pkey -in FILE -out NEW`, and let the file be read by its owner alone",
            )
        } else {
            error.with_remedy("give one in PEM form: PKCS#8, SEC1 (EC) or PKCS#1 (RSA)")
        }
    })
}

fn read(file: &Path, setting: &str) -> Result<Vec<u8>, StartupError> {
    std::fs::read(file).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "let the user that starts unslow read it",
            _ => "name a readable file in PEM form",
        };
        StartupError::new(format!("{} cannot be read: {error}", file.display()))
            .at_place(setting)
            .with_remedy(remedy)
    })
}

fn no_pem(file: &Path, setting: &str, error: &pem::Error) -> StartupError {
    StartupError::new(format!("{} is broken: {error}", file.display()))
        .at_place(setting)
        .with_remedy("copy it again, with its BEGIN and END lines")
}

fn no_pair(error: &rustls::Error, cert: &Path, key: &Path) -> StartupError {
    let (cert, key) = (cert.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            StartupError::new(format!("the key in {key} is not that of {cert}"))
                .at_place("[tls] cert, key")
                .with_remedy(
                    "name the two files of one certificate; where the first has a whole chain, \
                     the server's own certificate comes first in it",
                )
        }
        rustls::Error::InvalidCertificate(error) => {
            StartupError::new(format!("the certificate in {cert} cannot be used: {error}"))
                .at_place(CERT)
                .with_remedy("have one issued for this server, of X.509 version 3")
        }
        _ => StartupError::new(format!("the key in {key} cannot be used: {error}"))
            .at_place(KEY)
            .with_remedy("give an RSA key of 2048 bits or more, a P-256 or P-384 key, or Ed25519"),
    }
}

/// Returns what is wrong with the certificate's time. Nobody is trusted here, so that checking it
/// ends with one error or another; its time comes first.
fn time_warning(certified: &CertifiedKey) -> Option<String> {
    let own = ParsedCertificate::try_from(certified.end_entity_cert().ok()?).ok()?;
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let now = UnixTime::now();
    let found = verify_server_cert_signed_by_trust_anchor(
        &own,
        &RootCertStore::empty(),
        &[],
        now,
        algorithms.all,
    );
    let Err(rustls::Error::InvalidCertificate(error)) = found else {
        return None;
    };
    let days = |from: UnixTime, to: UnixTime| {
        Duration::from_secs(to.as_secs().saturating_sub(from.as_secs())).as_secs() / 86_400
    };
    match error {
        CertificateError::ExpiredContext { not_after, .. } => Some(format!(
            "expired {} days ago: browsers refuse it",
            days(not_after, now)
        )),
        CertificateError::NotValidYetContext { not_before, .. } => Some(format!(
            "is valid only in {} days: browsers refuse it",
            days(now, not_before)
        )),
        CertificateError::Expired | CertificateError::NotValidYet => {
            Some("is out of its time: browsers refuse it".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd};
    use tempfile::TempDir;

    /// Returns a folder with `cert.pem` and `key.pem`.
    fn folder(cert: &str, key: &str) -> (TempDir, TlsSettings) {
        let folder = tempfile::tempdir().unwrap();
        let tls = TlsSettings {
            cert: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            redirect_bind: Vec::new(),
        };
        std::fs::write(&tls.cert, cert).unwrap();
        std::fs::write(&tls.key, key).unwrap();
        (folder, tls)
    }

    fn params() -> CertificateParams {
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
    }

    fn own(params: &CertificateParams, key: &KeyPair) -> String {
        params.clone().self_signed(key).unwrap().pem()
    }

    fn refusal(cert: &str, key: &str) -> String {
        let (_folder, tls) = folder(cert, key);
        CertifiedPair::load(&tls).unwrap_err().to_string()
    }

    #[test]
    fn a_pair_is_read_and_speaks_http_1_1_alone() {
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let (_folder, tls) = folder(&own(&params(), &key), &key.serialize_pem());
            let pair = CertifiedPair::load(&tls).unwrap();
            assert_eq!(pair.certificate_note(), None);
            assert_eq!(pair.server_config().alpn_protocols, [b"http/1.1"]);
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_with_both_files() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let said = refusal(&own(&params(), &key), &other.serialize_pem());
        for word in ["cert.pem", "key.pem", "[tls] cert, key", "is not that of"] {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }

    #[test]
    fn what_is_no_pem_is_refused_with_its_setting_and_the_remedy() {
        let key = KeyPair::generate().unwrap();
        let (cert, secret) = (own(&params(), &key), key.serialize_pem());
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (cert, key, words) in [
            ("", secret.as_str(), ["[tls] cert", "holds no certificate"]),
            (&secret, &secret, ["[tls] cert", "holds no certificate"]),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n",
                &secret,
                ["[tls] cert", "is broken"],
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &secret,
                ["[tls] cert", "cannot be used"],
            ),
            (&cert, "", ["[tls] key", "PKCS#8"]),
            (&cert, &cert, ["[tls] key", "PKCS#8"]),
            (&cert, encrypted, ["[tls] key", "openssl pkey"]),
            (
                &cert,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                ["[tls] key", "P-256"],
            ),
        ] {
            let said = refusal(cert, key);
            for word in words {
                assert!(said.contains(word), "{word:?} is not in {said}");
            }
            assert!(!said.contains("AAAA"), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let key = KeyPair::generate().unwrap();
        let (_folder, tls) = folder(&own(&params(), &key), &key.serialize_pem());
        std::fs::remove_file(&tls.key).unwrap();
        let said = CertifiedPair::load(&tls).unwrap_err().to_string();
        assert!(
            said.contains("key.pem") && said.contains("check the path"),
            "{said}"
        );
    }

    #[test]
    fn a_certificate_out_of_its_time_is_served_with_a_note() {
        let key = KeyPair::generate().unwrap();
        for (from, to, words) in [(2000, 2001, "expired"), (2500, 2501, "valid only in")] {
            let mut params = params();
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
            let (_folder, tls) = folder(&own(&params, &key), &key.serialize_pem());
            let pair = CertifiedPair::load(&tls).unwrap();
            assert!(
                pair.certificate_note().unwrap().contains(words),
                "{:?}",
                pair.certificate_note()
            );
        }
    }
}
