//! Text that people write: rules for it, for [`garde`]'s `custom`, and how searches compare it. Everything that is not refused
//! round-trips byte for byte.

use unicode_normalization::UnicodeNormalization as _;

/// One line: `min` to `max` characters, none of them a control character.
pub fn line<T: AsRef<str>>(min: usize, max: usize) -> impl FnOnce(&T, &()) -> garde::Result {
    move |text, ()| check(text.as_ref(), min, max, char::is_control)
}

/// Several lines: as [`line()`], but line feeds and tabs may stand in it.
pub fn lines<T: AsRef<str>>(min: usize, max: usize) -> impl FnOnce(&T, &()) -> garde::Result {
    move |text, ()| {
        check(text.as_ref(), min, max, |c| {
            c.is_control() && c != '\n' && c != '\t'
        })
    }
}

/// A text as searches compare it: capitals and the many spellings of an accent folded away. Done here and not in the database,
/// because the two engines would do it differently. In normal form C, which makes no text much longer, as KC would: a search
/// costs up to length times length.
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// The pattern of whatever contains this text, for `like … escape '\'` over folded columns. `%` and `_` mean themselves, and
/// everything contains an empty text.
#[must_use]
pub fn containing(text: &str) -> String {
    format!("%{}%", literal(&fold(text)))
}

/// A text that means itself in a pattern for `like … escape '\'`.
#[must_use]
pub fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

fn check(text: &str, min: usize, max: usize, is_refused: impl Fn(char) -> bool) -> garde::Result {
    if text.contains(is_refused) {
        return Err(garde::Error::new("must not contain control characters"));
    }
    if (min..=max).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(garde::Error::new(match min {
        0 => format!("must have at most {max} characters"),
        _ => format!("must have {min} to {max} characters"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(line(1, 3)(&"äöü", &()).is_ok());
        assert_eq!(
            line(1, 3)(&"äöüß", &()).unwrap_err().message(),
            "must have 1 to 3 characters"
        );
        assert!(line(1, 3)(&"", &()).is_err());
        assert!(lines(0, 3)(&"", &()).is_ok());
        assert_eq!(
            lines(0, 3)(&"abcd", &()).unwrap_err().message(),
            "must have at most 3 characters"
        );
    }

    #[test]
    fn control_characters_are_refused_and_lines_may_break() {
        for refused in ["a\0", "\u{7f}", "\u{85}", "a\rb", "\u{1b}[31m"] {
            assert!(line(0, 9)(&refused, &()).is_err(), "{refused:?}");
            assert!(lines(0, 9)(&refused, &()).is_err(), "{refused:?}");
        }
        assert!(line(0, 9)(&"a\tb", &()).is_err());
        assert!(lines(0, 9)(&"a\n\tb", &()).is_ok());
        assert!(line(0, 9)(&"🙂\u{202e}é", &()).is_ok());
    }

    #[test]
    fn wildcards_mean_themselves() {
        assert_eq!(containing(r"100%_\"), r"%100\%\_\\%");
        assert_eq!(containing(""), "%%");
    }

    #[test]
    fn spellings_of_one_text_are_one() {
        assert_eq!(fold("CAFÉ"), fold("cafe\u{301}"));
        assert_eq!(fold("ΑΒΓ"), "αβγ");
    }
}
