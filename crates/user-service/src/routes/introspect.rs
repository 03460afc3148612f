//! Token introspection, for services that don't verify tokens themselves.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Clock;
use db::Db;
use serde::Serialize;
use serde_json::json;
use service_kit::Form;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{RefreshToken, Session};
use crate::oauth::{Client, OAuthError, TokenForm, no_store};
use crate::sessions::Sessions;
use crate::tokens::{IssuedTokenVerifier, USER_TOKEN_CLIENT_ID};

/// An introspection response (RFC 7662 §2.2). If `active` is true, the response also contains all claims of the token; here are
/// those that RFC 7662 names.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct Introspection {
    /// Whether the token is valid now.
    #[schema(example = true)]
    active: bool,
    /// The type of an access token or a service token (RFC 6749 §5.1). A refresh token has none.
    #[schema(nullable = false, pattern = "^Bearer$", example = "Bearer")]
    token_type: Option<String>,
    /// The email address of the token's user.
    #[schema(nullable = false, max_length = 254, example = "ada@example.com")]
    username: Option<String>,
    /// The issuer: the URL of the platform.
    #[schema(
        nullable = false,
        format = "uri",
        max_length = 2_000,
        example = "https://shop.example"
    )]
    iss: Option<String>,
    /// The id of the token's user, or the name of the token's service.
    #[schema(
        nullable = false,
        max_length = 200,
        example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01"
    )]
    sub: Option<String>,
    /// The client that the token was issued to.
    #[schema(nullable = false, max_length = 200, example = "countersign")]
    client_id: Option<String>,
    /// When the token expires, in Unix seconds.
    #[schema(
        nullable = false,
        minimum = 0,
        maximum = 253_402_300_799_i64,
        example = 1_767_226_500
    )]
    exp: Option<i64>,
    /// The scopes of a user's access token, separated by spaces.
    #[schema(nullable = false, max_length = 8192, example = "products:write orders:write")]
    scope: Option<String>,
}

/// An active token (RFC 7662 §2.2).
#[derive(Serialize)]
struct ActiveToken<C> {
    active: bool,
    /// The type of an access token (RFC 6749 §5.1). A refresh token has no type.
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

/// `POST /oauth/introspect`: whether a token is active, and the claims of an active token (RFC 7662). The response for an inactive
/// token does not say why the token is inactive (RFC 7662 §2.2).
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "oauth", operation_id = "introspect_token",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "`{\"active\": true}` and the token's claims, or `{\"active\": false}`", body = Introspection),
        (status = 503, description = "`temporarily_unavailable`"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn introspect(
    client: Client,
    form: Result<Form<TokenForm>, OAuthError>,
    verifier: Data<IssuedTokenVerifier>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    clock: Data<Clock>,
) -> Result<HttpResponse, OAuthError> {
    let token = form?.0.token(&client)?;
    let now = clock.now();

    if let Some(claims) = verifier.verify_claims(&token) {
        // The expiry is checked again without the leeway of verifiers, so that no active token has an `exp` in the past.
        let is_current = claims.is_service() || sessions.active_user(&db, &claims).await?.is_some();
        if now.timestamp() < claims.exp && is_current {
            return Ok(active(Some("Bearer"), claims.email.clone(), claims));
        }
    } else if let Some(token) = RefreshToken::parse(&token) {
        let mut conn = db.read().await?;
        if let Some(session) = sessions.find_refreshable(&mut conn, &token, now).await? {
            return Ok(active(None, None, RefreshClaims::of(&sessions, &session)));
        }
    }
    Ok(no_store(HttpResponse::Ok().json(json!({"active": false}))))
}

fn active(
    token_type: Option<&'static str>,
    username: Option<String>,
    claims: impl Serialize,
) -> HttpResponse {
    no_store(HttpResponse::Ok().json(ActiveToken {
        active: true,
        token_type,
        username,
        claims,
    }))
}

impl<'i> RefreshClaims<'i> {
    fn of(sessions: &'i Sessions, session: &Session) -> Self {
        Self {
            iss: &sessions.token_issuer.issuer,
            sub: session.user_id,
            exp: session.token_expires_at.timestamp(),
            client_id: USER_TOKEN_CLIENT_ID,
            sid: session.id,
        }
    }
}
