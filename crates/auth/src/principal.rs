//! The verified caller. Only a verified token yields a [`User`] or a [`Service`], so a value of these types proves that the
//! caller was authenticated.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::AuthError;
use crate::markers::{Admin, Role as _};
use crate::profile::ReadClaims;

/// The caller that a valid token identifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person with an account.
    User(User),
    /// A service of the platform.
    Service(Service),
}

impl Principal {
    /// The user, if the caller is one.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Service(_) => None,
        }
    }

    pub(crate) fn expires_at(&self) -> i64 {
        match self {
            Self::User(user) => user.data.expires_at,
            Self::Service(service) => service.0.expires_at,
        }
    }
}

/// A user, described by a verified access token. Cheap to clone.
///
/// While it is unknown whether the token was revoked, the user may have fewer roles and scopes than the token: see
/// [`StalePolicy`](crate::StalePolicy).
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub(crate) data: Arc<UserData>,
    /// The user with all roles and scopes of the token, if `data` has fewer.
    unrestricted: Option<Arc<UserData>>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserData {
    pub issuer: Arc<str>,
    pub subject: String,
    pub id: Uuid,
    /// `None` if the token can't be revoked.
    pub session: Option<SessionIds>,
    pub email: String,
    pub name: String,
    pub roles: Vec<String>,
    pub scope: String,
    pub token_id: String,
    pub expires_at: i64,
    pub application_claims: ReadClaims,
}

/// The ids by which a user's token can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionIds {
    pub id: Uuid,
    pub epoch: Option<i64>,
}

impl From<UserData> for User {
    fn from(data: UserData) -> Self {
        Self {
            data: Arc::new(data),
            unrestricted: None,
        }
    }
}

impl User {
    /// The same user with only these roles and scopes, of those that the token has. `None` if the token has no others.
    pub(crate) fn restricted_to(&self, roles: &[String], scopes: &[String]) -> Option<Self> {
        let kept = |word: &&str| scopes.iter().any(|scope| scope == word);
        let data = UserData {
            roles: self
                .data
                .roles
                .iter()
                .filter(|role| roles.contains(role))
                .cloned()
                .collect(),
            scope: self
                .data
                .scope
                .split(' ')
                .filter(kept)
                .collect::<Vec<_>>()
                .join(" "),
            ..UserData::clone(&self.data)
        };
        (data != *self.data).then(|| Self {
            data: Arc::new(data),
            unrestricted: Some(Arc::clone(&self.data)),
        })
    }

    /// The user with all roles and scopes of the token, also with those that are withheld.
    pub(crate) fn unrestricted(&self) -> Self {
        Self {
            data: Arc::clone(self.unrestricted.as_ref().unwrap_or(&self.data)),
            unrestricted: None,
        }
    }

    /// Requires that no role or scope of the token is withheld. Call this before you refuse a request because the user lacks a role
    /// or a scope: the user may have it.
    ///
    /// # Errors
    /// [`RevocationUnknown`](AuthError::RevocationUnknown) if a role or a scope is withheld.
    pub fn require_all_roles(&self) -> Result<(), AuthError> {
        match self.unrestricted {
            None => Ok(()),
            Some(_) => Err(AuthError::RevocationUnknown),
        }
    }

    /// The user's id as a UUID, which is the same for each token of the user.
    ///
    /// This is the id in the token if the issuer's profile requires [UUIDs](crate::Profile::uuids), as that of this platform does.
    /// Otherwise it is derived from the issuer and the [`subject`](Self::subject), so that users of two issuers never have the same
    /// id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.data.id
    }

    /// The user's id as the issuer writes it, usually `sub`. Unique only among the users of one [`issuer`](Self::issuer).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.data.subject
    }

    /// The issuer of the token, by the name that the verifier was built with.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.data.issuer
    }

    /// The session that the token belongs to (`sid`). `None` if the issuer's tokens can't be [revoked](crate::Revocable).
    #[must_use]
    pub fn session_id(&self) -> Option<Uuid> {
        self.data.session.map(|session| session.id)
    }

    /// The user's epoch when the token was issued (`epoch`). The issuer raises a user's epoch when the user's roles change, or
    /// when all of the user's sessions are ended at once. Tokens of an earlier epoch are then revoked. `None` if the issuer's users
    /// have no epoch.
    #[must_use]
    pub fn epoch(&self) -> Option<i64> {
        self.data.session.and_then(|session| session.epoch)
    }

    /// The application's own claims, if the issuer's profile reads them as this type: see [`Profile::claims`](crate::Profile::claims).
    #[must_use]
    pub fn claims<T: 'static>(&self) -> Option<&T> {
        self.data.application_claims.get()
    }

    /// The user's email address when the token was issued. Empty if the token has none, or says that it is not verified.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.data.email
    }

    /// The user's name when the token was issued. Empty if the token has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// The user's roles when the token was issued. On this platform, a change of roles revokes the token.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.data.roles
    }

    /// Whether the user has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.data.roles.iter().any(|held| held == role)
    }

    /// Whether the user has the role `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has_role(Admin::NAME)
    }

    /// Whether the token has this scope (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        !scope.is_empty() && self.data.scope.split(' ').any(|word| word == scope)
    }

    /// The token's scopes, separated by one space (RFC 6749 §3.3). Empty if it has none.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.data.scope
    }

    /// The token's id (`jti`). Empty if the token has none.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.data.token_id
    }

    /// When the token expires (`exp`), without leeway.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.data.expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Debug for User {
    /// Without name and email address, which must not appear in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.data.id)
            .field("roles", &self.data.roles)
            .finish_non_exhaustive()
    }
}

/// A service, named by a verified service token. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service(pub(crate) Arc<ServiceData>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceData {
    pub issuer: Arc<str>,
    pub is_of_first_issuer: bool,
    pub name: String,
    pub token_id: String,
    pub expires_at: i64,
}

impl Service {
    /// The service's name: the id of its client. Unique only among the services of one [`issuer`](Self::issuer).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The issuer of the token, by the name that the verifier was built with.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether the service has this name at the verifier's first issuer. Another issuer may give the name to another service.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0.is_of_first_issuer && self.0.name == name
    }

    /// The token's id (`jti`). Empty if the token has none.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.0.token_id
    }

    /// When the token expires (`exp`), without leeway.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Issuer;

    #[test]
    fn a_user_has_the_roles_of_the_token() {
        let issuer = Issuer::new("a");

        let user = issuer.as_roles(&["user", "support"]).user();
        assert_eq!(user.roles(), ["user", "support"]);
        assert!(user.has_role("support") && !user.has_role("admin") && !user.is_admin());

        assert!(issuer.as_admin().user().is_admin());
    }

    #[test]
    fn debug_shows_neither_name_nor_email_address() {
        let user = Issuer::new("a").as_user().name("Ada Lovelace").user();

        let debug = format!("{user:?}");
        assert!(debug.contains(&user.id().to_string()), "{debug}");
        assert!(debug.contains("user"), "{debug}");
        assert!(!debug.contains(user.name()), "{debug}");
        assert!(!debug.contains(user.email()), "{debug}");
    }
}
