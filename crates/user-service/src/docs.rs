//! What the handlers say of themselves, for the OpenAPI document. A test holds this list equal to the routes.

use utoipa::OpenApi;

use crate::routes::{
    change_me, current_user, introspect, login, logout, me, metadata, refresh, register, revoke,
    service_token,
};

#[derive(OpenApi)]
#[openapi(
    info(
        description = "Who people are: registration, login, sessions, and the keys that sign their tokens."
    ),
    paths(
        register::register,
        login::login,
        refresh::refresh,
        logout::logout,
        current_user::current_user,
        me::me,
        change_me::change_me,
        service_token::service_token,
        introspect::introspect,
        revoke::revoke,
        metadata::jwks,
        metadata::authorization_server,
    )
)]
struct Handlers;

/// The handlers' own description.
#[must_use]
pub fn handlers() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
