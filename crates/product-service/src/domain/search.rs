//! What somebody looks for.

use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// What somebody looks for. All that is given has to hold.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub text: Option<String>,
    pub owner_id: Option<Uuid>,
    pub ids: Option<Vec<Uuid>>,
}

impl Search {
    /// The text as a `like` pattern over folded columns, in which `%` and `_` mean themselves.
    pub(crate) fn pattern(&self) -> String {
        let folded = fold(self.text.as_deref().unwrap_or_default());
        let escaped = folded.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
        format!("%{escaped}%")
    }
}

/// A text as searches compare it: capitals and the many spellings of an accent folded away. Done here and not in the database,
/// because the two engines would do it differently. In normal form C, which makes no text much longer, as KC would: a search
/// costs up to length times length.
pub(crate) fn fold(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> String {
        Search { text: Some(text.to_owned()), ..Search::default() }.pattern()
    }

    #[test]
    fn wildcards_mean_themselves() {
        assert_eq!(pattern(r"100%_\"), r"%100\%\_\\%");
        assert_eq!(Search::default().pattern(), "%%");
    }

    #[test]
    fn spellings_of_one_text_are_one() {
        assert_eq!(fold("CAFÉ"), fold("cafe\u{301}"));
        assert_eq!(fold("ΑΒΓ"), "αβγ");
    }
}
