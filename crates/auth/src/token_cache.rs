//! The cache of verified tokens. A cached token skips the signature check, but not the checks of expiry and revocation. The size
//! of the cache is bounded in bytes.

use std::hash::{Hash, Hasher};

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::principal::Principal;

/// The memory of an entry in addition to the token's text and claims, in bytes: the principal's fixed part, the entry, and a share of
/// the table.
const ENTRY_BYTES: usize = 512;
/// The weight of a usual token, for the initial size of the table.
const USUAL_WEIGHT: u64 = 1_500;
/// How many bytes at a token's end are hashed.
const HASHED_BYTES: usize = 32;

#[derive(Debug)]
pub(crate) struct TokenCache {
    entries: Cache<TokenText, CachedToken, WeightInBytes>,
}

#[derive(Clone, Debug)]
struct CachedToken {
    principal: Principal,
    /// The generation of the key set that verified the signature. A later key set may not contain the key.
    generation: u64,
}

impl TokenCache {
    pub fn new(max_bytes: u64) -> Self {
        let estimated_entries = usize::try_from(max_bytes / USUAL_WEIGHT).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with_weighter(estimated_entries, max_bytes, WeightInBytes),
        }
    }

    /// The principal of this token, if the token was verified with this generation of the key set.
    pub fn get(&self, token: &str, generation: u64) -> Option<Principal> {
        let cached = self.entries.get(&TokenStr(token))?;
        (cached.generation == generation).then_some(cached.principal)
    }

    pub fn insert(&self, token: &str, principal: Principal, generation: u64) {
        let cached = CachedToken {
            principal,
            generation,
        };
        self.entries.insert(TokenText(token.into()), cached);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The text of a cached token. Whole texts are compared, but only the last bytes are hashed. These bytes are part of the
/// signature, which a client without the key can't choose, so a client can't cause hash collisions.
#[derive(Clone, Debug)]
struct TokenText(Box<str>);

/// The borrowed text of a token that is looked up.
struct TokenStr<'t>(&'t str);

fn hash_end(text: &str, state: &mut impl Hasher) {
    let bytes = text.as_bytes();
    state.write(bytes.last_chunk::<HASHED_BYTES>().map_or(bytes, |end| end));
}

impl Hash for TokenText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_end(&self.0, state);
    }
}

impl Hash for TokenStr<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_end(self.0, state);
    }
}

impl PartialEq for TokenText {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TokenText {}

impl Equivalent<TokenText> for TokenStr<'_> {
    fn equivalent(&self, text: &TokenText) -> bool {
        *self.0 == *text.0
    }
}

#[derive(Clone, Debug)]
struct WeightInBytes;

impl Weighter<TokenText, CachedToken> for WeightInBytes {
    fn weight(&self, TokenText(token): &TokenText, _: &CachedToken) -> u64 {
        // Twice the text's length: the entry holds the text and the claims, which were decoded from the text and are not longer.
        (token.len() * 2 + ENTRY_BYTES) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Issuer, TestToken};

    fn principal(token: &TestToken) -> Principal {
        Principal::User(token.user())
    }

    #[test]
    fn tokens_are_hashed_by_their_end_and_compared_as_a_whole() {
        for (wanted, text, is_equal) in [
            ("short", "short", true),
            ("short", "shorter", false),
            ("", "", true),
        ] {
            let text = TokenText(text.into());
            assert_eq!(TokenStr(wanted).equivalent(&text), is_equal, "{wanted}, {text:?}");
        }

        let hash = |text: &str| {
            let mut hasher = std::hash::DefaultHasher::new();
            TokenStr(text).hash(&mut hasher);
            hasher.finish()
        };
        let end = "e".repeat(HASHED_BYTES);
        assert_eq!(hash(&format!("one{end}")), hash(&format!("other{end}")));
        assert_ne!(hash(&format!("{end}1")), hash(&format!("{end}2")));

        let [one, other] = ["one", "other"].map(|begin| TokenText(format!("{begin}{end}").into()));
        assert!(!TokenStr(&one.0).equivalent(&other));
        // The cache also compares texts when a text is inserted.
        assert!(one == one.clone() && one != other);
    }

    #[test]
    fn a_cached_token_is_found_only_for_the_key_set_that_verified_it() {
        let issuer = Issuer::new("a");
        let cache = TokenCache::new(1_000_000);
        let ada = principal(&issuer.as_user());

        cache.insert("a token", ada.clone(), 7);

        assert_eq!(cache.get("a token", 7), Some(ada));
        assert_eq!(cache.get("a token", 6), None);
        assert_eq!(cache.get("a token", 8), None);
        assert_eq!(cache.get("another token", 7), None);
    }

    #[test]
    fn the_size_stays_bounded_for_any_number_of_tokens() {
        const MAX_BYTES: u64 = 64 * 1024;
        let issuer = Issuer::new("a");
        let cache = TokenCache::new(MAX_BYTES);
        let mut inserted = 0;

        for _ in 0..300 {
            let ada = issuer.as_user();
            let token = ada.token();
            cache.insert(&token, principal(&ada), 1);
            inserted += token.len() as u64;

            let held: u64 = cache
                .entries
                .iter()
                .map(|(text, _)| 2 * text.0.len() as u64)
                .sum();
            assert!(held <= MAX_BYTES, "{held}");
        }

        assert!(inserted > 2 * MAX_BYTES, "not all of them fit: {inserted}");
        assert!(cache.len() > 10, "{}", cache.len());
    }
}
