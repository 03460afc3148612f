//! Passwords: 8 to 128 characters, any characters, none trimmed or cut off, and none that everyone tries first
//! (NIST SP 800-63B §3.1.1.2).

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

/// The commonest passwords, in small letters and sorted. `password/commonest.txt` says where they are from.
static COMMONEST: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("password/commonest.txt")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect()
});

/// The password as it is hashed: in normal form C, so that it does not depend on which keyboard it was typed on.
pub(crate) fn normalize(password: &str) -> String {
    password.nfc().collect()
}

/// Checks a password that somebody wants to have. `known` is what everyone knows of them: address and name.
pub(crate) fn check(password: &str, known: &[&str]) -> Result<(), &'static str> {
    let password = normalize(password);
    if !(8..=128).contains(&password.chars().count()) {
        return Err("must have 8 to 128 characters");
    }
    let folded = password.to_lowercase();
    if known
        .iter()
        .any(|known| normalize(known.trim()).to_lowercase() == folded.trim())
    {
        return Err("must not be the email address or the name");
    }
    if COMMONEST.binary_search(&folded.as_str()).is_ok() {
        return Err("must not be one of the commonest passwords");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_after_normalisation() {
        assert!(check("1234567", &[]).is_err());
        assert!(check("1234567%", &[]).is_ok());
        assert!(check(&"e\u{301}".repeat(7), &[]).is_err());
        assert!(check(&"e\u{301}".repeat(128), &[]).is_ok());
        assert!(check(&"ä".repeat(129), &[]).is_err());
    }

    #[test]
    fn any_character_may_stand_in_it_and_none_is_dropped() {
        assert!(check(" \0\t\n\u{7f}🙂 ", &[]).is_err(), "seven characters");
        assert!(check(" \0\t\n\u{7f}🙂  ", &[]).is_ok());
        assert_ne!(normalize(" password "), normalize("password"));
    }

    #[test]
    fn what_everyone_knows_is_no_password() {
        assert!(check("ADA@example.com", &["ada@example.com", "Ada"]).is_err());
        assert!(check("Ada Lovelace", &["ada@example.com", " ada lovelace"]).is_err());
        assert!(check("ada lovelace ", &["ada@example.com", "Ada Lovelace "]).is_err());
        assert!(check("Ada Lovelace!", &["ada@example.com", "ada lovelace"]).is_ok());
    }

    #[test]
    fn what_everyone_tries_first_is_no_password() {
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
                Err("must not be one of the commonest passwords"),
                "{common}"
            );
        }
        assert!(check("password1 of mine", &[]).is_ok());
    }

    #[test]
    fn the_commonest_are_at_least_ten_thousand_that_could_be_chosen_and_sorted_so_that_each_is_found() {
        assert!(COMMONEST.len() >= 10_000);
        assert!(COMMONEST.is_sorted());
        for common in COMMONEST.iter() {
            assert!(
                common.chars().count() >= 8 && **common == common.to_lowercase(),
                "{common}"
            );
            assert!(check(common, &[]).is_err(), "{common}");
        }
    }
}
