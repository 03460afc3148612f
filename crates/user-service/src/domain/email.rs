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
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || "@<>()[]\\,;:\"".contains(c);
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
        self.0.to_lowercase().nfc().collect()
    }
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
        assert_eq!(EmailAddress::parse("É@example.com").unwrap().key(), composed.key());
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
            "a@b,c@d",
            "\"a b\"@c",
            &long_local,
            &long,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail), "{text:?}");
        }
        for text in ["a@b", "a@localhost", "ä@ö.example", &format!("{}@example.com", "a".repeat(64))] {
            assert!(EmailAddress::parse(text).is_ok(), "{text:?}");
        }
    }
}
