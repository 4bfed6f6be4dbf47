//! The ways in which a connection to PostgreSQL is secured.

/// The security of a connection to PostgreSQL; libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS where the server has it, without a check of the certificate.
    Prefer,
    /// TLS, without a check of the certificate.
    Require,
    /// TLS with a certificate from a trusted CA.
    VerifyCa,
    /// TLS with a certificate from a trusted CA for this very host.
    VerifyFull,
}
