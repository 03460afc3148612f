//! Every method, URL and handler of the service. Who may call stands in the handler's first argument.

pub(crate) mod audit_log;
pub(crate) mod change_me;
pub(crate) mod change_password;
pub(crate) mod change_user;
pub(crate) mod current_user;
pub(crate) mod delete_user;
pub(crate) mod end_session;
pub(crate) mod introspect;
pub(crate) mod keys;
pub(crate) mod list_users;
pub(crate) mod log_user_out;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logout_all;
pub(crate) mod me;
pub(crate) mod metadata;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod service_token;
pub(crate) mod sessions;
pub(crate) mod show_user;
pub(crate) mod verify;

use auth::Routes;

pub(crate) use self::metadata::Published;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/auth/register", register::register) // Anyone
        .post("/auth/login", login::login) // Anyone
        .post("/auth/refresh", refresh::refresh) // Anyone who shows a refresh token
        .post("/auth/logout", logout::logout) // CurrentUser, or who shows a refresh token
        .post("/auth/logout-all", logout_all::logout_all) // VerifyToken
        .post("/auth/verify", verify::verify) // Anyone
        .get("/auth/current-user", current_user::current_user) // CurrentUser
        .get("/auth/sessions", sessions::sessions) // VerifyToken
        .delete("/auth/sessions/{id}", end_session::end_session) // VerifyToken: whose it is
        .put("/auth/password", change_password::change_password) // VerifyToken
        .get("/users/me", me::me) // VerifyToken
        .patch("/users/me", change_me::change_me) // VerifyToken
        .get("/admin/users", list_users::list_users) // HasScope<UsersRead>
        .get("/admin/users/{id}", show_user::show_user) // HasScope<UsersRead>
        .patch("/admin/users/{id}", change_user::change_user) // IsAdmin
        .delete("/admin/users/{id}", delete_user::delete_user) // IsAdmin
        .post("/admin/users/{id}/logout", log_user_out::log_user_out) // IsAdmin
        .get("/admin/audit-log", audit_log::audit_log) // IsAdmin
        .get("/admin/keys", keys::keys) // IsAdmin
        .post("/oauth/token", service_token::service_token) // Client
        .post("/oauth/introspect", introspect::introspect) // Client
        .post("/oauth/revoke", revoke::revoke) // Client
        .get("/.well-known/jwks.json", metadata::jwks) // Anyone
        .get(
            "/.well-known/oauth-authorization-server",
            metadata::authorization_server,
        ) // Anyone
}
