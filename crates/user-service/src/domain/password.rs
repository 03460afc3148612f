//! Passwords: 8 to 128 characters of any kind, and none of the most common passwords. A password is neither trimmed nor cut (NIST
//! SP 800-63B §3.1.1.2).

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

/// The most common passwords, in lowercase and sorted. Their source is named in `password/commonest.txt`.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("password/commonest.txt")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect()
});

/// The password as it is hashed: in Unicode normalization form C, because keyboards differ in how they compose a character.
pub(crate) fn normalize(password: &str) -> String {
    password.nfc().collect()
}

/// Checks a new password. Returns the reason if the password is refused. `personal` contains the user's email address and name,
/// which are refused as passwords.
pub(crate) fn check(password: &str, personal: &[&str]) -> Result<(), &'static str> {
    let password = normalize(password);
    if !(8..=128).contains(&password.chars().count()) {
        return Err("must have 8 to 128 characters");
    }

    let folded = password.to_lowercase();
    if personal
        .iter()
        .any(|personal| normalize(personal.trim()).to_lowercase() == folded.trim())
    {
        return Err("must not be the email address or the name");
    }
    if COMMON.binary_search(&folded.as_str()).is_ok() {
        return Err("must not be one of the most common passwords");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_after_normalization() {
        assert!(check("1234567", &[]).is_err());
        assert!(check("1234567%", &[]).is_ok());
        assert!(check(&"e\u{301}".repeat(7), &[]).is_err());
        assert!(check(&"e\u{301}".repeat(128), &[]).is_ok());
        assert!(check(&"ä".repeat(129), &[]).is_err());
    }

    #[test]
    fn any_character_is_allowed_and_kept() {
        assert!(check(" \0\t\n\u{7f}🙂 ", &[]).is_err(), "seven characters");
        assert!(check(" \0\t\n\u{7f}🙂  ", &[]).is_ok());
        assert_ne!(normalize(" password "), normalize("password"));
    }

    #[test]
    fn the_email_address_and_the_name_are_refused() {
        assert!(check("ADA@example.com", &["ada@example.com", "Ada"]).is_err());
        assert!(check("Ada Lovelace", &["ada@example.com", " ada lovelace"]).is_err());
        assert!(check("ada lovelace ", &["ada@example.com", "Ada Lovelace "]).is_err());
        assert!(check("Ada Lovelace!", &["ada@example.com", "ada lovelace"]).is_ok());
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for common in [
            "12345678",
            "password1",
            "PassWord",
            "iloveyou",
            "qwertyuiop",
            "!qaz2wsx",
        ] {
            assert_eq!(
                check(common, &[]),
                Err("must not be one of the most common passwords"),
                "{common}"
            );
        }
        assert!(check("password1 of mine", &[]).is_ok());
    }

    #[test]
    fn the_list_is_sorted_and_has_ten_thousand_passwords_of_allowed_length() {
        assert!(COMMON.len() >= 10_000);
        assert!(COMMON.is_sorted());
        for common in COMMON.iter() {
            assert!(
                common.chars().count() >= 8 && **common == common.to_lowercase(),
                "{common}"
            );
            assert!(check(common, &[]).is_err(), "{common}");
        }
    }
}
