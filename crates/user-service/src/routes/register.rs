//! Becoming a user.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, RequestError, id, text};
use utoipa::ToSchema;

use crate::call::Call;
use crate::domain::{EmailAddress, Entry, Event, User, password};
use crate::error::UserError;
use crate::passwords::Passwords;
use crate::store::{AuditLog, NewUser, Users};

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[garde(skip)]
    #[schema(example = "ada@example.com")]
    email: String,
    /// 8 to 128 characters, none of the commonest passwords, and neither the address nor the name.
    #[garde(skip)]
    #[schema(min_length = 8, max_length = 128, format = "password")]
    password: String,
    #[garde(custom(text::line(1, 100)))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// `POST /auth/register`: makes a user. Logging in is another call.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = Registration,
    responses(
        (status = 201, body = User),
        (status = 409, description = "`email_taken`: an account has this address, in this or another spelling (case, Unicode form, punycode)"),
        (status = 422, description = "a field is not valid"),
        (status = 503, description = "`hashing_busy`: every hashing slot is taken"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn register(
    _: Anyone,
    Body(registration): Body<Registration>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    let email = EmailAddress::parse(&registration.email)
        .map_err(|invalid| RequestError::field("email", invalid.to_string()))?;
    password::check(&registration.password, &[email.as_str(), &registration.name])
        .map_err(|weakness| RequestError::field("password", weakness))?;

    // Asked first, so that taken addresses cost no hash; the insert decides.
    if Users(&mut db.read().await?)
        .find_by_email(&email)
        .await?
        .is_some()
    {
        return Err(UserError::EmailTaken);
    }
    let password_hash = passwords.hash(&registration.password).await?;

    let id = id::new(call.at());
    let new = NewUser {
        id,
        email: &email,
        name: &registration.name,
        password_hash: &password_hash,
        roles: "user",
        now: call.at(),
    };
    let mut tx = db.begin().await?;
    if !Users(&mut tx).add(&new).await? {
        return Err(UserError::EmailTaken);
    }
    let account = Users(&mut tx).find(id).await?.ok_or(UserError::NotFound)?;
    AuditLog(&mut tx)
        .add(&Entry::of(Event::Registered, id), &call)
        .await?;
    tx.commit().await?;

    tracing::info!(user.id = %id, "registered");
    Ok(HttpResponse::Created().json(User::from(account)))
}
