//! How a user logs in.

/// How a user logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginMethod<'m> {
    /// With a password.
    Password,
    /// With an account of the provider of this name.
    Provider(&'m str),
}

impl<'m> LoginMethod<'m> {
    /// The name in lists of sessions. No provider has the name `password`, because that is a segment of other routes.
    pub(crate) fn name(self) -> &'m str {
        match self {
            Self::Password => "password",
            Self::Provider(name) => name,
        }
    }
}
