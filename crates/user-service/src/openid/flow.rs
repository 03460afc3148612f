//! The two ends of a login at a provider: the browser is sent there, and it returns.

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use chrono::{DateTime, Utc};
use db::{Db, Tx};
use url::Url;

use super::pending_login::{PendingLogin, PendingLoginCookie, Purpose};
use super::provider::{Provider, Providers};
use crate::cookies::SessionCookies;
use crate::domain::ReturnTo;
use crate::error::UserError;
use crate::store::UsedLoginRows;

/// Logging in at providers. Clones share what is known of the providers.
#[derive(Clone, Debug)]
pub(crate) struct OpenId {
    pub providers: Providers,
    pub cookie: PendingLoginCookie,
    /// The cookies in which browsers get their tokens.
    pub session_cookies: SessionCookies,
    /// The platform's own origin.
    pub public_url: String,
}

impl OpenId {
    /// The provider that the path `/auth/{provider}` names.
    pub(crate) fn provider(&self, request: &HttpRequest) -> Result<&Provider, UserError> {
        let name = request.match_info().get("provider");
        name.and_then(|name| self.providers.find(name))
            .ok_or(UserError::ProviderNotFound)
    }

    /// Checks where the browser is to go after the login.
    pub(crate) fn return_to(&self, text: Option<&str>) -> Result<Option<ReturnTo>, UserError> {
        let Some(text) = text else { return Ok(None) };
        let is_allowed = |origin: &str| self.session_cookies.origins().includes(origin);
        let parsed = ReturnTo::parse(text, &self.public_url, is_allowed);
        parsed.map(Some).ok_or(UserError::InvalidReturnTo)
    }

    /// Begins a login: where to send the browser, and the cookie that it needs on its way back.
    pub(crate) async fn begin(
        &self,
        provider: &Provider,
        purpose: Purpose,
        return_to: Option<ReturnTo>,
        now: DateTime<Utc>,
    ) -> Result<(Url, Cookie<'static>), UserError> {
        let pending = PendingLogin::new(provider.name(), purpose, return_to, now)?;
        let url = provider.authorization_url(&pending).await?;
        Ok((url, self.cookie.of(&pending)?))
    }

    /// Uses up a pending login: of several requests with the same answer, only the first one succeeds.
    pub(crate) async fn use_up(&self, db: &Db, pending: &PendingLogin) -> Result<(), UserError> {
        let add = async |tx: &mut Tx| {
            UsedLoginRows(tx)
                .add(&pending.state_hash(), pending.expires_at())
                .await
        };
        if db.transaction(add).await? {
            Ok(())
        } else {
            Err(UserError::ProviderLoginExpired)
        }
    }
}
