//! The roles and what each may do, from `roles.toml`.

use serde::Deserialize;

/// The roles of the platform, from the humblest to the highest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    #[serde(rename = "role")]
    roles: Vec<Role>,
}

/// One role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name, as tokens carry it.
    pub name: String,
    /// The scopes that it gives.
    pub scopes: Vec<String>,
}

impl Roles {
    /// The roles that this program was built with.
    ///
    /// # Panics
    /// When `roles.toml` is not a list of roles, which the tests of this crate rule out.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a file of this repository, held right by a test")]
    pub fn built_in() -> Self {
        toml::from_str(include_str!("../../../../roles.toml")).expect("roles.toml is a list of roles")
    }

    /// All the scopes that these roles give together, each once, separated by one space (RFC 6749 §3.3). A role that is not
    /// known gives none.
    #[must_use]
    pub fn scope_of<R: AsRef<str>>(&self, held: &[R]) -> String {
        let mut scopes: Vec<&str> = Vec::new();
        for role in self.roles.iter().filter(|role| held.iter().any(|held| held.as_ref() == role.name)) {
            for scope in &role.scopes {
                if !scopes.contains(&scope.as_str()) {
                    scopes.push(scope);
                }
            }
        }
        scopes.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_give_their_scopes_together_and_each_once() {
        let roles = Roles::built_in();
        assert_eq!(roles.scope_of(&["user"]), "products:write orders:write");
        assert_eq!(
            roles.scope_of(&["support", "user"]),
            "products:write orders:write orders:read-all users:read"
        );
        assert_eq!(
            roles.scope_of(&["admin", "user"]),
            "products:write orders:write orders:read-all users:read"
        );
        assert_eq!(roles.scope_of(&["no-such-role"]), "");
    }

    #[test]
    fn an_admin_has_every_scope_that_any_role_gives() {
        let roles = Roles::built_in();
        let names: Vec<_> = roles.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(roles.scope_of(&["admin"]), roles.scope_of(&names));
    }
}
