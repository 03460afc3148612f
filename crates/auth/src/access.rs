//! Extractors: the types of a handler's first argument, each of which says who may call.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};

use crate::authenticate::{check, check_known_outcome, refuse};
use crate::error::AuthError;
use crate::markers::{Admin, AnyOf, Role, Scope, ServiceName};
use crate::policy::Policy;
use crate::principal::{Principal, Service, User};

/// An extractor that says who may call. [`Routes`](crate::Routes) applies the extractor's policy before it reads the body or
/// runs other extractors, except for [`Policy::Custom`].
pub trait Access: FromRequest {
    /// The rule that says who may call.
    const POLICY: Policy;
}

/// Admits everyone, without checking a credential.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

/// Admits everyone, and holds the user if the request has a user's valid token. A few requests are still refused: see
/// [`Policy::Optional`].
#[derive(Clone, Debug)]
pub struct CurrentUser(pub Option<User>);

/// Admits any user with a valid token. A service's valid token is not enough: it gets 403.
#[derive(Clone)]
pub struct VerifyToken(pub User);

/// Admits users with the role `admin`.
#[derive(Clone)]
pub struct IsAdmin(pub User);

/// Admits users with this role.
pub struct HasRole<R>(User, PhantomData<R>);

/// Admits users with at least one of these roles: `AnyRole<(Support, Admin)>`.
pub struct AnyRole<R>(User, PhantomData<R>);

/// Admits users whose token has this scope.
pub struct HasScope<S>(User, PhantomData<S>);

/// Admits any service, if its token is addressed to the service that verifies it (`aud`). [`FromService`] admits only one
/// named service.
#[derive(Clone)]
pub struct IsService(pub Service);

/// Admits one named service, if its token is addressed to the service that verifies it (`aud`). Other services get 403.
///
/// ```
/// use auth::FromService;
///
/// auth::services! {
///     /// Takes customers' orders.
///     pub OrderService = "order-service";
/// }
///
/// async fn reserve(caller: FromService<OrderService>) -> String {
///     format!("reserved for {}", caller.name())
/// }
/// ```
pub struct FromService<S>(Service, PhantomData<S>);

/// Implements the methods of the principal for these extractors, and a method that returns the principal itself.
macro_rules! impl_principal_access {
    ($principal:ident, $into_principal:ident: $($name:ident $(<$parameter:ident>)?),+) => {$(
        impl $(<$parameter>)? $name $(<$parameter>)? {
            #[doc = concat!("The [`", stringify!($principal), "`] that is calling.")]
            #[must_use]
            pub fn $into_principal(self) -> $principal {
                self.0
            }
        }

        impl $(<$parameter>)? Deref for $name $(<$parameter>)? {
            type Target = $principal;

            fn deref(&self) -> &$principal {
                &self.0
            }
        }

        impl $(<$parameter>)? fmt::Debug for $name $(<$parameter>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    )+};
}
impl_principal_access!(User, into_user: VerifyToken, IsAdmin, HasRole<R>, AnyRole<R>, HasScope<S>);
impl_principal_access!(Service, into_service: IsService, FromService<S>);

/// The future of an extractor. It is ready if the request is authenticated already, and otherwise pending until the request's
/// token is verified.
pub type AccessFuture<T> = Either<Ready<Result<T, Error>>, LocalBoxFuture<'static, Result<T, Error>>>;

/// Implements [`Access`] for a type. The arguments are the type's policy, and a function that makes a value of the type from
/// the principal that the policy admits.
macro_rules! access {
    ($([$($generics:tt)*] $type:ty: $policy:expr, $make:expr;)+) => {$(
        impl<$($generics)*> FromRequest for $type {
            type Error = Error;
            type Future = AccessFuture<Self>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let make: fn(Option<Principal>) -> Option<Self> = $make;
                // The policy admits only principals that `make` accepts; `Forbidden` is a safe default.
                let finish = move |admitted: Result<Option<Principal>, AuthError>, request: &HttpRequest| {
                    admitted
                        .and_then(|principal| make(principal).ok_or(AuthError::Forbidden { scope: None }))
                        .map_err(|error| refuse(error, request))
                };
                if let Some(admitted) = check_known_outcome(Self::POLICY, request) {
                    return Either::Left(ready(finish(admitted, request)));
                }
                let request = request.clone();
                Either::Right(Box::pin(async move { finish(check(Self::POLICY, &request).await.admitted, &request) }))
            }
        }

        impl<$($generics)*> Access for $type {
            const POLICY: Policy = $policy;
        }
    )+};
}

access! {
    [] Anyone: Policy::Anyone, |_| Some(Self);
    [] CurrentUser: Policy::Optional, |principal| Some(Self(user(principal)));
    [] VerifyToken: Policy::User, |principal| user(principal).map(Self);
    [] IsAdmin: Policy::AnyRole(&[Admin::NAME]), |principal| user(principal).map(Self);
    [R: Role] HasRole<R>: Policy::AnyRole(&[R::NAME]), |principal| user(principal).map(|user| Self(user, PhantomData));
    [R: AnyOf] AnyRole<R>: Policy::AnyRole(R::NAMES), |principal| user(principal).map(|user| Self(user, PhantomData));
    [S: Scope] HasScope<S>: Policy::Scope(S::NAME), |principal| user(principal).map(|user| Self(user, PhantomData));
    [] IsService: Policy::AnyService, |principal| service(principal).map(Self);
    [S: ServiceName] FromService<S>: Policy::Service(S::NAME), |principal| {
        service(principal).map(|service| Self(service, PhantomData))
    };
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
