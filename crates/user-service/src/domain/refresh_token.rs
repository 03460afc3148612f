//! Refresh tokens: how they look, and how one follows another.
//!
//! A token is 32 random-looking bytes: a *family*, which all tokens of one session share, and a *secret*. The family finds the
//! session, also for a token that was replaced long ago, so that a replay is known for one without a record of every token
//! that ever was. The next token's secret is an HMAC over the present token and a nonce that is kept with the rotation: so
//! whoever shows the same token again, within the grace, gets the same successor, and yet nothing but hashes rests in the
//! database. What a copy of the database lacks is the HMAC's key, which is sealed.

use aws_lc_rs::{digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const HALF: usize = 16;
const BYTES: usize = 2 * HALF;

/// A refresh token, as its bearer shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken([u8; BYTES]);

impl RefreshToken {
    /// The first token of a session.
    pub(crate) fn generate() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads what somebody shows; `None` for what was never one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What finds the session.
    pub(crate) fn family_hash(&self) -> [u8; 32] {
        sha256(self.family())
    }

    /// What tells this token from others of its family.
    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    fn family(&self) -> &[u8] {
        self.0.split_at(HALF).0
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken([redacted])")
    }
}

/// Derives successors.
#[derive(Clone)]
pub(crate) struct Successors(hmac::Key);

impl Successors {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token that follows `token` in a rotation with this nonce: always the same one.
    pub(crate) fn of(&self, token: &RefreshToken, nonce: &[u8]) -> RefreshToken {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&token.0);
        context.update(nonce);
        let tag = context.sign();
        let mut successor = token.0;
        for (byte, tag) in successor.iter_mut().skip(HALF).zip(tag.as_ref()) {
            *byte = *tag;
        }
        RefreshToken(successor)
    }

    /// A nonce for a rotation.
    pub(crate) fn nonce() -> Result<[u8; 32], aws_lc_rs::error::Unspecified> {
        let mut nonce = [0; 32];
        rand::fill(&mut nonce)?;
        Ok(nonce)
    }
}

impl std::fmt::Debug for Successors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Successors([redacted])")
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_43_characters_and_reads_back() {
        let token = RefreshToken::generate().unwrap();
        assert_eq!(token.encode().len(), 43);
        assert_eq!(RefreshToken::parse(&token.encode()), Some(token.clone()));
        for other in [
            "",
            "x",
            &token.encode()[1..],
            &format!("{}=", token.encode()),
            &format!("{}A", token.encode()),
        ] {
            assert_eq!(RefreshToken::parse(other), None, "{other}");
        }
        assert!(!format!("{token:?}").contains(&token.encode()));
    }

    #[test]
    fn a_successor_is_of_the_same_family_and_follows_from_key_token_and_nonce() {
        let token = RefreshToken::generate().unwrap();
        let (ours, theirs) = (Successors::new(b"ours"), Successors::new(b"theirs"));
        let next = ours.of(&token, b"nonce");
        assert_eq!(next, ours.of(&token, b"nonce"));
        assert_eq!(next.family_hash(), token.family_hash());
        let others = [
            token.clone(),
            ours.of(&token, b"other"),
            theirs.of(&token, b"nonce"),
            ours.of(&next, b"nonce"),
        ];
        for other in others {
            assert_ne!(other.hash(), next.hash());
        }
        assert_ne!(
            RefreshToken::generate().unwrap().family_hash(),
            token.family_hash()
        );
        assert_ne!(Successors::nonce().unwrap(), Successors::nonce().unwrap());
        assert_eq!(format!("{ours:?}"), "Successors([redacted])");
    }
}
