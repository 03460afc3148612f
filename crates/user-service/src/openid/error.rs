//! Errors of providers.

/// Why a provider did not identify a person. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It can't be reached, is too slow, or reports an internal error.
    #[error("the provider can't be reached: {0}")]
    Unavailable(String),
    /// Its answer is not valid.
    #[error("the provider's answer is not valid: {0}")]
    Broken(String),
    /// It does not accept the code: the code was used, has expired, or belongs to another login.
    #[error("the provider does not accept the code")]
    InvalidCode,
    /// The browser brings the answer of another provider (RFC 9207 §2.4).
    #[error("the answer is not from this provider")]
    OtherIssuer,
}
