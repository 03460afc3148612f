//! Changing a user's roles or name, and disabling or enabling a user.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, Id, RequestError, Roles, text};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admin;
use crate::context::RequestContext;
use crate::domain::{Account, Entry, Event, UserResponse};
use crate::error::UserError;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, UserChange, UserRows};

/// A change of a user. Members that are absent keep their values.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// All roles that the user will have. Every user has the role `user`, whether or not the list contains it.
    #[schema(nullable = false, max_items = 1_000, pattern = "^[!-~]+$", example = json!(["user", "support"]))]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    roles: Option<Vec<String>>,
    /// A disabled user can't log in.
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    disabled: Option<bool>,
    /// The new name, on one line.
    #[garde(inner(custom(text::line(1, 100))))]
    #[schema(min_length = 1, max_length = 100, nullable = false, example = "Ada Lovelace")]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    name: Option<String>,
}

/// `PATCH /admin/users/{id}`: changes a user's roles or name, or disables or enables the user. A change of roles revokes the user's
/// access tokens; the next refresh issues tokens with the new roles. Disabling ends all sessions.
#[utoipa::path(
    patch, path = "/admin/users/{id}", tag = "admin", operation_id = "update_user", params(("id" = Uuid, Path)), request_body = UpdateUser,
    responses(
        (status = 200, body = UserResponse),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`: no admin would remain"),
        (status = 422, description = "there is no such role"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %admin.id(), user.id = %id))]
pub async fn change_user(
    IsAdmin(admin): IsAdmin,
    id: Id,
    Body(change): Body<UpdateUser>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<Json<UserResponse>, UserError> {
    let roles = new_roles(&sessions.token_issuer.roles, &change)?;
    let change = UserChange {
        name: change.name.as_deref(),
        roles: roles.as_deref(),
        disabled: change.disabled,
    };
    let work = async |tx: &mut RevokingTx<'_>| apply(tx, admin.id(), id.0, &change, &context).await;
    match sessions.transaction(&db, work).await {
        Ok(account) => Ok(Json(account.into())),
        Err(error) => {
            let entry = Entry::by(Event::UserChanged, admin.id(), id.0);
            Err(admin::record_refusal(&db, error, entry, &context).await)
        }
    }
}

/// The new roles as they are stored, if the change names roles.
fn new_roles(roles: &Roles, change: &UpdateUser) -> Result<Option<String>, RequestError> {
    let unknown_role = |name: &str| {
        let shown: String = name.chars().take(100).collect();
        RequestError::field("roles", format!("there is no role `{shown}`"))
    };
    let Some(named) = &change.roles else {
        return Ok(None);
    };
    Ok(Some(roles.normalize(named).map_err(unknown_role)?.join(" ")))
}

async fn apply(
    tx: &mut RevokingTx<'_>,
    actor: Uuid,
    id: Uuid,
    change: &UserChange<'_>,
    context: &RequestContext,
) -> Result<Account, UserError> {
    admin::lock_admins(tx, actor).await?;
    let now = context.time();
    let before = UserRows(tx).find(id).await?.ok_or(UserError::UserNotFound)?;
    let changed = UserRows(tx).change(id, change, now).await?;
    let after = changed.ok_or(UserError::UserNotFound)?;
    if before.is_active_admin() && !after.is_active_admin() {
        admin::require_remaining_admin(tx).await?;
    }

    if before.disabled != after.disabled {
        // Also when a user is enabled: a user who was disabled by other means, such as SQL, may still have sessions and tokens.
        tx.end_all(id, now).await?;
    } else if before.roles != after.roles {
        tx.revoke_access_tokens(id, now).await?;
    }

    let differences = differences(&before, &after);
    if !differences.is_empty() {
        let entry = Entry::by(Event::UserChanged, actor, id).detail(differences.join("; "));
        AuditLogRows(tx).add(&entry, context).await?;
    }
    Ok(after)
}

/// The changes, for the audit log.
fn differences(before: &Account, after: &Account) -> Vec<String> {
    let mut differences = Vec::new();
    if before.roles != after.roles {
        differences.push(format!("roles: {} → {}", before.roles, after.roles));
    }
    if before.disabled != after.disabled {
        differences.push(if after.disabled { "disabled" } else { "enabled" }.to_owned());
    }
    if before.name != after.name {
        differences.push("name".to_owned());
    }
    differences
}
