//! The marks of identity tokens, for the gateway that signs them and the services that verify them.

/// The request header in which the gateway sends an identity token.
pub const IDENTITY_HEADER: &str = "x-countersign-identity";

/// The `typ` of identity tokens (RFC 8725 §3.11).
pub const IDENTITY_TOKEN_TYPE: &str = "countersign-identity+jwt";

/// The issuer (`iss`) of identity tokens, on the platform whose access tokens have this issuer.
#[must_use]
pub fn identity_issuer(issuer: &str) -> String {
    format!("{issuer}/gateway")
}
