//! A person, as others may see them and as this service knows them.

use auth::{Admin, Role as _};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

auth::scopes! {
    /// May see who people are.
    pub(crate) UsersRead = "users:read";
}

/// A person, as the API shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct User {
    pub id: Uuid,
    pub email: String,
    pub email_verified: bool,
    pub name: String,
    pub roles: Vec<String>,
    pub disabled: bool,
    pub created_at: DateTime<Utc>,
}

/// A person, as their row has them.
#[derive(Clone, sqlx::FromRow)]
pub(crate) struct Account {
    pub id: Uuid,
    pub email: String,
    pub email_verified: bool,
    pub name: String,
    pub password_hash: Option<String>,
    /// Names separated by one space.
    pub roles: String,
    pub epoch: i64,
    pub disabled: bool,
    pub created_at: DateTime<Utc>,
}

impl Account {
    pub(crate) fn roles(&self) -> Vec<String> {
        self.roles.split_whitespace().map(str::to_owned).collect()
    }

    /// Whether they are an admin who can log in.
    pub(crate) fn is_admin(&self) -> bool {
        !self.disabled && self.roles.split_whitespace().any(|role| role == Admin::NAME)
    }
}

impl From<Account> for User {
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
    fn a_person_in_a_log_is_an_id() {
        let account = Account {
            id: Uuid::from_u128(7),
            email: "ada@example.com".to_owned(),
            email_verified: true,
            name: "Ada".to_owned(),
            password_hash: Some("a hash".to_owned()),
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
