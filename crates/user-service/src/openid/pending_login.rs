//! A login that waits for the provider's answer: the secrets that bind the answer to the browser that asked for it. They are in an
//! encrypted cookie of this browser, so a login that is never finished leaves nothing in the database.

use actix_web::cookie::Cookie;
use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use auth::{FoundCookie, find_cookie};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use service_kit::CookieSettings;
use uuid::Uuid;

use crate::cookies::host_cookie;
use crate::domain::{ReturnTo, sha256};
use crate::error::UserError;
use crate::random::{self, NoRandomness};
use crate::tokens::SealingKeys;

/// How long a person has to log in at the provider.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
const SEAL_PURPOSE: &str = "a pending login";

/// A login that waits for the provider's answer.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct PendingLogin {
    /// The name of the provider.
    pub provider: String,
    /// Returned by the provider with the browser (RFC 6749 §10.12).
    pub state: String,
    /// Returned by the provider in the ID token (OpenID Connect Core §3.1.2.1).
    pub nonce: String,
    /// Proves to the provider that the code was issued for this login (RFC 7636).
    pub code_verifier: String,
    /// Where the browser goes afterwards. Without it, the response to the callback is the result.
    pub return_to: Option<ReturnTo>,
    pub purpose: Purpose,
    /// In Unix seconds.
    expires_at: i64,
}

/// The purpose of a login at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Purpose {
    /// To log in, with the token pair in the body or in cookies.
    LogIn {
        /// Whether the token pair is returned in cookies.
        in_cookies: bool,
    },
    /// To link the account to this user, as long as this session continues.
    Link { user: Uuid, session: Uuid },
}

impl PendingLogin {
    /// Whether the token pair is returned in cookies.
    pub(crate) fn is_in_cookies(&self) -> bool {
        self.purpose == Purpose::LogIn { in_cookies: true }
    }

    /// A new login with fresh secrets.
    pub(crate) fn new(
        provider: &str,
        purpose: Purpose,
        return_to: Option<ReturnTo>,
        now: DateTime<Utc>,
    ) -> Result<Self, NoRandomness> {
        let secret = || random::bytes::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        Ok(Self {
            provider: provider.to_owned(),
            state: secret()?,
            nonce: secret()?,
            code_verifier: secret()?,
            return_to,
            purpose,
            expires_at: (now + LIFETIME).timestamp(),
        })
    }

    /// Identifies the login, so that it is used once.
    pub(crate) fn state_hash(&self) -> [u8; 32] {
        sha256(self.state.as_bytes())
    }

    /// When the login expires.
    pub(crate) fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.expires_at, 0).unwrap_or_default()
    }
}

impl std::fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingLogin")
            .field("provider", &self.provider)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// The cookie with the pending login of a browser. A new login replaces the previous one.
#[derive(Clone, Debug)]
pub(crate) struct PendingLoginCookie {
    keys: SealingKeys,
    name: &'static str,
    is_https: bool,
}

impl PendingLoginCookie {
    /// `keys` encrypt the cookie.
    pub(crate) fn new(keys: SealingKeys, settings: &CookieSettings) -> Self {
        Self {
            keys,
            name: settings.names.login,
            is_https: settings.origins.is_https(),
        }
    }

    /// The cookie with this login.
    pub(crate) fn of(&self, pending: &PendingLogin) -> Result<Cookie<'static>, UserError> {
        let json = serde_json::to_vec(pending).map_err(UserError::internal)?;
        let sealed = self.keys.seal(SEAL_PURPOSE, &json)?;
        Ok(self.cookie(URL_SAFE_NO_PAD.encode(sealed), LIFETIME))
    }

    /// Removes the cookie from the browser.
    pub(crate) fn removal(&self) -> Cookie<'static> {
        self.cookie(String::new(), TimeDelta::zero())
    }

    /// The pending login of the browser that sent these headers, unless it has expired. A cookie that is repeated or was not made by
    /// this service counts as none.
    pub(crate) fn read(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<PendingLogin> {
        let lines = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
        let FoundCookie::Value(value) = find_cookie(lines, self.name) else {
            return None;
        };
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let opened = self.keys.open(SEAL_PURPOSE, &sealed).ok()?;
        let pending: PendingLogin = serde_json::from_slice(&opened.secret).ok()?;
        (now < pending.expires_at()).then_some(pending)
    }

    fn cookie(&self, value: String, lifetime: TimeDelta) -> Cookie<'static> {
        host_cookie(self.name, value, lifetime.num_seconds(), self.is_https)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::KeyEncryptionKey;

    fn cookie_of(byte: u8, is_https: bool) -> PendingLoginCookie {
        let keys = SealingKeys {
            current: KeyEncryptionKey::new([byte; 32]),
            previous: None,
        };
        let own_origin = if is_https {
            "https://shop.example"
        } else {
            "http://localhost:8080"
        };
        PendingLoginCookie::new(keys, &CookieSettings::new(own_origin, []))
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, line.parse().unwrap());
        }
        headers
    }

    fn pending() -> PendingLogin {
        let purpose = Purpose::LogIn { in_cookies: false };
        PendingLogin::new("google", purpose, None, DateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_pending_login_is_read_from_its_cookie_until_it_expires() {
        let (cookie, pending) = (cookie_of(1, true), pending());
        let set = cookie.of(&pending).unwrap();
        assert!(set.to_string().starts_with("__Host-countersign-login="));
        assert!(
            set.to_string()
                .ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600"),
            "{set}"
        );
        assert!(!set.value().contains(&pending.state));

        let read = |now| cookie.read(&headers(&[&format!("a=b; {}; c=d", set.stripped())]), now);
        let read_back = read(DateTime::UNIX_EPOCH + TimeDelta::seconds(599)).unwrap();
        assert_eq!(
            (read_back.state, read_back.nonce, read_back.code_verifier),
            (pending.state, pending.nonce, pending.code_verifier)
        );
        assert!(read(DateTime::UNIX_EPOCH + TimeDelta::seconds(600)).is_none());
    }

    #[test]
    fn a_cookie_that_this_service_did_not_make_counts_as_none() {
        let cookie = cookie_of(1, false);
        let set = cookie.of(&pending()).unwrap().stripped().to_string();
        let read = |lines: &[&str]| cookie.read(&headers(lines), DateTime::UNIX_EPOCH);
        assert!(read(&[&set]).is_some());

        let foreign = cookie_of(2, false).of(&pending()).unwrap().stripped().to_string();
        let other_form = cookie_of(1, true).of(&pending()).unwrap().stripped().to_string();
        let set = set.as_str();
        for lines in [
            &[][..],
            &[set, set],
            &[&format!("{set}; {set}")],
            &[&foreign],
            &[&other_form],
            &[&set[..set.len() - 1]],
            &[&format!("{set}A")],
            &["countersign_login="],
            &[&format!("countersign_login={}", "A".repeat(5000))],
        ] {
            assert!(read(lines).is_none(), "{lines:?}");
        }
    }

    #[test]
    fn a_pending_login_shows_no_secrets_in_logs() {
        let pending = pending();
        let shown = format!("{pending:?}");
        for secret in [&pending.state, &pending.nonce, &pending.code_verifier] {
            assert!(!shown.contains(secret.as_str()));
        }
    }
}
