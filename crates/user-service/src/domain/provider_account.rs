//! An account of an OpenID provider, and whether it may join a user by its email address.

use crate::domain::email::EmailAddress;
use crate::domain::user::Account;

/// The account with which a person logged in at a provider, as the provider describes it.
#[derive(Clone, Debug)]
pub(crate) struct ProviderAccount {
    /// The issuer (`iss`).
    pub issuer: String,
    /// The id of the account at this issuer (`sub`).
    pub subject: String,
    /// The address, if the provider shares a well-formed one.
    pub email: Option<EmailAddress>,
    /// Whether the provider verified the address, and its word counts.
    pub is_email_verified: bool,
    /// A name that can be shown.
    pub name: String,
}

/// The consequence of the first login with an account of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// It becomes a new user.
    NewUser,
    /// It becomes another way to log in as the existing user: both sides verified the address.
    Join,
    /// It becomes the only way to log in as the existing user, who never verified the address. Anyone could have registered it, so
    /// the password, the sessions and the other ways to log in are removed.
    Reclaim,
    /// It is refused, because it does not prove that its owner owns the address.
    Refuse,
}

impl ProviderAccount {
    /// The consequence of the first login, if this user has the same address.
    pub(crate) fn joining(&self, existing: Option<&Account>) -> Joining {
        match existing {
            None => Joining::NewUser,
            Some(_) if !self.is_email_verified => Joining::Refuse,
            Some(account) if account.email_verified => Joining::Join,
            Some(_) => Joining::Reclaim,
        }
    }
}

/// A name from an ID token as a name of a user: one line of at most 100 characters. Falls back to the part of the address before
/// the `@`.
pub(crate) fn display_name(name: Option<&str>, email: Option<&EmailAddress>) -> String {
    const MAX_CHARS: usize = 100;
    let local_part = email
        .and_then(|email| email.as_str().rsplit_once('@'))
        .map(|(local, _)| local);
    let printable = |text: &str| -> String {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        text.trim().chars().take(MAX_CHARS).collect()
    };
    let candidates = [name, local_part, Some("User")].into_iter().flatten();
    candidates
        .map(printable)
        .find(|name| !name.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn account(email_verified: bool) -> Account {
        Account {
            id: Uuid::from_u128(1),
            email: "ada@example.com".to_owned(),
            email_verified,
            name: "Ada".to_owned(),
            password_hash: None,
            password_version: 0,
            roles: "user".to_owned(),
            epoch: 0,
            disabled: false,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn arriving(is_email_verified: bool) -> ProviderAccount {
        ProviderAccount {
            issuer: "https://sso.example".to_owned(),
            subject: "1".to_owned(),
            email: EmailAddress::parse("ada@example.com").ok(),
            is_email_verified,
            name: "Ada".to_owned(),
        }
    }

    #[test]
    fn an_account_joins_a_user_only_if_both_sides_verified_the_address() {
        let joining = |arriving_verified, existing: Option<bool>| {
            arriving(arriving_verified).joining(existing.map(account).as_ref())
        };
        assert_eq!(joining(true, Some(true)), Joining::Join);
        assert_eq!(joining(true, Some(false)), Joining::Reclaim);
        assert_eq!(joining(false, Some(true)), Joining::Refuse);
        assert_eq!(joining(false, Some(false)), Joining::Refuse);
        assert_eq!(joining(true, None), Joining::NewUser);
        assert_eq!(joining(false, None), Joining::NewUser);
    }

    #[test]
    fn a_name_is_one_line_of_at_most_100_characters() {
        let email = EmailAddress::parse("ada.l@example.com").ok();
        let name = |name: Option<&str>| display_name(name, email.as_ref());
        assert_eq!(name(Some(" Ada\r\n Lovelace\u{0} ")), "Ada Lovelace");
        assert_eq!(name(Some(&"é".repeat(150))), "é".repeat(100));
        assert_eq!(name(Some(" \t")), "ada.l");
        assert_eq!(name(None), "ada.l");
        assert_eq!(display_name(None, None), "User");
    }
}
