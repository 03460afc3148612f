//! The tokens in the links of mails: 32 random bytes, which the mail has as base64url. Only their hashes are stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::digest::sha256;
use crate::random::{self, NoRandomness};

/// A token itself, not its hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MailToken([u8; 32]);

impl MailToken {
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        random::bytes().map(Self)
    }

    /// Reads a presented token. Returns `None` if the text does not have the form of a token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl std::fmt::Debug for MailToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_form_and_its_debug_output_does_not_show_it() {
        let token = MailToken::generate().unwrap();
        let text = token.encode();
        assert_eq!(text.len(), 43);
        assert_eq!(MailToken::parse(&text), Some(token.clone()));
        for other in ["", "x", &text[1..], &format!("{text}="), &format!(" {text}")] {
            assert_eq!(MailToken::parse(other), None, "{other}");
        }
        assert_ne!(MailToken::generate().unwrap(), token);
        assert!(!format!("{token:?}").contains(&text));
    }
}
