//! The place of a claim in a token.

use std::fmt;

/// The place of a claim: a member of the payload, or of an object in it.
///
/// A text is read like this: with a colon, it is the name of one claim, since names with a namespace have one
/// (`https://shop.example/roles`, `cognito:groups`). Otherwise dots separate the names of a path (`realm_access.roles`).
/// [`ClaimPath::of`] takes the names one by one, for a name with a dot and no colon, or for a path with a colon.
///
/// ```
/// use auth::ClaimPath;
///
/// assert_eq!(ClaimPath::from("realm_access.roles"), ClaimPath::of(["realm_access", "roles"]));
/// assert_eq!(ClaimPath::from("https://shop.example/roles"), ClaimPath::of(["https://shop.example/roles"]));
/// assert_ne!(ClaimPath::from("shop.example"), ClaimPath::of(["shop.example"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    first: Box<str>,
    rest: Box<[Box<str>]>,
}

impl ClaimPath {
    /// The path of these names, from the outermost object inwards. Without a name, a path that no token has: the claim of the empty
    /// name.
    #[must_use]
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut names = names.into_iter().map(Box::from);
        Self {
            first: names.next().unwrap_or_default(),
            rest: names.collect(),
        }
    }

    /// Whether this is the claim of this name.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.rest.is_empty() && *self.first == *name
    }

    pub(crate) fn first(&self) -> &str {
        &self.first
    }

    pub(crate) fn rest(&self) -> impl Iterator<Item = &str> {
        self.rest.iter().map(Box::as_ref)
    }
}

#[cfg(feature = "testing")]
impl ClaimPath {
    /// The name of the claim in the innermost object.
    pub(crate) fn last(&self) -> &str {
        self.rest.last().unwrap_or(&self.first)
    }

    /// The names of the objects that hold the claim.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        let names = std::iter::once(self.first()).chain(self.rest());
        names.take(self.rest.len())
    }
}

impl From<&str> for ClaimPath {
    fn from(text: &str) -> Self {
        if text.contains(':') {
            Self::of([text])
        } else {
            Self::of(text.split('.'))
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first)?;
        self.rest().try_for_each(|name| write!(f, ".{name}"))
    }
}
