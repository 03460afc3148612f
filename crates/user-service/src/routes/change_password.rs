//! Changing one's password.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, RequestError};
use utoipa::ToSchema;

use crate::call::Call;
use crate::domain::{EmailAddress, Entry, Event, password};
use crate::error::UserError;
use crate::login::Logins;
use crate::passwords::Passwords;
use crate::store::{AuditLog, Users};

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOfPassword {
    #[garde(skip)]
    #[schema(format = "password")]
    current_password: String,
    /// 8 to 128 characters, none of the commonest passwords, and neither the address nor the name.
    #[garde(skip)]
    #[schema(min_length = 8, max_length = 128, format = "password")]
    new_password: String,
}

/// `PUT /auth/password`: changes the caller's password, and ends all their sessions but this one. A wrong current password counts
/// as a failed login does.
#[utoipa::path(
    put, path = "/auth/password", tag = "auth", request_body = ChangeOfPassword,
    responses(
        (status = 204, description = "it is the new one from now on"),
        (status = 422, description = "`current_password` is wrong, or `new_password` not fit for one"),
        (status = 429, description = "`too_many_attempts` at this account, by which `Retry-After` is over", headers(("retry-after" = u32))),
        (status = 503, description = "`hashing_busy`: every hashing slot is taken", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn change_password(
    VerifyToken(user): VerifyToken,
    Body(change): Body<ChangeOfPassword>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    passwords.expect_room()?;
    let account = Users(&mut db.read().await?)
        .find(user.id())
        .await?
        .ok_or(UserError::NotFound)?;
    password::check(&change.new_password, &[&account.email, &account.name])
        .map_err(|weakness| RequestError::field("new_password", weakness))?;
    let email = EmailAddress::parse_existing(&account.email).ok();
    let guess = passwords
        .guess(
            &db,
            email.as_ref(),
            Some(&account),
            &change.current_password,
            &call,
        )
        .await?;
    let wrong = || RequestError::field("current_password", "is wrong");
    if !guess.is_right {
        let entry = Entry::of(Event::PasswordChanged, account.id).failing("wrong password");
        guess.record_failure(&db, entry, &call).await?;
        return Err(wrong().into());
    }
    let hash = match passwords.hash(&change.new_password).await {
        Ok(hash) => hash,
        Err(error) => return Err(passwords.give_up(&db, &guess, error).await),
    };

    let replace = async |tx: &mut db::Tx| {
        let expected = account.password_hash.as_deref();
        if !Users(tx)
            .set_password(account.id, expected, &hash, call.at())
            .await?
        {
            return Err(UserError::from(wrong()));
        }
        passwords.accept(tx, &guess, &account, &call).await?;
        let taking_back = logins
            .end_others(tx, account.id, user.session_id(), call.at())
            .await?;
        AuditLog(tx)
            .add(&Entry::of(Event::PasswordChanged, account.id), &call)
            .await?;
        Ok(taking_back.write_down(tx).await?)
    };
    let taken_back = db.transaction(replace).await?;

    logins.take_back(taken_back);
    tracing::info!("changed their password");
    Ok(HttpResponse::NoContent().finish())
}
