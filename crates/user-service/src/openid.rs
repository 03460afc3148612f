//! Logging in with accounts of OpenID providers, such as Google (OpenID Connect Core, code flow with PKCE).
//!
//! - `config` reads which providers there are.
//! - `pending_login` is a login that waits for the provider's answer, in an encrypted cookie.
//! - `flow` sends a browser to a provider; `finish` logs the user in, or links the account, when the browser returns.
//! - `provider` asks one provider: its metadata, keys, tokens and claims, within a deadline and bounded in size.
//! - `accounts` decides which user a provider's account belongs to, in a transaction.
//!
//! An account of a provider is known by its issuer and subject. An email address joins accounts only as `domain::joining` says.

mod accounts;
mod config;
mod finish;
mod flow;
mod http;
mod id_token;
mod metadata;
mod pending_login;
mod provider;
mod userinfo;

pub use self::config::ProviderConfig;
pub(crate) use self::finish::IdentifiedPerson;
pub(crate) use self::flow::OpenId;
pub(crate) use self::pending_login::{PendingLogin, PendingLoginCookie, Purpose};
pub(crate) use self::provider::{Provider, ProviderError, Providers};
