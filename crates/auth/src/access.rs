//! The types that a handler's first argument can have, each of which says who may call.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};

use crate::policy::Policy;
use crate::principal::{Principal, Service, User};
use crate::refusal::AuthError;
use crate::request;

/// A type that says who may call. [`Routes`](crate::Routes) asks it before anything else is done with a request.
pub trait Access: FromRequest {
    /// The rule.
    const POLICY: Policy<'static>;
}

/// A role, as a type: what [`HasRole`] and [`AnyRole`] ask for. See [`roles!`](crate::roles).
pub trait Role: 'static {
    /// The role's name, as tokens carry it.
    const NAME: &'static str;
}

/// Several roles: a tuple of up to four [`Role`]s.
pub trait AnyOf: 'static {
    /// Their names.
    const NAMES: &'static [&'static str];
}

/// A scope, as a type: what [`HasScope`] asks for. See [`scopes!`](crate::scopes).
pub trait Scope: 'static {
    /// The scope, as tokens carry it.
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
///     /// Answers people's questions.
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
///     /// May read everybody's orders.
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
    /// May do everything.
    pub Admin = "admin";
    /// May look, to help people.
    pub Support = "support";
}

/// Lets everyone in; no credential is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

/// Lets everyone in, and says who it is where a good token tells: a bad one counts as none.
#[derive(Clone, Debug)]
pub struct CurrentUser(pub Option<User>);

/// Lets in any user with a valid token.
#[derive(Clone, Debug)]
pub struct VerifyToken(pub User);

/// Lets in users with the role `admin`.
#[derive(Clone, Debug)]
pub struct IsAdmin(pub User);

/// Lets in services with a token for this audience. Which of them may, the handler says: `caller.is("order-service")`.
#[derive(Clone, Debug)]
pub struct IsService(pub Service);

/// Lets in users with this role.
pub struct HasRole<R>(User, PhantomData<R>);

/// Lets in users with at least one of these roles: `AnyRole<(Support, Admin)>`.
pub struct AnyRole<R>(User, PhantomData<R>);

/// Lets in users whose token carries this scope.
pub struct HasScope<S>(User, PhantomData<S>);

macro_rules! holds_a_user {
    ($($name:ident),+) => {$(
        impl<T> Deref for $name<T> {
            type Target = User;

            fn deref(&self) -> &User {
                &self.0
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    )+};
}
holds_a_user!(HasRole, AnyRole, HasScope);

/// What a decision yields: at once where the route list or a middleware asked before, else after verifying.
pub type Decision<T> = Either<Ready<Result<T, AuthError>>, LocalBoxFuture<'static, Result<T, AuthError>>>;

/// Makes a type an extractor with a policy, given how it is made of the principal that the policy let in.
macro_rules! access {
    ($([$($generics:tt)*] $type:ty: $policy:expr, $make:expr;)+) => {$(
        impl<$($generics)*> FromRequest for $type {
            type Error = AuthError;
            type Future = Decision<Self>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let make: fn(Option<Principal>) -> Option<Self> = $make;
                // A policy lets in only principals that its type can be made of.
                let finish = move |let_in: Result<Option<Principal>, AuthError>| {
                    let_in.and_then(|principal| make(principal).ok_or(AuthError::Forbidden { scope: None }))
                };
                if let Some(decided) = request::admitted(Self::POLICY, request) {
                    return Either::Left(ready(finish(decided)));
                }
                let request = request.clone();
                Either::Right(Box::pin(async move { finish(request::admit(Self::POLICY, &request).await) }))
            }
        }

        impl<$($generics)*> Access for $type {
            const POLICY: Policy<'static> = $policy;
        }
    )+};
}

access! {
    [] Anyone: Policy::Anyone, |_| Some(Self);
    [] CurrentUser: Policy::Optional, |principal| Some(Self(user(principal)));
    [] VerifyToken: Policy::User, |principal| user(principal).map(Self);
    [] IsAdmin: Policy::AnyRole(&[Admin::NAME]), |principal| user(principal).map(Self);
    [] IsService: Policy::Service, |principal| service(principal).map(Self);
    [R: Role] HasRole<R>: Policy::AnyRole(&[R::NAME]), |principal| user(principal).map(|user| Self(user, PhantomData));
    [R: AnyOf] AnyRole<R>: Policy::AnyRole(R::NAMES), |principal| user(principal).map(|user| Self(user, PhantomData));
    [S: Scope] HasScope<S>: Policy::Scope(S::NAME), |principal| user(principal).map(|user| Self(user, PhantomData));
}

fn user(principal: Option<Principal>) -> Option<User> {
    match principal {
        Some(Principal::User(user)) => Some(user),
        Some(Principal::Service(_)) | None => None,
    }
}

fn service(principal: Option<Principal>) -> Option<Service> {
    match principal {
        Some(Principal::Service(service)) => Some(service),
        Some(Principal::User(_)) | None => None,
    }
}
