//! Tokens that were verified, as the cache keeps them: found by the end of their text, compared as a whole, weighed in bytes.

use std::hash::{Hash, Hasher};

use quick_cache::{Equivalent, Weighter};

use crate::principal::Principal;

/// What a verified token costs in the cache besides its own text: principal, entry, and its share of the table.
const ENTRY_BYTES: usize = 512;

/// The text of a token that was verified. It is equal to another as a whole, but found by its end: part of a signature, which
/// whoever has no key can't choose, and so as good as any hash of the whole.
#[derive(Clone, Debug)]
pub(crate) struct Text(pub Box<str>);

/// The text of a token that somebody shows.
pub(crate) struct Shown<'t>(pub &'t str);

/// So many bytes of a text tell it from others, as far as a table is concerned.
const END_BYTES: usize = 32;

fn hash_end(text: &str, state: &mut impl Hasher) {
    let bytes = text.as_bytes();
    state.write(bytes.last_chunk::<END_BYTES>().map_or(bytes, |end| end));
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_end(&self.0, state);
    }
}

impl Hash for Shown<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_end(self.0, state);
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Text {}

impl Equivalent<Text> for Shown<'_> {
    fn equivalent(&self, text: &Text) -> bool {
        *self.0 == *text.0
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub principal: Principal,
    /// The key set's generation when the signature was checked. Another generation may not hold the key any more.
    pub generation: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct ByBytes;

impl Weighter<Text, Verified> for ByBytes {
    fn weight(&self, Text(token): &Text, _: &Verified) -> u64 {
        // The claims were decoded from the text, so they are no longer than it is.
        (token.len() * 2 + ENTRY_BYTES) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_its_end_and_equal_as_a_whole() {
        for (shown, text, is_it) in [
            ("short", "short", true),
            ("short", "shorter", false),
            ("", "", true),
        ] {
            assert_eq!(
                Shown(shown).equivalent(&Text(text.into())),
                is_it,
                "{shown}, {text}"
            );
        }
        let hash = |text: &str| {
            let mut hasher = std::hash::DefaultHasher::new();
            Shown(text).hash(&mut hasher);
            hasher.finish()
        };
        let end = "e".repeat(END_BYTES);
        assert_eq!(hash(&format!("one{end}")), hash(&format!("other{end}")));
        assert_ne!(hash(&format!("{end}1")), hash(&format!("{end}2")));
        let [one, other] = ["one", "other"].map(|begin| Text(format!("{begin}{end}").into()));
        assert!(!Shown(&one.0).equivalent(&other));
        assert!(
            one == one.clone() && one != other,
            "the cache compares when it takes a text in, too"
        );
    }
}
