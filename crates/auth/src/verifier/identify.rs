//! Identifies the caller of a request by its bearer token, its access cookie or its identity token.

use actix_web::dev::RequestHead;
use actix_web::http::header::{COOKIE, HeaderMap};

use super::Verifier;
use crate::access_cookie::{AccessCookieState, Identified};
use crate::authenticate::{Authenticated, is_upgrade};
use crate::cookies::FoundCookie;
use crate::credentials;
use crate::error::AuthError;
use crate::origins::{CarriedCookies, RequestKind};
use crate::principal::Principal;
use crate::strategy::Strategy;
use crate::token_verifier::{TokenVerifier, Verified};

impl Verifier {
    /// Identifies the caller of a request, and applies the cross-site rule.
    pub(crate) async fn authenticate(&self, head: &RequestHead) -> Authenticated {
        let headers = &head.headers;
        // Most requests of programs have no cookies, and need only this lookup.
        let with_cookies = self.access_cookie().filter(|_| headers.contains_key(COOKIE));
        let Identified { caller, cookie } = match &self.state.strategy {
            Strategy::Gateway(identities) => Identified {
                caller: self.authenticate_behind_gateway(identities, headers).await,
                cookie: AccessCookieState::Missing,
            },
            Strategy::Local | Strategy::Introspect(_) => {
                let cookie = with_cookies.map_or(FoundCookie::Missing, |cookie| cookie.find(headers));
                self.identify(credentials::bearer_token_of(headers), cookie).await
            }
        };
        let is_cross_site = self.access_cookie().is_some_and(|access_cookie| {
            let is_safe = head.method.is_safe();
            let cookies = match with_cookies {
                _ if cookie == AccessCookieState::Usable => CarriedCookies::Usable,
                Some(cookies) if !is_safe => cookies.guarded_in(headers),
                _ => CarriedCookies::None,
            };
            let kind = RequestKind {
                is_safe,
                is_upgrade: is_upgrade(head),
                cookies,
            };
            let origins = access_cookie.origins();
            let checked = origins.check(kind, |origins| origins.source_of(headers));
            checked.is_err()
        });
        Authenticated {
            principal: caller,
            is_cross_site,
            removes_cookie: cookie == AccessCookieState::Invalid,
        }
    }

    /// Identifies the caller by the identity token, and a service by its service token.
    async fn authenticate_behind_gateway(
        &self,
        identities: &TokenVerifier,
        headers: &HeaderMap,
    ) -> Result<Principal, AuthError> {
        let Some(token) = credentials::identity_token(headers)? else {
            return self.verify(credentials::bearer_token_of(headers)?).await;
        };
        // The gateway may also forward the client's access token, which is not looked at.
        let Verified {
            principal, knowledge, ..
        } = identities.verify(token).await?;
        let Principal::User(user) = principal else {
            return Ok(principal);
        };
        // The authorization server can't confirm an identity token: the gateway issued it.
        let user = self
            .state
            .stale_policy
            .decide_without_confirmation(user, knowledge)?;
        Ok(Principal::User(user))
    }

    /// Identifies the caller by a bearer token, as [`bearer_token`](crate::bearer_token) finds it, and by the access cookie, as
    /// [`find_cookie`](crate::find_cookie) finds it, for programs of any framework. The rules for both are those of
    /// [`VerifierBuilder::access_cookie`](crate::VerifierBuilder::access_cookie). It does not apply the cross-site rule, which is
    /// [`Origins::check`](crate::Origins::check).
    pub async fn identify(&self, bearer: Result<&[u8], AuthError>, cookie: FoundCookie<'_>) -> Identified {
        if cookie == FoundCookie::Missing {
            let caller = match bearer {
                Ok(token) => self.verify(token).await,
                Err(error) => Err(error),
            };
            return Identified {
                caller,
                cookie: AccessCookieState::Missing,
            };
        }
        // Boxed, because requests without cookies would reserve the space of this future, too.
        Box::pin(self.identify_with_cookie(bearer, cookie)).await
    }

    async fn identify_with_cookie(
        &self,
        bearer: Result<&[u8], AuthError>,
        cookie: FoundCookie<'_>,
    ) -> Identified {
        let of_cookie = match cookie {
            FoundCookie::Value(token) => self.verify(token).await,
            FoundCookie::Missing | FoundCookie::Unusable => Err(AuthError::NoToken),
        };
        let is_usable = !matches!(of_cookie, Err(AuthError::NoToken | AuthError::InvalidToken(_)));
        let caller = match bearer {
            // No header, or one with another scheme, such as that of a proxy before the application.
            Err(AuthError::NoToken) if is_usable => of_cookie,
            Ok(token) if is_usable && cookie == FoundCookie::Value(token) => of_cookie,
            // Without keys it is not known whether the cookie counts.
            Ok(_) if of_cookie == Err(AuthError::KeysUnavailable) => of_cookie,
            Ok(_) if is_usable => Err(AuthError::AmbiguousCredentials),
            Ok(token) => self.verify(token).await,
            Err(error) => Err(error),
        };
        Identified {
            caller,
            cookie: if is_usable {
                AccessCookieState::Usable
            } else {
                AccessCookieState::Invalid
            },
        }
    }
}
