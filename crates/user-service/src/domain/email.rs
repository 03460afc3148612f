//! Email addresses: which addresses are accepted, and which are the same address.

use icu_casemap::CaseMapper;
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization as _;

/// The longest address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;
/// The longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// A well-formed email address: trimmed, in Unicode's normal form C, otherwise as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    address: String,
    key: String,
}

/// A text is not an email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an email address")]
pub struct InvalidEmail;

impl EmailAddress {
    /// Parses an address for a new account.
    ///
    /// # Errors
    /// If the address is malformed or too long, or if its domain has no IDNA form.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let address = normalize(text)?;
        let key = comparison_key(&address).ok_or(InvalidEmail)?;
        Ok(Self { address, key })
    }

    /// Parses an address to find an account. The account may be older than the check of domains. So an address whose domain has no
    /// IDNA form gets its [`old_key`](Self::old_key) as its key.
    pub(crate) fn parse_existing(text: &str) -> Result<Self, InvalidEmail> {
        let address = normalize(text)?;
        let key = comparison_key(&address).unwrap_or_else(|| old_key(&address));
        Ok(Self { address, key })
    }

    /// The address as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The comparison key: two addresses are the same if their keys are equal. The key consists of the case-folded local part
    /// (Unicode §3.13, D145: canonical caseless matching) and the ASCII form of the domain (UTS 46, non-transitional).
    ///
    /// RFC 5321 §2.4 lets the receiving host distinguish case in the local part. In practice no host does.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether two addresses certainly have the same mailbox: they differ at most in case and in the form of the domain. Addresses with
    /// the same [`key`](Self::key) may have others: a host can distinguish `ß` from `ss`.
    pub(crate) fn has_same_mailbox(&self, other: &Self) -> bool {
        let lowercase = |address: &str| -> Option<String> {
            let (local, _) = address.rsplit_once('@')?;
            Some(local.to_lowercase().nfc().collect())
        };
        self.key == other.key && lowercase(&self.address) == lowercase(&other.address)
    }

    /// The old comparison key, which was used before [`key`](Self::key): the address converted to upper case, and the result to
    /// lower case. It was unique. So old accounts that have the same `key`, such as `a@bücher.example` and
    /// `a@xn--bcher-kva.example`, have different old keys.
    pub(crate) fn old_key(&self) -> String {
        old_key(&self.address)
    }
}

/// Trims an address, normalizes it to form C, and checks its form and length. The domain may still be invalid.
fn normalize(text: &str) -> Result<String, InvalidEmail> {
    let address: String = text.trim().nfc().collect();
    let (local, domain) = address.rsplit_once('@').ok_or(InvalidEmail)?;

    let fits = address.len() <= MAX_BYTES && !local.is_empty() && local.len() <= MAX_LOCAL_BYTES;
    let is_forbidden =
        |c: char| c.is_control() || c.is_whitespace() || is_invisible(c) || "@<>()[]\\,;:\"。．｡".contains(c);
    let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');

    if fits
        && !local.contains(is_forbidden)
        && !domain.contains(is_forbidden)
        && domain.split('.').all(is_label)
    {
        Ok(address)
    } else {
        Err(InvalidEmail)
    }
}

/// The key of an address, or `None` if its domain has no IDNA form.
fn comparison_key(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    // `STD3` allows only letters, digits and hyphens (RFC 5321 §4.1.2). `CheckFirstLast` allows hyphens in the third and fourth
    // position, because there are such domains (`r3---sn.example`).
    let domain = Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .ok()?;
    Some(format!("{}@{domain}", fold(local)))
}

/// Two texts match canonically and caselessly (Unicode §3.13, D145) if their folded forms are equal. Form D comes first because
/// folding turns the combining mark U+0345 into a letter. D145 then applies form D a second time; this function applies form C
/// instead, which treats the same texts as equal and is shorter.
fn fold(text: &str) -> String {
    let decomposed: String = text.nfd().collect();
    CaseMapper::new().fold_string(&decomposed).nfc().collect()
}

fn old_key(address: &str) -> String {
    address.to_uppercase().to_lowercase().nfc().collect()
}

/// Whether a character is usually not displayed (Unicode's `Default_Ignorable_Code_Point`, and the annotation
/// characters U+FFF9 to U+FFFB): an address that contains such a
/// character looks like another address.
fn is_invisible(c: char) -> bool {
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
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        EmailAddress::parse(text).unwrap().key().to_owned()
    }

    #[test]
    fn an_address_is_trimmed_normalized_and_otherwise_kept() {
        let address = EmailAddress::parse(" Ada.Lovelace+x@Example.COM\n").unwrap();
        assert_eq!(address.as_str(), "Ada.Lovelace+x@Example.COM");
        assert_eq!(address.key(), "ada.lovelace+x@example.com");

        let decomposed = EmailAddress::parse("e\u{301}@Bu\u{308}cher.example").unwrap();
        assert_eq!(decomposed.as_str(), "\u{e9}@B\u{fc}cher.example");
        assert_eq!(decomposed.key(), "\u{e9}@xn--bcher-kva.example");
    }

    #[test]
    fn addresses_that_differ_only_in_case_or_encoding_are_the_same() {
        for (one, other) in [
            ("ada@example.com", "ADA@EXAMPLE.COM"),
            ("É@example.com", "é@example.com"),
            ("ΟΔΟΣ@example.com", "οδος@example.com"),
            ("ΟΔΟΣ@example.com", "οδοσ@example.com"),
            ("sam@example.com", "\u{17f}am@example.com"),
            ("kim@example.com", "\u{212a}im@example.com"),
            ("\u{b5}@example.com", "\u{3bc}@example.com"),
            ("straße@example.com", "STRASSE@example.com"),
            ("ẞ@example.com", "ß@example.com"),
            ("İ@example.com", "i\u{307}@example.com"),
            ("ﬁn@example.com", "fin@example.com"),
            ("\u{1fc3}@example.com", "\u{3b7}\u{345}@example.com"),
            (
                "\u{3b1}\u{345}\u{301}@example.com",
                "\u{391}\u{301}\u{345}@example.com",
            ),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@BÜCHER.example", "a@XN--BCHER-KVA.example"),
            ("a@straße.de", "a@xn--strae-oqa.de"),
            ("a@ｅxample.com", "a@example.com"),
            ("a@\u{17f}am.com", "a@sam.com"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn addresses_that_only_look_alike_are_different() {
        for (one, other) in [
            ("a@gıthub.com", "a@github.com"),
            ("gıthub@example.com", "github@example.com"),
            ("İ@example.com", "i@example.com"),
            ("a@straße.de", "a@strasse.de"),
            ("a@bücher.example", "a@bucher.example"),
            ("é@example.com", "e@example.com"),
            ("ａ@example.com", "a@example.com"),
            ("\u{430}@example.com", "a@example.com"),
            ("a.b@example.com", "ab@example.com"),
            ("a+b@example.com", "a@example.com"),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn both_cases_of_a_character_fold_to_the_same() {
        for c in '\0'..=char::MAX {
            let (lower, upper) = (c.to_lowercase().to_string(), c.to_uppercase().to_string());
            if lower != upper {
                let folded = fold(&c.to_string());
                assert_eq!(fold(&lower), folded, "{c:?}");
                // The upper case of the dotless ı is I, whose lower case has a dot.
                assert!(fold(&upper) == folded || c == 'ı', "{c:?}");
            }
        }
    }

    #[test]
    fn an_old_account_with_an_invalid_domain_keeps_its_key() {
        for (text, key) in [("Ada@My_Host", "ada@my_host"), ("a@xn--\u{e9}", "a@xn--\u{e9}")] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail));
            assert_eq!(EmailAddress::parse_existing(text).unwrap().key(), key);
        }
        let valid = EmailAddress::parse("a@bücher.example").unwrap();
        assert_eq!(EmailAddress::parse_existing("a@bücher.example"), Ok(valid));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn canonically_equivalent_texts_fold_to_the_same(text in any::<String>()) {
            let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
            prop_assert_eq!(fold(&composed), fold(&text));
            prop_assert_eq!(fold(&decomposed), fold(&text));
        }

        #[test]
        fn a_key_parsed_as_an_address_has_the_same_key(local in "[a-zA-Zß-ɏΑ-ώЀ-џ]{1,20}", domain in "[a-zA-Zß-ɏ]{1,20}") {
            if let Ok(address) = EmailAddress::parse(&format!("{local}@{domain}.example")) {
                prop_assert_eq!(&key(address.key()), address.key());
                prop_assert_eq!(&key(&address.as_str().to_lowercase()), address.key());
            }
        }

        #[test]
        fn any_text_is_accepted_or_refused_without_a_panic(text in any::<String>()) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(EmailAddress::parse_existing(&text), Ok(address));
            }
        }
    }

    #[test]
    fn a_malformed_address_is_refused_for_old_accounts_too() {
        for text in [
            "",
            "a",
            "@b",
            "a@",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a b@c",
            "a@b\u{202e}",
        ] {
            assert_eq!(EmailAddress::parse_existing(text), Err(InvalidEmail), "{text:?}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "b.".repeat(124) + "b");
        let long_label = format!("a@{}.com", "b".repeat(64));
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
            "a@b-",
            "a\0@b",
            "a@b\u{7f}",
            "<a@b>",
            "a\u{200b}@b",
            "a\u{ad}@b",
            "a@b\u{202e}",
            "a@b\u{feff}c",
            "\u{3164}@b",
            "a\u{1bca0}@b",
            "a\u{1bca3}@b",
            "a\u{1d173}@b",
            "a\u{1d17a}@b",
            "a@b。c",
            "a@b,c@d",
            "\"a b\"@c",
            "a@b_c.example",
            "a@b!c.example",
            "a@xn--a.example",
            "a@\u{301}b.example",
            "a@\u{fffd}.example",
            &long_local,
            &long,
            &long_label,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail), "{text:?}");
        }
        for text in [
            "a@b",
            "a@localhost",
            "ä@ö.example",
            "a@r3---sn.example",
            "a@☃.example",
            "a_b@example.com",
            &format!("{}@example.com", "a".repeat(64)),
        ] {
            assert!(EmailAddress::parse(text).is_ok(), "{text:?}");
        }
    }
}
