//! Changing what somebody may do.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::{Db, Tx};
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, Id, RequestError, text};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin;
use crate::call::Call;
use crate::domain::{Account, Entry, Event, User};
use crate::endings::TakenBack;
use crate::error::UserError;
use crate::login::Logins;
use crate::store::{AuditLog, UserChange, Users};

/// What is not named stays.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOfUser {
    /// All the roles that they are to have. `user` is everyone's, named or not.
    #[garde(skip)]
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    roles: Option<Vec<String>>,
    /// Whoever is disabled can't log in.
    #[garde(skip)]
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    disabled: Option<bool>,
    #[garde(inner(custom(text::line(1, 100))))]
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    name: Option<String>,
}

/// `PATCH /admin/users/{id}`: changes somebody's roles or name, or disables or enables them. Changed roles take back the tokens that
/// are out; the next refresh brings the new ones. Disabling ends all sessions.
#[utoipa::path(
    patch, path = "/admin/users/{id}", tag = "admin", params(("id" = String, Path)), request_body = ChangeOfUser,
    responses(
        (status = 200, body = User),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`: nobody would be one any more"),
        (status = 422, description = "a field is not valid, or there is no such role"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %acting.id(), user.id = %id))]
pub async fn change_user(
    IsAdmin(acting): IsAdmin,
    id: Id,
    Body(change): Body<ChangeOfUser>,
    db: Data<Db>,
    logins: Data<Logins>,
    call: Call,
) -> Result<Json<User>, UserError> {
    let roles = match &change.roles {
        Some(named) => Some(logins.mint.roles.held(named).map_err(unknown_role)?.join(" ")),
        None => None,
    };
    let change = UserChange {
        name: change.name.as_deref(),
        roles: roles.as_deref(),
        disabled: change.disabled,
    };
    let apply = async |tx: &mut Tx| apply(tx, &logins, acting.id(), id.0, &change, &call).await;
    match db.transaction(apply).await {
        Ok((account, taken_back)) => {
            logins.take_back(taken_back);
            Ok(Json(account.into()))
        }
        Err(error) => {
            let entry = Entry::by(Event::UserChanged, acting.id(), id.0);
            Err(admin::record_refusal(&db, error, entry, &call).await)
        }
    }
}

async fn apply(
    tx: &mut Tx,
    logins: &Logins,
    acting: Uuid,
    id: Uuid,
    change: &UserChange<'_>,
    call: &Call,
) -> Result<(Account, TakenBack), UserError> {
    admin::take_turn(tx, acting).await?;
    let before = Users(tx).find(id).await?.ok_or(UserError::NotFound)?;
    let after = Users(tx)
        .change(id, change, call.at())
        .await?
        .ok_or(UserError::NotFound)?;
    if before.is_admin() && !after.is_admin() {
        admin::end_turn(tx).await?;
    }
    let taking_back = match (before.disabled != after.disabled, before.roles != after.roles) {
        (true, _) => logins.end_all(tx, id, call.at()).await?,
        (false, true) => logins.renew_rights(tx, id, call.at()).await?,
        (false, false) => None,
    };
    let what = differences(&before, &after);
    if !what.is_empty() {
        let entry = Entry::by(Event::UserChanged, acting, id).detail(what.join("; "));
        AuditLog(tx).add(&entry, call).await?;
    }
    Ok((after, taking_back.unwrap_or_default().write_down(tx).await?))
}

/// What has changed, in words.
fn differences(before: &Account, after: &Account) -> Vec<String> {
    let mut what = Vec::new();
    if before.roles != after.roles {
        what.push(format!("roles: {} → {}", before.roles, after.roles));
    }
    if before.disabled != after.disabled {
        what.push(if after.disabled { "disabled" } else { "enabled" }.to_owned());
    }
    if before.name != after.name {
        what.push("name".to_owned());
    }
    what
}

fn unknown_role(name: &str) -> RequestError {
    let shown: String = name.chars().take(100).collect();
    RequestError::field("roles", format!("there is no role `{shown}`"))
}
