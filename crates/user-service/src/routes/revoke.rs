//! Taking a token back at a service's request.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Verifier;
use db::Db;
use service_kit::Form;

use crate::call::Call;
use crate::clients::Client;
use crate::domain::{Entry, Event, RefreshToken};
use crate::login::Logins;
use crate::oauth::{OAuthError, OAuthRefusal, TokenInQuestion, unstored};

/// `POST /oauth/revoke`: ends the session of a person's access token or refresh token (RFC 7009). A token that is good no more,
/// or never was one, is taken back already.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = TokenInQuestion, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "the token is good no more"),
        (status = 400, body = OAuthRefusal, description = "`invalid_request`, or `unsupported_token_type`: a service's token"),
        (status = 401, body = OAuthRefusal, description = "`invalid_client`"),
        (status = 503, body = OAuthRefusal, description = "`temporarily_unavailable`"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn revoke(
    client: Client,
    question: Result<Form<TokenInQuestion>, OAuthError>,
    verifier: Data<Verifier>,
    db: Data<Db>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, OAuthError> {
    let token = question?.0.token()?;

    let session = match (
        logins.mint.verify_claims(&verifier, &token),
        RefreshToken::parse(&token),
    ) {
        (Some(claims), _) if claims.is_service() => return Err(OAuthError::UnsupportedTokenType),
        (Some(claims), _) => claims.sid,
        (None, Some(token)) => {
            logins
                .find_endable(&mut db.read().await?, &token, call.at())
                .await?
        }
        (None, None) => None,
    };
    if let Some(session) = session {
        let entry = |user| Entry::by_service(Event::TokenRevoked, client.name(), user);
        logins.end_and_record(&db, &[session], &call, entry).await?;
        tracing::info!(client = client.name(), session.id = %session, "took a token back");
    }
    Ok(unstored(HttpResponse::Ok().finish()))
}
