//! The claims of a token as its issuer wrote them (RFC 7519 §4). A profile says which of them are read, and as what.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::claim_path::ClaimPath;
use crate::error::TokenFault;
use crate::{json_object, numeric_date};

/// The members of a JSON object, in the order of its text. Only the values that a caller asks for are parsed.
pub(crate) struct ClaimSet<'t> {
    members: Vec<(Cow<'t, str>, &'t RawValue)>,
}

/// The value of a claim as JSON text. Never `null`.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'t>(&'t RawValue);

impl<'t> ClaimSet<'t> {
    /// Reads an object. It must not have two members of one name (RFC 7519 §4), at any level that is read.
    pub fn parse(json: &'t str) -> Result<Self, TokenFault> {
        json_object::parse_text(json).ok_or(TokenFault::Malformed)
    }

    /// A claim of the object itself. A claim with the value `null` counts as absent.
    pub fn named(&self, name: &str) -> Option<Claim<'t>> {
        self.raw(name).filter(|value| !value.is_null())
    }

    /// The same, but `null` is a value.
    pub fn raw(&self, name: &str) -> Option<Claim<'t>> {
        self.members
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| Claim(value))
    }

    /// The claim at this path. `None` if a part of the path is absent or `null`.
    pub fn at(&self, path: &ClaimPath) -> Result<Option<Claim<'t>>, TokenFault> {
        let mut found = self.named(path.first());
        for name in path.rest() {
            let Some(Claim(object)) = found else {
                return Ok(None);
            };
            found = ClaimSet::parse(object.get())?.named(name);
        }
        Ok(found)
    }

    /// The text at this path.
    pub fn text_at(&self, path: &ClaimPath) -> Result<Option<Cow<'t, str>>, TokenFault> {
        self.at(path)?.map(Claim::text).transpose()
    }

    /// The text of a claim of the object itself.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'t, str>>, TokenFault> {
        self.named(name).map(Claim::text).transpose()
    }
}

impl<'t> Claim<'t> {
    fn parse<T: Deserialize<'t>>(self) -> Result<T, TokenFault> {
        serde_json::from_str(self.0.get()).map_err(|_| TokenFault::Malformed)
    }

    fn is_null(self) -> bool {
        self.0.get() == "null"
    }

    pub fn is_string(self) -> bool {
        self.0.get().starts_with('"')
    }

    pub fn text(self) -> Result<Cow<'t, str>, TokenFault> {
        let quoted = self.0.get().strip_prefix('"');
        match quoted.and_then(|text| text.strip_suffix('"')) {
            // `RawValue` is valid JSON: without an escape, the text is what stands between the quotes.
            Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
            _ => self.parse().map(|Text(text)| text),
        }
    }

    /// A text, or a whole number as text: some issuers number their users.
    pub fn text_or_number(self) -> Result<Cow<'t, str>, TokenFault> {
        if self.is_string() {
            return self.text();
        }
        self.parse().map(|number: i64| Cow::Owned(number.to_string()))
    }

    pub fn integer(self) -> Result<i64, TokenFault> {
        self.parse()
    }

    /// A list of texts.
    pub fn list(self) -> Result<Vec<String>, TokenFault> {
        self.parse()
    }

    /// A list of texts, or one text as a list of one.
    pub fn one_or_many(self) -> Result<Vec<String>, TokenFault> {
        if self.is_string() {
            Ok(vec![self.text()?.into_owned()])
        } else {
            self.list()
        }
    }

    /// Unix seconds, rounded down (RFC 7519 §2).
    pub fn time_rounded_down(self) -> Result<i64, TokenFault> {
        let mut number = serde_json::Deserializer::from_str(self.0.get());
        numeric_date::rounded_down(&mut number).map_err(|_| TokenFault::Malformed)
    }

    /// Unix seconds, rounded up (RFC 7519 §2).
    pub fn time_rounded_up(self) -> Result<i64, TokenFault> {
        let mut number = serde_json::Deserializer::from_str(self.0.get());
        numeric_date::rounded_up(&mut number)
            .ok()
            .flatten()
            .ok_or(TokenFault::Malformed)
    }

    /// Whether the value is this text, or `true` or `false` written as this text.
    pub fn is(self, expected: &str) -> bool {
        if self.is_string() {
            self.text().is_ok_and(|text| text == expected)
        } else {
            matches!(expected, "true" | "false") && self.0.get() == expected
        }
    }
}

/// A text that is borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'de> Deserialize<'de> for ClaimSet<'de> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        object.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = ClaimSet<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut object: M) -> Result<ClaimSet<'de>, M::Error> {
        // The tokens of this platform have 13 claims.
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(16);
        while let Some((Text(name), value)) = object.next_entry()? {
            members.push((name, value));
        }
        if has_duplicates(&members) {
            return Err(M::Error::custom("a duplicate member"));
        }
        Ok(ClaimSet { members })
    }
}

fn has_duplicates(members: &[(Cow<'_, str>, &RawValue)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.array_windows().any(|[one, next]| one == next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_into_nested_objects() {
        let claims = ClaimSet::parse(r#"{"a":{"b":{"c":"x"}},"a.b":1,"n":null,"o":{"n":null}}"#).unwrap();
        let at = |path: &str| claims.text_at(&path.into()).map(|text| text.map(Cow::into_owned));

        assert_eq!(at("a.b.c"), Ok(Some("x".to_owned())));
        for absent in ["b", "a.c", "a.b.d", "n", "n.x", "o.n", "o.n.x"] {
            assert_eq!(at(absent), Ok(None), "{absent}");
        }
        for malformed in ["a", "a.b", "a.b.c.d"] {
            assert_eq!(at(malformed), Err(TokenFault::Malformed), "{malformed}");
        }
    }

    #[test]
    fn duplicate_members_are_malformed_at_each_level_that_is_read() {
        let parse = |json: &str| ClaimSet::parse(json).map(drop);
        assert_eq!(parse(r#"{"a":1,"b":2,"a":1}"#), Err(TokenFault::Malformed));
        // The same name, one time with an escape.
        assert_eq!(parse(r#"{"a":1,"\u0061":1}"#), Err(TokenFault::Malformed));

        let claims = ClaimSet::parse(r#"{"o":{"a":"1","a":"2"}}"#).unwrap();
        assert!(claims.text_at(&"o.a".into()).is_err());
    }

    #[test]
    fn a_text_is_unescaped_and_a_number_is_not_a_text() {
        // A text without escapes is not parsed again, so it must be valid already.
        for invalid in ["\u{1}", "\n", "\\x", "\""] {
            assert!(
                ClaimSet::parse(&format!(r#"{{"t":"{invalid}"}}"#)).is_err(),
                "{invalid:?}"
            );
        }
        let claims = ClaimSet::parse(r#"{"t":"\u0041\n","i":42,"f":4.5,"b":true}"#).unwrap();
        assert_eq!(claims.text("t"), Ok(Some(Cow::Borrowed("A\n"))));
        for name in ["i", "f", "b"] {
            assert_eq!(claims.text(name), Err(TokenFault::Malformed), "{name}");
        }
        let number = |name: &str| claims.named(name).unwrap().text_or_number();
        assert_eq!(number("i"), Ok(Cow::Borrowed("42")));
        assert_eq!(number("f"), Err(TokenFault::Malformed));
        assert!(claims.named("b").unwrap().is("true") && !claims.named("b").unwrap().is("false"));
        assert!(!claims.named("i").unwrap().is("42"));
    }
}
