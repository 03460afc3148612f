//! Every URL of the service, with its handler. The first argument of a handler is its policy: it decides which callers are
//! admitted.

pub(crate) mod audit_log;
pub(crate) mod change_me;
pub(crate) mod change_password;
pub(crate) mod change_user;
pub(crate) mod current_user;
pub(crate) mod delete_user;
pub(crate) mod end_session;
pub(crate) mod forgot_password;
pub(crate) mod held_keys;
pub(crate) mod identities;
pub(crate) mod introspect;
pub(crate) mod keys;
pub(crate) mod link_identity;
pub(crate) mod list_users;
pub(crate) mod log_user_out;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logout_all;
pub(crate) mod mail_pages;
pub(crate) mod me;
pub(crate) mod metadata;
pub(crate) mod provider_callback;
pub(crate) mod provider_login;
pub(crate) mod providers;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod resend_verification;
pub(crate) mod reset_password;
pub(crate) mod revocations;
pub(crate) mod revoke;
pub(crate) mod rotate_keys;
pub(crate) mod service_token;
pub(crate) mod sessions;
pub(crate) mod show_user;
pub(crate) mod unlink_identity;
pub(crate) mod verify;
pub(crate) mod verify_email;

use auth::Routes;

use crate::cookies::{clear_after_logout, clear_unusable};

/// The routes of this service, without the routes that every service has.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/auth/register", register::register)
        .post("/auth/login", login::login)
        .post("/auth/refresh", refresh::refresh)
        .on_response(clear_unusable)
        .post("/auth/logout", logout::logout)
        .on_response(clear_after_logout)
        .post("/auth/logout-all", logout_all::logout_all)
        .post("/auth/verify", verify::verify)
        .get("/auth/current-user", current_user::current_user)
        .get("/auth/sessions", sessions::sessions)
        .delete("/auth/sessions/{id}", end_session::end_session)
        .put("/auth/password", change_password::change_password)
        .post("/auth/password/forgot", forgot_password::forgot_password)
        .get("/auth/password/reset", mail_pages::reset_password_page)
        .post("/auth/password/reset", reset_password::reset_password)
        .get("/auth/email/verify", mail_pages::verify_email_page)
        .post("/auth/email/verify", verify_email::verify_email)
        .post("/auth/email/resend", resend_verification::resend_verification)
        .get("/auth/providers", providers::providers)
        // After all other routes of this length, because it matches them, too.
        .get("/auth/{provider}", provider_login::provider_login)
        .get("/auth/{provider}/callback", provider_callback::provider_callback)
        .get("/users/me", me::me)
        .patch("/users/me", change_me::change_me)
        .get("/users/me/identities", identities::identities)
        .post("/users/me/identities", link_identity::link_identity)
        .delete("/users/me/identities/{id}", unlink_identity::unlink_identity)
        .get("/admin/users", list_users::list_users)
        .get("/admin/users/{id}", show_user::show_user)
        .patch("/admin/users/{id}", change_user::change_user)
        .delete("/admin/users/{id}", delete_user::delete_user)
        .post("/admin/users/{id}/logout", log_user_out::log_user_out)
        .get("/admin/audit-log", audit_log::audit_log)
        .get("/admin/keys", keys::keys)
        .post("/admin/keys/rotate", rotate_keys::rotate_keys)
        .post("/oauth/token", service_token::service_token)
        .post("/oauth/introspect", introspect::introspect)
        .post("/oauth/revoke", revoke::revoke)
        .get("/internal/revocations", revocations::revocations)
        .post("/internal/keys/held", held_keys::held_keys)
        .get("/.well-known/jwks.json", metadata::jwks)
        .get(
            "/.well-known/oauth-authorization-server",
            metadata::authorization_server,
        )
}
