//! Every method, URL and handler of the service. Who may call stands in the handler's first argument.

pub(crate) mod change_me;
pub(crate) mod current_user;
pub(crate) mod introspect;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod metadata;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod service_token;

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
        .get("/auth/current-user", current_user::current_user) // CurrentUser
        .get("/users/me", me::me) // VerifyToken
        .patch("/users/me", change_me::change_me) // VerifyToken
        .post("/oauth/token", service_token::service_token) // Client
        .post("/oauth/introspect", introspect::introspect) // Client
        .post("/oauth/revoke", revoke::revoke) // Client
        .get("/.well-known/jwks.json", metadata::jwks) // Anyone
        .get("/.well-known/oauth-authorization-server", metadata::authorization_server) // Anyone
}
