//! Logging in.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::call::Call;
use crate::domain::{Account, EmailAddress, Entry, Event};
use crate::error::UserError;
use crate::login::{Logins, TokenPair};
use crate::passwords::{Guess, Passwords};
use crate::store::{AuditLog, Users};

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
        (status = 429, description = "`too_many_attempts` at this account, by which `Retry-After` is over", headers(("retry-after" = u32))),
        (status = 503, description = "`hashing_busy`: every hashing slot is taken", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn login(
    _: Anyone,
    Body(credentials): Body<Credentials>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    passwords.expect_room()?;
    let Credentials { email, password } = &credentials;
    // What is no address is nobody's, and takes as long as any other.
    let email = EmailAddress::parse_existing(email).ok();
    let account = match &email {
        Some(email) => Users(&mut db.read().await?).find_by_email(email).await?,
        None => None,
    };
    let guess = passwords
        .guess(&db, email.as_ref(), account.as_ref(), password, &call)
        .await?;
    let subject = account.as_ref().map(|account| account.id);
    let failed = |why: &str| Entry::failed(Event::Login, subject, why);
    let account = match &account {
        Some(account) if guess.is_right && !account.disabled => account,
        other => {
            guess
                .record_failure(&db, failed(why(&guess, other.as_ref())), &call)
                .await?;
            return Err(UserError::InvalidCredentials);
        }
    };

    let renewed = passwords.renew(account, password).await;
    let login = async |tx: &mut db::Tx| {
        let (pair, taking_back) = logins.open(tx, account, &call).await?;
        passwords.accept(tx, &guess, account, &call).await?;
        if let Some(hash) = &renewed {
            Users(tx)
                .set_password(account.id, account.password_hash.as_deref(), hash, call.at())
                .await?;
        }
        AuditLog(tx)
            .add(&Entry::of(Event::Login, account.id), &call)
            .await?;
        Ok((pair, taking_back.write_down(tx).await?))
    };
    let outcome = db.transaction(login).await;
    if let Err(UserError::InvalidCredentials) = &outcome {
        guess
            .record_failure(&db, failed("changed meanwhile"), &call)
            .await?;
    }
    let (pair, taken_back) = outcome?;

    logins.take_back(taken_back);
    tracing::info!(user.id = %account.id, "logged in");
    Ok(pair.respond())
}

fn why(guess: &Guess, account: Option<&Account>) -> &'static str {
    match account {
        None => "unknown address",
        Some(account) if guess.is_right && account.disabled => "disabled",
        Some(_) => "wrong password",
    }
}
