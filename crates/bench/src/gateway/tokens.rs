//! The tokens of the load: the same users for all gateways, with a token signed with Ed25519 and an HS256 token for each.

use bench::tokens::{Signer, claims};

use crate::Failure;

/// Users and their tokens.
pub(super) struct Users {
    /// The users' ids (`sub`).
    pub ids: Vec<String>,
    pub eddsa: Tokens,
    pub hs256: Tokens,
}

/// A token for each user, and the signer.
pub(super) struct Tokens {
    pub signer: Signer,
    pub tokens: Vec<String>,
}

impl Users {
    pub(super) fn create() -> Result<Self, Failure> {
        let claims = claims();
        let sign = |signer: Signer| {
            let tokens = signer.sign(&claims)?;
            Ok::<_, Failure>(Tokens { signer, tokens })
        };
        Ok(Self {
            eddsa: sign(Signer::eddsa()?)?,
            hs256: sign(Signer::hs256()?)?,
            ids: claims.into_iter().map(|claims| claims.sub).collect(),
        })
    }
}

/// The token with another character in the middle of its signature.
pub(super) fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let (front, back) = signature.split_at(signature.len() / 2);
    let other = if back.starts_with('A') { 'B' } else { 'A' };
    let rest: String = back.chars().skip(1).collect();
    format!("{signed}.{front}{other}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_differs_only_in_its_signature() {
        assert_eq!(forged("head.body.abcd"), "head.body.abAd");
        assert_eq!(forged("head.body.abAd"), "head.body.abBd");
    }
}
