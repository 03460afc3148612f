//! Logging in with accounts of OpenID providers, such as Google (OpenID Connect Core, code flow with PKCE).
//!
//! - `config` reads which providers there are.
//! - `pending_login` is a login that waits for the provider's answer, in an encrypted cookie.
//! - `flow` sends a browser to a provider; `finish` logs the user in, or links the account, when the browser returns.
//! - `provider` asks one provider: its metadata, keys, tokens and claims, within a deadline and bounded in size.
//! - `person` finds or creates the user to whom a provider's account belongs, in a transaction.
//!
//! An account of a provider is known by its issuer and subject. An email address links it to a user only as
//! `ProviderAccount::linking` says.

mod config;
mod error;
mod finish;
mod flow;
mod http;
mod id_token;
mod metadata;
mod pending_login;
mod person;
mod provider;
mod userinfo;

pub use self::config::ProviderConfig;
pub(crate) use self::error::ProviderError;
pub(crate) use self::finish::{Finished, Login, ProviderAnswer};
pub(crate) use self::flow::OpenId;
pub(crate) use self::pending_login::{PendingLogin, PendingLoginCookie, Purpose};
pub(crate) use self::provider::{Provider, Providers};
