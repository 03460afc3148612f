//! Registering a user.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, RequestError, id, text};
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::domain::{EmailAddress, LoginMethod, UserResponse, password};
use crate::error::UserError;
use crate::mail::Outbox;
use crate::passwords::Passwords;
use crate::registration::add_user;
use crate::store::{NewUser, UserRows};

/// The data of a new user.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The email address. Spaces around it are ignored.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// 8 to 128 characters, not one of the most common passwords, and neither the email address nor the name.
    #[schema(
        min_length = 8,
        max_length = 128,
        format = "password",
        example = "correct horse battery"
    )]
    password: String,
    /// The name, on one line.
    #[garde(custom(text::line(1, 100)))]
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    name: String,
}

impl Registration {
    /// The email address, if address and password are valid.
    fn checked_email(&self) -> Result<EmailAddress, RequestError> {
        let email = EmailAddress::parse(&self.email)
            .map_err(|invalid| RequestError::field("email", invalid.to_string()))?;
        password::check(&self.password, &[email.as_str(), &self.name])
            .map_err(|why| RequestError::field("password", why))?;
        Ok(email)
    }
}

/// `POST /auth/register`: creates a user, who can then log in. A mail with a link that verifies the address is sent.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = Registration,
    responses(
        (status = 201, body = UserResponse),
        (status = 409, description = "`email_taken`: an account has this address, perhaps in another form (case, Unicode normalization, punycode)"),
        (status = 503, description = "`hashing_busy`: too many passwords are being hashed"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn register(
    _: Anyone,
    Body(registration): Body<Registration>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    outbox: Data<Outbox>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let email = registration.checked_email()?;
    // A registration with a taken address is refused before the password is hashed, to save the cost. Of concurrent registrations
    // with one address, the insert below accepts only the first.
    let existing = UserRows(&mut db.read().await?).find_by_email(&email).await?;
    if existing.is_some() {
        return Err(UserError::EmailTaken);
    }

    let password_hash = passwords.hash(&registration.password).await?;
    let new = NewUser {
        id: id::new(context.time()),
        email: &email,
        email_verified: false,
        name: &registration.name,
        password_hash: Some(&password_hash),
        roles: "user",
        now: context.time(),
    };
    let mut tx = db.begin().await?;
    let account = add_user(&mut tx, &outbox, &new, LoginMethod::Password, &context).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(UserResponse::from(account)))
}
