//! Logging in.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Anyone, Clock};
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::domain::{EmailAddress, password};
use crate::error::UserError;
use crate::hashing::Hashing;
use crate::login::{Logins, TokenPair};
use crate::store::Users;

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[garde(skip)]
    #[schema(example = "ada@example.com")]
    email: String,
    #[garde(skip)]
    #[schema(format = "password")]
    password: String,
}

/// `POST /auth/login`: opens a session.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Credentials,
    responses(
        (status = 200, body = TokenPair),
        (status = 401, description = "`invalid_credentials`, whether the address is unknown, the password wrong or the user disabled"),
        (status = 422, description = "a field is missing"),
        (status = 503, description = "`hashing_busy`: every hashing slot is taken"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn login(
    _: Anyone,
    Body(credentials): Body<Credentials>,
    db: Data<Db>,
    hashing: Data<Hashing>,
    logins: Data<Logins>,
    clock: Data<Clock>,
) -> Result<HttpResponse, UserError> {
    // What is no address is nobody's, and takes as long as any other.
    let account = match EmailAddress::parse(&credentials.email) {
        Ok(email) => Users(&mut db.read().await?).find_by_email(&email).await?,
        Err(_) => None,
    };
    let hash = account.as_ref().and_then(|account| account.password_hash.as_deref());
    let matches = hashing.matches(password::normalize(&credentials.password), hash).await?;
    let account =
        account.filter(|account| matches && !account.disabled).ok_or(UserError::InvalidCredentials)?;

    let mut tx = db.begin().await?;
    let pair = logins.open(&mut tx, &account, clock.now()).await?;
    tx.commit().await?;

    tracing::info!(user.id = %account.id, "logged in");
    Ok(pair.respond())
}
