//! Logging in.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::cookies::{InCookies, SessionQuery};
use crate::domain::{Account, EmailAddress, Entry, Event, LoginMethod};
use crate::error::UserError;
use crate::passwords::{PasswordCheck, Passwords};
use crate::sessions::revocation::RevokingTx;
use crate::sessions::{SessionResponse, Sessions};
use crate::store::UserRows;

/// The credentials of a user.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The email address. Its form is not checked: an address that no user has is a wrong one.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// The password.
    #[schema(max_length = 128, format = "password", example = "correct horse battery")]
    password: String,
}

/// `POST /auth/login`: opens a session. With `?session=cookie` the response sets cookies and has no tokens. A login from a new network is
/// reported to the user by mail.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", params(SessionQuery), request_body = Credentials,
    responses(
        (
            status = 200, body = SessionResponse,
            headers(("set-cookie" = String, description = "The access cookie and the refresh cookie, if the response has no tokens")),
        ),
        (
            status = 401,
            description = "`invalid_credentials`: the email address is unknown, the password is wrong or the user is disabled",
            headers(("www-authenticate" = String, description = "`Password realm=\"countersign\"`: send other credentials in the body")),
        ),
        (status = 429, description = "`too_many_attempts`: too many failed logins to this account from this network, or in total from all networks from which the user has not logged in for 180 days; `Retry-After` says when to try again", headers(("retry-after" = u32))),
        (status = 503, description = "`hashing_busy`: too many passwords are being hashed", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn login(
    _: Anyone,
    InCookies(in_cookies): InCookies,
    Body(credentials): Body<Credentials>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    passwords.require_capacity()?;
    let (account, check) = authenticate(&db, &passwords, &credentials, &context).await?;

    let new_hash = passwords
        .rehash_if_outdated(&account, &credentials.password)
        .await;
    let open = async |tx: &mut RevokingTx<'_>| {
        let method = LoginMethod::Password;
        let pair = sessions.log_in(tx, &account, method, &context).await?;
        passwords.record_success(tx, &check).await?;
        if let Some(hash) = &new_hash {
            UserRows(tx)
                .replace_hash(account.id, account.password_version, hash)
                .await?;
        }
        Ok(pair)
    };
    let opened = sessions.transaction(&db, open).await;
    // The user was disabled or changed the password after the password was checked.
    if let Err(UserError::InvalidCredentials) = opened {
        let entry = Entry::failed_by_unknown_actor(
            Event::Login,
            Some(account.id),
            "the user was disabled or changed the password during the check",
        );
        check.record_failure(&db, entry, &context).await?;
    }

    let pair = opened?;
    Ok(match in_cookies {
        Some(cookies) => pair.respond_in(&cookies),
        None => pair.respond(),
    })
}

/// Checks the credentials, and records a failure. The response takes the same time for an invalid email address as for an unknown
/// address.
async fn authenticate(
    db: &Db,
    passwords: &Passwords,
    credentials: &Credentials,
    context: &RequestContext,
) -> Result<(Account, PasswordCheck), UserError> {
    let email = EmailAddress::parse_existing(&credentials.email).ok();
    let account = match &email {
        Some(email) => UserRows(&mut db.read().await?).find_by_email(email).await?,
        None => None,
    };
    let check = passwords
        .check(
            db,
            email.as_ref(),
            account.as_ref(),
            &credentials.password,
            context,
        )
        .await?;

    let subject = account.as_ref().map(|account| account.id);
    let why = match account {
        Some(account) if check.is_correct && !account.disabled => return Ok((account, check)),
        Some(_) if check.is_correct => "disabled",
        Some(_) => "wrong password",
        None => "unknown address",
    };
    check
        .record_failure(
            db,
            Entry::failed_by_unknown_actor(Event::Login, subject, why),
            context,
        )
        .await?;
    Err(UserError::InvalidCredentials)
}
