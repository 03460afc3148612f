//! The cache of verified tokens. A cached token skips the signature check, but not the checks of expiry and revocation. The size
//! of the cache is bounded in bytes.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::principal::Principal;

/// The memory of an entry in addition to the token's text and claims, in bytes: the principal's fixed part, the cache's own
/// data about the entry, and a share of the table.
const ENTRY_BYTES: usize = 512;
/// The memory of a role in addition to its text, in bytes: the `String` and what the allocator adds.
const ROLE_BYTES: usize = 48;
/// The weight of a usual token, for the initial size of the table.
const USUAL_WEIGHT: u64 = 1_500;
/// How many bytes at a token's end are hashed.
const HASHED_BYTES: usize = 32;

#[derive(Debug)]
pub(crate) struct TokenCache {
    entries: Cache<TokenBytes, CachedToken, WeightInBytes>,
    /// How often a token was found that an earlier key set had verified.
    outdated: AtomicU64,
}

#[derive(Clone, Debug)]
struct CachedToken {
    principal: Principal,
    /// The index of the token's issuer.
    issuer: usize,
    /// The generation of the keys that verified the signature. In a later one the key might be removed or revoked.
    generation: u64,
}

impl TokenCache {
    pub fn new(max_bytes: u64) -> Self {
        let estimated_entries = usize::try_from(max_bytes / USUAL_WEIGHT).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with_weighter(estimated_entries, max_bytes, WeightInBytes),
            outdated: AtomicU64::default(),
        }
    }

    /// The principal of this token and the index of its issuer, if the token was verified with the current generation of the issuer's
    /// keys, which `generation_of` returns.
    pub fn get(&self, token: &[u8], generation_of: impl FnOnce(usize) -> u64) -> Option<(Principal, usize)> {
        let cached = self.entries.get(&TokenRef(token))?;
        if cached.generation == generation_of(cached.issuer) {
            return Some((cached.principal, cached.issuer));
        }
        self.outdated.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// How often [`get`](Self::get) found a token, and how often it did not.
    pub fn lookups(&self) -> (u64, u64) {
        let outdated = self.outdated.load(Ordering::Relaxed);
        let found = self.entries.hits().saturating_sub(outdated);
        (found, self.entries.misses() + outdated)
    }

    pub fn insert(&self, token: &[u8], principal: Principal, issuer: usize, generation: u64) {
        let cached = CachedToken {
            principal,
            issuer,
            generation,
        };
        self.entries.insert(TokenBytes(token.into()), cached);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// A cached token. Whole tokens are compared, but only their last bytes are hashed. Only verified tokens are cached, and their last
/// bytes belong to signatures, which only the issuer makes. So a client can't fill the cache with entries of one hash.
#[derive(Clone, Debug)]
struct TokenBytes(Box<[u8]>);

/// A token that is looked up.
struct TokenRef<'t>(&'t [u8]);

fn hash_end(bytes: &[u8], state: &mut impl Hasher) {
    state.write(bytes.last_chunk::<HASHED_BYTES>().map_or(bytes, |end| end));
}

impl Hash for TokenBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_end(&self.0, state);
    }
}

impl Hash for TokenRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_end(self.0, state);
    }
}

impl PartialEq for TokenBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TokenBytes {}

impl Equivalent<TokenBytes> for TokenRef<'_> {
    fn equivalent(&self, cached: &TokenBytes) -> bool {
        *self.0 == *cached.0
    }
}

#[derive(Clone, Debug)]
struct WeightInBytes;

impl Weighter<TokenBytes, CachedToken> for WeightInBytes {
    fn weight(&self, TokenBytes(token): &TokenBytes, cached: &CachedToken) -> u64 {
        let (roles, application_claims) = match &cached.principal {
            Principal::User(user) => (user.roles().len(), user.data.application_claims.is_some()),
            Principal::Service(_) => (0, false),
        };
        // Twice the text's length: the entry holds the text and the claims, whose texts are not longer. The application's claims
        // are assumed to be as large again.
        let texts = 2 + usize::from(application_claims);
        (token.len() * texts + roles * ROLE_BYTES + ENTRY_BYTES) as u64
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
        let token = |text: &str| TokenBytes(text.as_bytes().into());
        for (wanted, cached, is_equal) in [
            ("short", "short", true),
            ("short", "shorter", false),
            ("", "", true),
        ] {
            let outcome = TokenRef(wanted.as_bytes()).equivalent(&token(cached));
            assert_eq!(outcome, is_equal, "{wanted}, {cached}");
        }

        let hash = |text: &str| {
            let mut hasher = std::hash::DefaultHasher::new();
            TokenRef(text.as_bytes()).hash(&mut hasher);
            hasher.finish()
        };
        let end = "e".repeat(HASHED_BYTES);
        assert_eq!(hash(&format!("one{end}")), hash(&format!("other{end}")));
        assert_ne!(hash(&format!("{end}1")), hash(&format!("{end}2")));

        let [one, other] = ["one", "other"].map(|begin| token(&format!("{begin}{end}")));
        assert!(!TokenRef(&one.0).equivalent(&other));
        // The cache also compares tokens when one is inserted.
        assert!(one == one.clone() && one != other);
    }

    #[test]
    fn a_cached_token_is_found_only_for_the_key_set_that_verified_it() {
        let issuer = Issuer::new("a");
        let cache = TokenCache::new(1_000_000);
        let ada = principal(&issuer.as_user());

        cache.insert(b"a token", ada.clone(), 1, 7);

        let generation = |of: u64| move |issuer| if issuer == 1 { of } else { 0 };
        assert_eq!(cache.get(b"a token", generation(7)), Some((ada, 1)));
        assert_eq!(cache.get(b"a token", generation(6)), None);
        assert_eq!(cache.get(b"a token", generation(8)), None);
        assert_eq!(cache.get(b"another token", generation(7)), None);
        assert_eq!(cache.lookups(), (1, 3));
    }

    #[test]
    fn an_entry_weighs_at_least_the_memory_of_its_claims() {
        let roles = vec!["a"; 1_000];
        let token = Issuer::new("a").as_roles(&roles);
        let cached = CachedToken {
            principal: principal(&token),
            issuer: 0,
            generation: 1,
        };

        let weight = WeightInBytes.weight(&TokenBytes(token.token().as_bytes().into()), &cached);

        let role_bytes = roles.len() * (size_of::<String>() + 1);
        assert!(weight > (token.token().len() + role_bytes) as u64, "{weight}");
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
            cache.insert(token.as_bytes(), principal(&ada), 0, 1);
            inserted += token.len() as u64;

            let held: u64 = cache
                .entries
                .iter()
                .map(|(token, _)| 2 * token.0.len() as u64)
                .sum();
            assert!(held <= MAX_BYTES, "{held}");
        }

        assert!(inserted > 2 * MAX_BYTES, "not all of them fit: {inserted}");
        assert!(cache.len() > 10, "{}", cache.len());
    }
}
