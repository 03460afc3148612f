//! Who is calling. A [`User`] or a [`Service`] comes out of a verified token and has no other maker: who holds one holds
//! a proof.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Whoever a valid token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person.
    User(User),
    /// A program of the platform.
    Service(Service),
}

impl Principal {
    pub(crate) fn expires_at(&self) -> i64 {
        match self {
            Self::User(user) => user.0.expires_at,
            Self::Service(service) => service.0.expires_at,
        }
    }
}

/// A person, as a verified access token describes them. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct User(pub(crate) Arc<UserFacts>);

#[derive(PartialEq, Eq)]
pub(crate) struct UserFacts {
    pub id: Uuid,
    pub session: Uuid,
    pub epoch: i64,
    pub email: String,
    pub name: String,
    pub roles: Vec<String>,
    pub scope: String,
    pub token_id: String,
    pub expires_at: i64,
}

impl User {
    /// The person's id (`sub`).
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// The login that this token belongs to (`sid`).
    #[must_use]
    pub fn session_id(&self) -> Uuid {
        self.0.session
    }

    /// How often this person's rights were changed or taken back, when the token was made (`epoch`).
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.0.epoch
    }

    /// The email address when the token was made.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.0.email
    }

    /// The name when the token was made.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The roles when the token was made. A role that changes since takes the token back.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// Whether the person has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.0.roles.iter().any(|held| held == role)
    }

    /// Whether the person has the role `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has_role("admin")
    }

    /// Whether the token carries this scope (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        has_word(&self.0.scope, scope)
    }

    /// The token's own id (`jti`).
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.0.token_id
    }

    /// When the token ends (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Debug for User {
    /// Without name and address, which have no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.0.id)
            .field("roles", &self.0.roles)
            .finish_non_exhaustive()
    }
}

/// A program of the platform, as a verified service token names it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service(pub(crate) Arc<ServiceFacts>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServiceFacts {
    pub name: String,
    pub scope: String,
    pub token_id: String,
    pub expires_at: i64,
}

impl Service {
    /// The service's name (`sub`, which is its `client_id` too).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is the service of this name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0.name == name
    }

    /// Whether the token carries this scope (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        has_word(&self.0.scope, scope)
    }

    /// The token's own id (`jti`).
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.0.token_id
    }
}

fn has_word(words: &str, wanted: &str) -> bool {
    !wanted.is_empty() && words.split(' ').any(|word| word == wanted)
}

#[cfg(test)]
mod tests {
    use crate::testing::Issuer;

    #[test]
    fn roles_are_those_of_the_token() {
        let issuer = Issuer::new("a");
        let user = issuer.as_roles(&["user", "support"]).principal();
        assert_eq!(user.roles(), ["user", "support"]);
        assert!(user.has_role("support") && !user.has_role("admin") && !user.is_admin());
        assert!(issuer.as_admin().principal().is_admin());
    }

    #[test]
    fn a_person_in_a_log_has_neither_name_nor_address() {
        let user = Issuer::new("a").as_user().name("Ada Lovelace").principal();
        let shown = format!("{user:?}");
        assert!(
            shown.contains(&user.id().to_string()) && shown.contains("user"),
            "{shown}"
        );
        assert!(
            !shown.contains(user.name()) && !shown.contains(user.email()),
            "{shown}"
        );
    }
}
