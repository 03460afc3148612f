//! Users: as responses of the API, and as stored accounts.

use auth::{Admin, Role as _};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

auth::scopes! {
    /// Permits reading all users.
    pub(crate) UsersRead = "users:read";
}

/// A user in the responses of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserResponse {
    /// The id of the user.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub id: Uuid,
    /// The email address.
    #[schema(format = "idn-email", max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// Whether the address is verified: by a link in a mail, by a trusted OpenID provider, or by the operator, for the first admin.
    pub email_verified: bool,
    /// The name, on one line.
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    pub name: String,
    /// The roles, in ascending order.
    #[schema(min_items = 1, max_items = 100, pattern = "^[!-~]+$", example = json!(["user"]))]
    pub roles: Vec<String>,
    /// Whether the user is disabled: a disabled user can't log in.
    pub disabled: bool,
    /// When the user registered.
    pub created_at: DateTime<Utc>,
}

/// A user as stored in the database.
#[derive(Clone, sqlx::FromRow)]
pub(crate) struct Account {
    pub id: Uuid,
    pub email: String,
    pub email_verified: bool,
    pub name: String,
    /// The hash in PHC string format. `None` for a user without a password.
    pub password_hash: Option<String>,
    /// Raised when the password changes, but not when the same password is hashed again.
    pub password_version: i64,
    /// The names of the user's roles, separated by one space.
    pub roles: String,
    /// Tokens of an earlier epoch are revoked.
    pub epoch: i64,
    pub disabled: bool,
    pub created_at: DateTime<Utc>,
}

impl Account {
    pub(crate) fn roles(&self) -> Vec<String> {
        self.roles.split_whitespace().map(str::to_owned).collect()
    }

    /// Whether this user is an admin who can log in.
    pub(crate) fn is_active_admin(&self) -> bool {
        !self.disabled && self.roles.split_whitespace().any(|role| role == Admin::NAME)
    }
}

impl From<Account> for UserResponse {
    fn from(account: Account) -> Self {
        Self {
            roles: account.roles(),
            id: account.id,
            email: account.email,
            email_verified: account.email_verified,
            name: account.name,
            disabled: account.disabled,
            created_at: account.created_at,
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_account_shows_only_its_id() {
        let account = Account {
            id: Uuid::from_u128(7),
            email: "ada@example.com".to_owned(),
            email_verified: true,
            name: "Ada".to_owned(),
            password_hash: Some("a hash".to_owned()),
            password_version: 0,
            roles: "user".to_owned(),
            epoch: 1,
            disabled: false,
            created_at: DateTime::UNIX_EPOCH,
        };
        assert_eq!(
            format!("{account:?}"),
            format!("Account {{ id: {}, .. }}", account.id)
        );
    }
}
