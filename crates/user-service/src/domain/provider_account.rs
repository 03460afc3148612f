//! An account of an OpenID provider, and whether its email address may link it to a user.

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
    /// Whether a trusted provider verified the address.
    pub is_email_verified: bool,
    /// A name that can be shown.
    pub name: String,
}

/// The consequence of the first login with an account of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountLinking {
    /// A new user is created.
    CreateUser,
    /// It becomes another way to log in as the existing user: both sides verified the address.
    Link,
    /// It becomes the only way to log in as the existing user, who never verified the address. Anyone could have registered it, so
    /// the password, the sessions and the other ways to log in are removed.
    Reclaim,
    /// It is refused, because it does not prove that its owner owns the address.
    Refuse,
}

impl ProviderAccount {
    /// The consequence of the first login. `existing` is the user with the same address, if there is one.
    pub(crate) fn linking(&self, existing: Option<&Account>) -> AccountLinking {
        match existing {
            None => AccountLinking::CreateUser,
            Some(user) if !self.has_verified(&user.email) => AccountLinking::Refuse,
            Some(user) if user.email_verified => AccountLinking::Link,
            Some(_) => AccountLinking::Reclaim,
        }
    }

    /// Whether a trusted provider verified that the owner of the account reads the mails to this address.
    pub(crate) fn has_verified(&self, address: &str) -> bool {
        let address = EmailAddress::parse_existing(address).ok();
        let pair = self.email.as_ref().zip(address.as_ref());
        self.is_email_verified && pair.is_some_and(|(own, other)| own.has_same_mailbox(other))
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
    fn an_account_is_linked_to_a_user_only_if_both_sides_verified_the_address() {
        let linking = |arriving_verified, existing: Option<bool>| {
            arriving(arriving_verified).linking(existing.map(account).as_ref())
        };
        assert_eq!(linking(true, Some(true)), AccountLinking::Link);
        assert_eq!(linking(true, Some(false)), AccountLinking::Reclaim);
        assert_eq!(linking(false, Some(true)), AccountLinking::Refuse);
        assert_eq!(linking(false, Some(false)), AccountLinking::Refuse);
        assert_eq!(linking(true, None), AccountLinking::CreateUser);
        assert_eq!(linking(false, None), AccountLinking::CreateUser);
    }

    #[test]
    fn a_local_part_that_differs_in_more_than_case_is_another_mailbox() {
        let linking = |arriving: &str, existing: &str| {
            let arriving = ProviderAccount {
                email: EmailAddress::parse(arriving).ok(),
                ..super::tests::arriving(true)
            };
            let existing = Account {
                email: existing.to_owned(),
                ..account(true)
            };
            arriving.linking(Some(&existing))
        };
        let link = AccountLinking::Link;
        assert_eq!(linking("ADA@example.com", "ada@EXAMPLE.com"), link);
        assert_eq!(
            linking("ada@xn--bcher-kva.example", "ada@b\u{fc}cher.example"),
            link
        );
        assert_eq!(linking("\u{c4}da@example.com", "a\u{308}da@example.com"), link);
        for (arriving, existing) in [
            ("wei\u{df}@example.com", "weiss@example.com"),
            ("\u{17f}am@example.com", "sam@example.com"),
            ("\u{fb01}n@example.com", "fin@example.com"),
        ] {
            assert_eq!(linking(arriving, existing), AccountLinking::Refuse, "{arriving}");
        }
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
