//! Revoking a token at the request of a service.

use actix_web::HttpResponse;
use actix_web::web::Data;
use db::Db;
use service_kit::Form;

use crate::context::RequestContext;
use crate::domain::{Entry, Event, RefreshToken};
use crate::oauth::{Client, OAuthError, TokenForm, no_store};
use crate::sessions::Sessions;
use crate::tokens::IssuedTokenVerifier;

/// `POST /oauth/revoke`: ends the session of a user's access token or refresh token (RFC 7009). A token that is
/// expired or unknown, or whose session has ended, gives the same response.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth", operation_id = "revoke_token",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "the token is invalid now, whether or not it was valid before"),
        (status = 400, description = "`unsupported_token_type`: it is a service token"),
        (status = 503, description = "`temporarily_unavailable`"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn revoke(
    client: Client,
    form: Result<Form<TokenForm>, OAuthError>,
    verifier: Data<IssuedTokenVerifier>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, OAuthError> {
    let token = form?.0.token(&client)?;

    let session = if let Some(claims) = verifier.verify_claims(&token) {
        if claims.is_service() {
            return Err(OAuthError::UnsupportedTokenType);
        }
        claims.sid
    } else if let Some(token) = RefreshToken::parse(&token) {
        let mut conn = db.read().await?;
        sessions.find_endable(&mut conn, &token, context.time()).await?
    } else {
        None
    };
    if let Some(session) = session {
        let entry = |user| Entry::by_service(Event::TokenRevoked, client.name(), user);
        sessions.end_and_record(&db, &[session], &context, entry).await?;
    }
    Ok(no_store(HttpResponse::Ok().finish()))
}
