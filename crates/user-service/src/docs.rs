//! The OpenAPI descriptions of the handlers. A test requires that this list equals the routes.

use utoipa::OpenApi;

use crate::routes::{
    audit_log, change_me, change_password, change_user, current_user, delete_user, end_session,
    forgot_password, held_keys, identities, introspect, keys, link_identity, list_users, log_user_out, login,
    logout, logout_all, mail_pages, me, metadata, provider_callback, provider_login, providers, refresh,
    register, resend_verification, reset_password, revocations, revoke, rotate_keys, service_token, sessions,
    show_user, unlink_identity, verify, verify_email,
};

#[derive(OpenApi)]
#[openapi(
    tags(
        (name = "auth", description = "Registration, login, sessions and passwords."),
        (name = "users", description = "The caller's own data."),
        (name = "admin", description = "Users, the audit log and the signing keys. For support and admins."),
        (name = "oauth", description = "Service tokens, introspection and revocation (RFC 6749, 7662 and 7009). For registered clients."),
        (name = "internal", description = "The revocation feed and the keys of verifiers. For services."),
        (name = "metadata", description = "The public keys and the endpoints, for clients and verifiers."),
    ),
    info(description = "Users: registration, login, sessions, and the keys that sign their tokens."),
    paths(
        register::register,
        login::login,
        refresh::refresh,
        logout::logout,
        logout_all::logout_all,
        verify::verify,
        current_user::current_user,
        sessions::sessions,
        end_session::end_session,
        change_password::change_password,
        providers::providers,
        provider_login::provider_login,
        provider_callback::provider_callback,
        forgot_password::forgot_password,
        mail_pages::reset_password_page,
        reset_password::reset_password,
        mail_pages::verify_email_page,
        verify_email::verify_email,
        resend_verification::resend_verification,
        me::me,
        change_me::change_me,
        identities::identities,
        link_identity::link_identity,
        unlink_identity::unlink_identity,
        list_users::list_users,
        show_user::show_user,
        change_user::change_user,
        delete_user::delete_user,
        log_user_out::log_user_out,
        audit_log::audit_log,
        keys::keys,
        rotate_keys::rotate_keys,
        service_token::service_token,
        introspect::introspect,
        revoke::revoke,
        revocations::revocations,
        held_keys::held_keys,
        metadata::jwks,
        metadata::authorization_server,
    )
)]
struct Handlers;

/// The OpenAPI document of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
