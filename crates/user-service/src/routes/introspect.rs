//! Saying whether a token is good, to services that don't find out by themselves.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Clock, Verifier};
use db::Db;
use serde::Serialize;
use serde_json::json;
use service_kit::Form;
use uuid::Uuid;

use crate::clients::Client;
use crate::domain::RefreshToken;
use crate::login::Logins;
use crate::mint::CLIENT_ID;
use crate::oauth::{OAuthError, OAuthRefusal, TokenInQuestion, unstored};
use crate::store::Session;

/// A good token (RFC 7662 §2.2).
#[derive(Serialize)]
struct Introspection<C> {
    active: bool,
    /// As RFC 6749 §5.1 has it, which knows none for a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(flatten)]
    claims: C,
}

#[derive(Serialize)]
struct RefreshClaims<'i> {
    iss: &'i str,
    sub: Uuid,
    exp: i64,
    client_id: &'static str,
    sid: Uuid,
}

/// `POST /oauth/introspect`: whether a token is good now, and what it says (RFC 7662). Of one that is not, nothing is told.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "oauth",
    request_body(content = TokenInQuestion, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "`{\"active\": true}` and the token's claims, or `{\"active\": false}`", body = Object),
        (status = 400, body = OAuthRefusal, description = "`invalid_request`"),
        (status = 401, body = OAuthRefusal, description = "`invalid_client`"),
        (status = 503, body = OAuthRefusal, description = "`temporarily_unavailable`"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn introspect(
    _: Client,
    question: Result<Form<TokenInQuestion>, OAuthError>,
    verifier: Data<Verifier>,
    db: Data<Db>,
    logins: Data<Logins>,
    clock: Data<Clock>,
) -> Result<HttpResponse, OAuthError> {
    let token = question?.0.token()?;

    if let Some(claims) = logins.mint.verify_claims(&verifier, &token) {
        // Without the leeway that verifiers give, so that no answer has an `exp` in the past.
        let is_current = claims.is_service() || logins.bearer(&db, &claims).await?.is_some();
        if clock.now().timestamp() < claims.exp && is_current {
            return Ok(active(Some("Bearer"), claims.email.clone(), claims));
        }
    } else if let Some(token) = RefreshToken::parse(&token)
        && let Some(session) = logins
            .find_refreshable(&mut db.read().await?, &token, clock.now())
            .await?
    {
        return Ok(active(
            None,
            None,
            RefreshClaims::of(&logins.mint.issuer, &session),
        ));
    }
    Ok(unstored(HttpResponse::Ok().json(json!({"active": false}))))
}

fn active(
    token_type: Option<&'static str>,
    username: Option<String>,
    claims: impl Serialize,
) -> HttpResponse {
    unstored(HttpResponse::Ok().json(Introspection {
        active: true,
        token_type,
        username,
        claims,
    }))
}

impl<'i> RefreshClaims<'i> {
    fn of(issuer: &'i str, session: &Session) -> Self {
        Self {
            iss: issuer,
            sub: session.user_id,
            exp: session.token_expires_at.timestamp(),
            client_id: CLIENT_ID,
            sid: session.id,
        }
    }
}
