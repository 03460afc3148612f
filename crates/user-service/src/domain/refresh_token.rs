//! Refresh tokens: their form, and how a successor is derived.
//!
//! A token is 32 bytes: a *family*, which all tokens of one session share, and a *secret*. The family finds the session even for
//! a token that was replaced long ago, so a replay is detected without a record of every token. The next token's secret is an
//! HMAC over the current token and a nonce that is stored with the rotation. So a client that presents the same token again
//! within the grace period, before it used the successor, gets the same successor, although the database holds only hashes. The
//! HMAC's key is stored sealed, so a copy of the database is not enough to derive a token.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::digest::sha256;
use crate::random::{self, NoRandomness};

const HALF: usize = 16;
const BYTES: usize = 2 * HALF;

/// A refresh token itself, not its hash: the 32 bytes that a client presents as base64url.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken([u8; BYTES]);

impl RefreshToken {
    /// The first token of a session.
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        random::bytes().map(Self)
    }

    /// Reads a presented token. Returns `None` if the text does not have the form of a refresh token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The hash that all tokens of one session share, by which the session is found.
    pub(crate) fn family_hash(&self) -> [u8; 32] {
        sha256(self.family())
    }

    /// The hash of the whole token, which differs for each token of a family.
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

/// The key that derives the successors of refresh tokens.
#[derive(Clone)]
pub(crate) struct SuccessorKey(hmac::Key);

impl SuccessorKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The successor of `token` in a rotation with this nonce. The same arguments always give the same successor.
    pub(crate) fn derive(&self, token: &RefreshToken, nonce: &[u8]) -> RefreshToken {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&token.0);
        context.update(nonce);
        let tag = context.sign();

        // The family stays, the secret is replaced.
        let mut successor = token.0;
        for (byte, tag) in successor.iter_mut().skip(HALF).zip(tag.as_ref()) {
            *byte = *tag;
        }
        RefreshToken(successor)
    }
}

impl std::fmt::Debug for SuccessorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SuccessorKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_43_characters_and_can_be_parsed() {
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
    fn a_successor_keeps_the_family_and_depends_on_key_token_and_nonce() {
        let token = RefreshToken::generate().unwrap();
        let (ours, foreign) = (SuccessorKey::new(b"ours"), SuccessorKey::new(b"foreign"));
        let next = ours.derive(&token, b"nonce");
        assert_eq!(next, ours.derive(&token, b"nonce"));
        assert_eq!(next.family_hash(), token.family_hash());
        let others = [
            token.clone(),
            ours.derive(&token, b"other"),
            foreign.derive(&token, b"nonce"),
            ours.derive(&next, b"nonce"),
        ];
        for other in others {
            assert_ne!(other.hash(), next.hash());
        }
        assert_ne!(
            RefreshToken::generate().unwrap().family_hash(),
            token.family_hash()
        );
        assert_eq!(format!("{ours:?}"), "SuccessorKey([redacted])");
    }
}
