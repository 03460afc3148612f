//! Rules for text that people write, for [`garde`]'s `custom`. Everything that is not refused round-trips byte for byte.

/// One line: `min` to `max` characters, none of them a control character.
pub fn line<T: AsRef<str>>(min: usize, max: usize) -> impl FnOnce(&T, &()) -> garde::Result {
    move |text, ()| check(text.as_ref(), min, max, char::is_control)
}

/// Several lines: as [`line()`], but line feeds and tabs may stand in it.
pub fn lines<T: AsRef<str>>(min: usize, max: usize) -> impl FnOnce(&T, &()) -> garde::Result {
    move |text, ()| check(text.as_ref(), min, max, |c| c.is_control() && c != '\n' && c != '\t')
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
        assert_eq!(line(1, 3)(&"äöüß", &()).unwrap_err().message(), "must have 1 to 3 characters");
        assert!(line(1, 3)(&"", &()).is_err());
        assert!(lines(0, 3)(&"", &()).is_ok());
        assert_eq!(lines(0, 3)(&"abcd", &()).unwrap_err().message(), "must have at most 3 characters");
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
}
