//! The three strategies by which a verifier decides about users. Handlers, extractors and policies are the same in all of them.
//!
//! | strategy | a user is known by | revocation is checked in |
//! | --- | --- | --- |
//! | `Local` | the access token | the revocation set of this process |
//! | `Introspect` | the access token, which the authorization server confirms on each request | that set, then the server's database |
//! | `Gateway` | the identity token that the gateway signed for this service | the revocation set of this process |
//!
//! `Introspect` verifies an access token locally first, so invalid tokens cost the authorization server nothing. The server's
//! answer is not cached. Without an answer the request is refused with 503 `revocation_unknown`.
//!
//! `Gateway` reads the header [`IDENTITY_HEADER`](crate::IDENTITY_HEADER). Identity tokens and access tokens can't replace each
//! other: they differ in `typ`, issuer, audience and keys. If the header is present, it alone decides. A user's access token is
//! refused. The other strategies ignore the header.
//!
//! Services are known by their service tokens, and service tokens are verified locally, in all strategies: they can't be revoked,
//! so there is nothing to ask about. No strategy reads headers such as `x-user-id`.

#[cfg(feature = "client")]
mod introspection;
#[cfg(not(feature = "client"))]
mod without_client;

#[cfg(feature = "client")]
pub use self::introspection::{Introspection, IntrospectionError};
#[cfg(not(feature = "client"))]
pub(crate) use self::without_client::{FeedTask, Introspection};
use crate::token_verifier::TokenVerifier;

/// How a verifier decides about users.
#[derive(Debug)]
pub(crate) enum Strategy {
    Local,
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "an `Introspection` needs the feature")
    )]
    Introspect(Introspection),
    /// The verifier of identity tokens.
    Gateway(Box<TokenVerifier>),
}
