//! Types that stand for roles, scopes and services, so that the type of a handler's argument can name them.

/// A role as a type, for [`HasRole`](crate::HasRole) and [`AnyRole`](crate::AnyRole). Declare one with
/// [`roles!`](crate::roles).
pub trait Role: 'static {
    /// The role's name in tokens.
    const NAME: &'static str;
}

/// A tuple of one to four [`Role`]s, for [`AnyRole`](crate::AnyRole).
pub trait AnyOf: 'static {
    /// The roles' names in tokens.
    const NAMES: &'static [&'static str];
}

/// A scope as a type, for [`HasScope`](crate::HasScope). Declare one with [`scopes!`](crate::scopes).
pub trait Scope: 'static {
    /// The scope's name in tokens.
    const NAME: &'static str;
}

/// A service as a type, for [`FromService`](crate::FromService). Declare one with [`services!`](crate::services).
pub trait ServiceName: 'static {
    /// The service's name, which is the `sub` of its tokens.
    const NAME: &'static str;
}

macro_rules! any_of {
    ($($role:ident),+) => {
        impl<$($role: Role),+> AnyOf for ($($role,)+) {
            const NAMES: &'static [&'static str] = &[$($role::NAME),+];
        }
    };
}
any_of!(A);
any_of!(A, B);
any_of!(A, B, C);
any_of!(A, B, C, D);

/// Declares types that stand for roles.
///
/// ```
/// auth::roles! {
///     /// Answers customers' questions.
///     pub Support = "support";
/// }
/// # use auth::Role;
/// assert_eq!(Support::NAME, "support");
/// ```
#[macro_export]
macro_rules! roles {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $value:literal;)+) => {
        $crate::marker_types!($crate::Role: $($(#[$attribute])* $visibility $name = $value;)+);
    };
}

/// Declares types that stand for scopes.
///
/// ```
/// auth::scopes! {
///     /// May read the orders of all users.
///     pub OrdersReadAll = "orders:read-all";
/// }
/// # use auth::Scope;
/// assert_eq!(OrdersReadAll::NAME, "orders:read-all");
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $value:literal;)+) => {
        $crate::marker_types!($crate::Scope: $($(#[$attribute])* $visibility $name = $value;)+);
    };
}

/// Declares types that stand for services.
///
/// ```
/// auth::services! {
///     /// Takes customers' orders.
///     pub OrderService = "order-service";
/// }
/// # use auth::ServiceName;
/// assert_eq!(OrderService::NAME, "order-service");
/// ```
#[macro_export]
macro_rules! services {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $value:literal;)+) => {
        $crate::marker_types!($crate::ServiceName: $($(#[$attribute])* $visibility $name = $value;)+);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! marker_types {
    ($marker:path: $($(#[$attribute:meta])* $visibility:vis $name:ident = $value:literal;)+) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;
        impl $marker for $name {
            const NAME: &'static str = $value;
        }
    )+};
}

roles! {
    /// Administrators. A route that requires another role or a scope does not admit them, unless they have it too.
    pub Admin = "admin";
    /// May read what is needed to help customers.
    pub Support = "support";
}
