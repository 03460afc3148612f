//! The roles and the scopes that each gives, from `roles.toml` or the file that `ROLES_FILE` names.

use std::collections::HashSet;

use serde::Deserialize;

use super::env::Env;

/// The role that every user has.
const USER: &str = "user";
/// The role of administrators.
const ADMIN: &str = "admin";

/// The roles of the platform, in ascending order. By default there are none.
#[derive(Clone, Debug, Default, Deserialize)]
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
        Self::parse(include_str!("../../../../roles.toml")).expect("roles.toml is a list of roles")
    }

    /// The roles in the file that `ROLES_FILE` names. Without the variable, the roles that this program was built with.
    pub fn read(env: &mut Env) -> Self {
        let Some(path) = env.text("ROLES_FILE") else {
            return Self::built_in();
        };
        let text = std::fs::read_to_string(&path).map_err(|error| vec![format!("{path}: {error}")]);
        text.and_then(|text| Self::parse(&text))
            .unwrap_or_else(|problems| {
                for problem in problems {
                    env.problem("ROLES_FILE", format!("is not usable: {problem}"));
                }
                Self::built_in()
            })
    }

    /// The roles in this text.
    ///
    /// # Errors
    /// All problems together.
    fn parse(text: &str) -> Result<Self, Vec<String>> {
        let roles: Self = toml::from_str(text).map_err(|error| vec![error.message().to_owned()])?;
        let mut problems = Vec::new();
        let mut names = HashSet::new();
        for role in &roles.roles {
            if !names.insert(&role.name) {
                problems.push(format!("the role `{}` is listed twice", role.name));
            }
        }
        // A scope is a list of words with spaces between them (RFC 6749 §3.3).
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        let words = roles
            .roles
            .iter()
            .flat_map(|role| role.scopes.iter().chain([&role.name]));
        for word in words.filter(|word| !is_word(word)) {
            problems.push(format!(
                "`{word}` must consist of visible ASCII characters, without spaces"
            ));
        }
        // The code of the services refers to these two.
        for missing in [USER, ADMIN].into_iter().filter(|name| !roles.have(name)) {
            problems.push(format!("there is no role `{missing}`"));
        }
        if problems.is_empty() {
            Ok(roles)
        } else {
            Err(problems)
        }
    }

    /// The roles, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter()
    }

    /// The role that every user has.
    pub(super) fn unprivileged(&self) -> Role {
        let role = self.roles.iter().find(|role| role.name == USER).cloned();
        role.unwrap_or_else(|| Role {
            name: USER.to_owned(),
            scopes: Vec::new(),
        })
    }

    /// The highest of these roles: the one that stands last in the file. `None` if none of them is known.
    #[must_use]
    pub fn highest<R: AsRef<str>>(&self, held: &[R]) -> Option<&str> {
        let is_held = |role: &&Role| held.iter().any(|held| held.as_ref() == role.name);
        self.roles
            .iter()
            .rev()
            .find(is_held)
            .map(|role| role.name.as_str())
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

    #[test]
    fn the_highest_role_stands_last_in_the_file() {
        let roles = Roles::built_in();
        assert_eq!(roles.highest(&["admin", "user"]), Some("admin"));
        assert_eq!(roles.highest(&["support", "user", "root"]), Some("support"));
        assert_eq!(roles.highest(&["root"]), None);
    }

    #[test]
    fn a_file_replaces_the_built_in_roles() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut env = Env::from_vars("user-service", [("ROLES_FILE", path.as_str())]);
            let roles = Roles::read(&mut env);
            env.finish(roles).map_err(|errors| errors.to_string())
        };
        let role = |name: &str, scope: &str| format!("[[role]]\nname = \"{name}\"\nscopes = [\"{scope}\"]\n");
        let required = role("user", "a:b") + &role("admin", "a:b");

        let roles = read(&(required.clone() + &role("auditor", "audit:read"))).unwrap();
        assert_eq!(roles.scope_of(&["auditor"]), "audit:read");
        for (text, problem) in [
            (role("user", "a"), "there is no role `admin`"),
            (
                required.clone() + &role("user", "a"),
                "the role `user` is listed twice",
            ),
            (required.clone() + &role("a b", "a"), "`a b` must consist of"),
            (required.clone() + &role("x", ""), "`` must consist of"),
            (required.clone() + "[[rule]]", "unknown field"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(
                error.starts_with(&format!("ROLES_FILE is not usable: {problem}")),
                "{error}"
            );
        }
        let all = read(&(role("a b", "") + &role("a b", "a"))).unwrap_err();
        for problem in [
            "listed twice",
            "`a b` must",
            "`` must",
            "no role `user`",
            "no role `admin`",
        ] {
            assert!(all.contains(problem), "{problem} is not in {all}");
        }
    }
}
