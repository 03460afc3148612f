//! Idempotency keys.

/// The value of an `Idempotency-Key` header: 1 to 255 visible ASCII characters, chosen by the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses a key. Returns `None` if the text is not valid.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_key = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self(text.to_owned()))
    }

    /// The key as the client sent it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_visible_ascii_characters() {
        let longest = "x".repeat(255);
        for key in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "!~", &longest] {
            assert_eq!(IdempotencyKey::parse(key), Some(IdempotencyKey(key.to_owned())));
        }
        for text in ["", "a b", "é", "a\tb", "a\u{7f}", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), None, "{text:?}");
        }
    }
}
