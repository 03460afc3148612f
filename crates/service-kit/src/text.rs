//! Text that users write: validation rules for [`garde`]'s `custom`, and how searches compare it. Valid text is stored and
//! returned unchanged, byte for byte.

use unicode_normalization::UnicodeNormalization as _;

/// One line: `min` to `max` characters (Unicode scalar values) without control characters.
pub fn line<T: AsRef<str>>(min: usize, max: usize) -> impl FnOnce(&T, &()) -> garde::Result {
    move |text, ()| check(text.as_ref(), min, max, char::is_control)
}

/// Several lines: as [`line()`], but line feeds and tabs are allowed.
pub fn lines<T: AsRef<str>>(min: usize, max: usize) -> impl FnOnce(&T, &()) -> garde::Result {
    move |text, ()| {
        check(text.as_ref(), min, max, |c| {
            c.is_control() && c != '\n' && c != '\t'
        })
    }
}

/// A text as searches compare it: in lower case, with one encoding of each accented letter. The database does not do this,
/// because the two engines differ.
///
/// The normal form is C. KC would make some texts much longer, and a search costs up to the product of both lengths.
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// The pattern for `like … escape '\'` that matches folded columns which contain this text. `%` and `_` match themselves, and
/// an empty text matches every column.
#[must_use]
pub fn containing(text: &str) -> String {
    format!("%{}%", literal(&fold(text)))
}

/// A pattern for `like … escape '\'` that matches exactly this text.
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
    fn a_length_counts_characters_not_bytes() {
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
    fn control_characters_are_refused_except_line_feeds_and_tabs_in_lines() {
        for refused in ["a\0", "\u{7f}", "\u{85}", "a\rb", "\u{1b}[31m"] {
            assert!(line(0, 9)(&refused, &()).is_err(), "{refused:?}");
            assert!(lines(0, 9)(&refused, &()).is_err(), "{refused:?}");
        }
        assert!(line(0, 9)(&"a\tb", &()).is_err());
        assert!(lines(0, 9)(&"a\n\tb", &()).is_ok());
        assert!(line(0, 9)(&"🙂\u{202e}é", &()).is_ok());
    }

    #[test]
    fn wildcards_match_themselves() {
        assert_eq!(containing(r"100%_\"), r"%100\%\_\\%");
        assert_eq!(containing(""), "%%");
    }

    #[test]
    fn encodings_and_cases_of_one_text_are_equal() {
        assert_eq!(fold("CAFÉ"), fold("cafe\u{301}"));
        assert_eq!(fold("ΑΒΓ"), "αβγ");
    }
}
