//! Email addresses.

use unicode_normalization::UnicodeNormalization as _;

/// The longest address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;
/// The longest part before the `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// An email address that could be somebody's: trimmed, in Unicode's normal form C. Whether it is, only a mail would tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress(String);

/// Not an email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an email address")]
pub struct InvalidEmail;

impl EmailAddress {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let address: String = text.trim().nfc().collect();
        let (local, domain) = address.rsplit_once('@').ok_or(InvalidEmail)?;
        let fits = address.len() <= MAX_BYTES && !local.is_empty() && local.len() <= MAX_LOCAL_BYTES;
        let is_odd = |c: char| {
            c.is_control() || c.is_whitespace() || is_unseen(c) || "@<>()[]\\,;:\"。．｡".contains(c)
        };
        let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        if fits && !local.contains(is_odd) && !domain.contains(is_odd) && domain.split('.').all(is_label) {
            Ok(Self(address))
        } else {
            Err(InvalidEmail)
        }
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as it is compared. Strictly, only the receiving host knows whether capitals matter in its part; nobody
    /// has two accounts that differ in them.
    pub(crate) fn key(&self) -> String {
        // By way of capitals, so that small letters that share one (σ and ς, s and ſ) are one.
        self.0.to_uppercase().to_lowercase().nfc().collect()
    }
}

/// Whether nothing is seen of a character (Unicode's `Default_Ignorable_Code_Point`): an address that has one looks like
/// another.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_normalised_and_compared_without_capitals() {
        let address = EmailAddress::parse(" Ada.Lovelace+x@Example.COM\n").unwrap();
        assert_eq!(address.as_str(), "Ada.Lovelace+x@Example.COM");
        assert_eq!(address.key(), "ada.lovelace+x@example.com");
        let composed = EmailAddress::parse("é@example.com").unwrap();
        let decomposed = EmailAddress::parse("e\u{301}@example.com").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(
            EmailAddress::parse("É@example.com").unwrap().key(),
            composed.key()
        );
    }

    #[test]
    fn addresses_that_differ_in_capitals_alone_are_one() {
        for (one, other) in [
            ("ΟΔΟΣ@a", "οδος@a"),
            ("ΟΔΟΣ@a", "οδοσ@a"),
            ("sam@a", "ſam@a"),
            ("µ@a", "μ@a"),
        ] {
            assert_eq!(
                EmailAddress::parse(one).unwrap().key(),
                EmailAddress::parse(other).unwrap().key(),
                "{one}"
            );
        }
    }

    #[test]
    fn what_can_be_no_address_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "b".repeat(250));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a\0@b",
            "a@b\u{7f}",
            "<a@b>",
            "a\u{200b}@b",
            "a\u{ad}@b",
            "a@b\u{202e}",
            "a@b\u{feff}c",
            "\u{3164}@b",
            "a@b。c",
            "a@b,c@d",
            "\"a b\"@c",
            &long_local,
            &long,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail), "{text:?}");
        }
        for text in [
            "a@b",
            "a@localhost",
            "ä@ö.example",
            &format!("{}@example.com", "a".repeat(64)),
        ] {
            assert!(EmailAddress::parse(text).is_ok(), "{text:?}");
        }
    }
}
