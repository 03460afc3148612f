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
pub(crate) mod introspect;
pub(crate) mod keys;
pub(crate) mod list_users;
pub(crate) mod log_user_out;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logout_all;
pub(crate) mod mail_pages;
pub(crate) mod me;
pub(crate) mod metadata;
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
pub(crate) mod verify;
pub(crate) mod verify_email;

use auth::Routes;

/// The routes of this service, without the routes that every service has.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/auth/register", register::register)
        .post("/auth/login", login::login)
        .post("/auth/refresh", refresh::refresh)
        .post("/auth/logout", logout::logout)
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
        .get("/users/me", me::me)
        .patch("/users/me", change_me::change_me)
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
