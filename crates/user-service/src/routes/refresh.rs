//! Refreshing a session.

use std::future::ready;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError as _};
use auth::Anyone;
use db::Db;
use futures_util::future::LocalBoxFuture;
use garde::Validate;
use serde::Deserialize;
use service_kit::OptionalBody;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::cookies::{InCookies, RefreshCookie, SessionCookies, SessionQuery, is_from_another_site};
use crate::domain::{Entry, Event, RefreshToken};
use crate::error::UserError;
use crate::sessions::refresh::Refreshed;
use crate::sessions::{SessionResponse, Sessions, TokenPair};

/// A refresh token that a client presents.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct PresentedToken {
    /// The refresh token of the last token pair.
    #[schema(max_length = 43, example = "a-refresh-token")]
    refresh_token: String,
}

impl PresentedToken {
    /// The token, if the text has the form of a refresh token.
    pub(crate) fn parse(&self) -> Option<RefreshToken> {
        RefreshToken::parse(&self.refresh_token)
    }
}

/// The body of a request that has the token in a cookie.
#[derive(Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
struct TokenBesideCookie {
    #[serde(default, deserialize_with = "service_kit::non_null")]
    refresh_token: Option<String>,
}

/// The refresh token of a request.
pub(crate) struct Presented {
    /// `None` if the request has none, or the text in its body does not have the form of a refresh token.
    token: Option<RefreshToken>,
    /// Whether the response sets or removes cookies: the token came in the cookie, or the request has neither token nor body. False if a
    /// page of another site sent it without a cookie.
    answers_in_cookies: bool,
}

impl FromRequest for Presented {
    type Error = UserError;
    type Future = LocalBoxFuture<'static, Result<Self, UserError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let cookie = RefreshCookie::from_request(request, payload).into_inner();
        let RefreshCookie(cookie) = match cookie {
            Ok(cookie) => cookie,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let Some(token) = cookie else {
            let body = OptionalBody::<PresentedToken>::from_request(request, payload);
            let is_foreign = is_from_another_site(request);
            return Box::pin(async move {
                let is_foreign = is_foreign?;
                let OptionalBody(presented) = body.await?;
                Ok(Self {
                    answers_in_cookies: presented.is_none() && !is_foreign,
                    token: presented.and_then(|presented| presented.parse()),
                })
            });
        };
        let body = OptionalBody::<TokenBesideCookie>::from_request(request, payload);
        Box::pin(async move {
            let OptionalBody(body) = body.await?;
            let text = body.and_then(|body| body.refresh_token);
            if text.is_some_and(|text| RefreshToken::parse(&text).as_ref() != Some(&token)) {
                return Err(UserError::AmbiguousRefreshToken);
            }
            Ok(Self {
                token: Some(token),
                answers_in_cookies: true,
            })
        })
    }
}

/// `POST /auth/refresh`: exchanges a refresh token, which is valid once, for the next token pair. Within `REFRESH_GRACE`,
/// and until the successor is used, the same token returns the same successor again, for a client that missed the response.
/// Otherwise, presenting the token again ends the session, because two parties may have the token.
///
/// The token may come in the refresh cookie instead: the body is then empty, and the response sets the next cookies and has no tokens.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", params(SessionQuery), request_body = Option<PresentedToken>,
    responses(
        (
            status = 200, body = SessionResponse,
            headers(("set-cookie" = String, description = "The access cookie and the refresh cookie, if the response has no tokens")),
        ),
        (status = 400, description = "`invalid_request`: the body and the cookie have different refresh tokens"),
        (
            status = 401,
            description = "`invalid_refresh_token`. If the token came in the cookie, or there was none, the response removes both cookies",
            headers(("www-authenticate" = String, description = "`RefreshToken realm=\"countersign\"`: log in again")),
        ),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn refresh(
    _: Anyone,
    InCookies(in_cookies): InCookies,
    presented: Presented,
    cookies: Data<SessionCookies>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let answers_in_cookies = presented.answers_in_cookies;
    match exchange(presented.token, &db, &sessions, &context).await {
        // A script that was injected into a page must not be able to read a token that the browser keeps from it.
        Ok(pair) if answers_in_cookies || in_cookies.is_some() => Ok(pair.respond_in(&cookies)),
        Ok(pair) => Ok(pair.respond()),
        // The browser would only send the token again.
        Err(error @ UserError::InvalidRefreshToken) if answers_in_cookies => {
            let mut response = error.error_response();
            cookies.clear(&mut response);
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

/// The next token pair. A replay ends the session.
async fn exchange(
    token: Option<RefreshToken>,
    db: &Db,
    sessions: &Sessions,
    context: &RequestContext,
) -> Result<TokenPair, UserError> {
    let token = token.ok_or(UserError::InvalidRefreshToken)?;
    match sessions.refresh(&token, context).await? {
        Refreshed::Pair(pair) => Ok(pair),
        Refreshed::Replayed(session) => {
            let detail = format!("session {}", session.id);
            let entry = |user| Entry::failed_by_unknown_actor(Event::RefreshReplayed, Some(user), &detail);
            sessions.end_and_record(db, &[session.id], context, entry).await?;
            Err(UserError::InvalidRefreshToken)
        }
    }
}
