//! The roles and the scopes that each gives, from `roles.toml`.

use serde::Deserialize;

/// The role that every user has.
const USER: &str = "user";

/// The roles of the platform, in ascending order.
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
    #[expect(
        clippy::expect_used,
        reason = "a file of this repository, which a test parses"
    )]
    pub fn built_in() -> Self {
        toml::from_str(include_str!("../../../../roles.toml")).expect("roles.toml is a list of roles")
    }

    /// Whether there is a role of this name.
    #[must_use]
    pub fn have(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role.name == name)
    }

    /// These roles as a user has them: without duplicates, in ascending order, and always with `user`.
    ///
    /// # Errors
    /// The first unknown role.
    pub fn normalize<'r>(&self, named: &'r [String]) -> Result<Vec<&str>, &'r str> {
        if let Some(unknown) = named.iter().find(|name| !self.have(name)) {
            return Err(unknown);
        }
        let all = self.roles.iter().map(|role| role.name.as_str());
        Ok(all
            .filter(|role| *role == USER || named.iter().any(|name| name == role))
            .collect())
    }

    /// The scopes that these roles give together, without duplicates, separated by one space (RFC 6749 §3.3). An unknown role
    /// gives none.
    #[must_use]
    pub fn scope_of<R: AsRef<str>>(&self, held: &[R]) -> String {
        let mut scopes: Vec<&str> = Vec::new();
        for role in self
            .roles
            .iter()
            .filter(|role| held.iter().any(|held| held.as_ref() == role.name))
        {
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
    fn scopes_of_several_roles_are_merged_without_duplicates() {
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
    fn normalized_roles_are_ordered_without_duplicates_and_include_user() {
        let normalize = |named: &[&str]| {
            let named: Vec<_> = named.iter().map(|name| (*name).to_owned()).collect();
            Roles::built_in()
                .normalize(&named)
                .map(|roles| roles.join(" "))
                .map_err(str::to_owned)
        };
        assert_eq!(normalize(&[]).as_deref(), Ok("user"));
        assert_eq!(
            normalize(&["admin", "support", "admin", "user"]).as_deref(),
            Ok("user support admin")
        );
        assert_eq!(normalize(&["support", "root", "x"]), Err("root".to_owned()));
        assert_eq!(normalize(&["Admin"]), Err("Admin".to_owned()));
    }

    #[test]
    fn an_admin_has_every_scope() {
        let roles = Roles::built_in();
        let names: Vec<_> = roles.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(roles.scope_of(&["admin"]), roles.scope_of(&names));
    }
}
