//! Runs a service in each strategy (`AUTH_STRATEGY`), and sends it forged identities.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use actix_web::http::Method;
use auth::IDENTITY_HEADER;
use auth::testing::{Issuer, TestToken};
use service_kit::{AuthStrategy, IntrospectionClient, KeySource, UserAuthentication};

use crate::service::TestService;

/// All strategies.
pub const ALL: [AuthStrategy; 3] = [
    AuthStrategy::Local,
    AuthStrategy::Introspect,
    AuthStrategy::Gateway,
];

/// The settings of the service of this name in this strategy. With `introspect`, a fake user-service calls every token active.
pub fn users(strategy: AuthStrategy, issuer: &Issuer, service: &str) -> UserAuthentication {
    match strategy {
        AuthStrategy::Local => UserAuthentication::AccessTokens,
        AuthStrategy::Introspect => UserAuthentication::ConfirmedAccessTokens(IntrospectionClient {
            url: introspection_url(),
            name: service.to_owned(),
            secret: "not-a-secret".into(),
        }),
        AuthStrategy::Gateway => {
            UserAuthentication::IdentityTokens(KeySource::Fixed(issuer.gateway_key_set()))
        }
    }
}

/// Requires that a route for users admits an admin in this strategy, and refuses each forged identity.
pub async fn check(
    strategy: AuthStrategy,
    service: &TestService,
    name: &str,
    (method, path): (&Method, &str),
) {
    let issuer = service.issuer();
    let admin = || service.user_token("admin", &["user", "admin"]);
    let identity = || admin().identity_for(name).token();
    let send = async |headers: &[(&str, String)]| {
        let client = service.anonymous().clone();
        let client = headers
            .iter()
            .fold(client, |client, (name, value)| client.with(name, value));
        client.send(method, path, |request| request).await
    };

    let is_gateway = strategy == AuthStrategy::Gateway;
    let valid = if is_gateway {
        (IDENTITY_HEADER, identity())
    } else {
        bearer(&admin())
    };
    let admitted = send(&[valid]).await;
    let refusals = [401, 403, 503];
    assert!(!refusals.contains(&admitted.status), "{strategy:?}: {admitted:?}");

    let id = ("x-user-id", admin().claims().sub.clone());
    let role = ("x-user-role", "admin".to_owned());
    let roles = ("x-user-roles", "user,admin".to_owned());
    send(&[id.clone(), role.clone(), roles.clone()])
        .await
        .assert_problem(401, "no_token");

    let code = if is_gateway { "invalid_token" } else { "no_token" };
    for forged in [
        "admin".to_owned(),
        admin().token(),
        issuer.as_service("order-service").token(),
        admin().identity_for("another-service").token(),
        admin().identity_for(name).signed_by_a_stranger().token(),
        Issuer::new(name).as_admin().identity_for(name).token(),
    ] {
        send(&[(IDENTITY_HEADER, forged), id.clone(), role.clone()])
            .await
            .assert_problem(401, code);
    }
    let refused_bearer = if is_gateway {
        bearer(&admin())
    } else {
        ("authorization", format!("Bearer {}", identity()))
    };
    send(&[refused_bearer, role])
        .await
        .assert_problem(401, "invalid_token");
    if is_gateway {
        send(&[(IDENTITY_HEADER, identity()), (IDENTITY_HEADER, identity())])
            .await
            .assert_problem(400, "invalid_request");
    } else {
        send(&[(IDENTITY_HEADER, identity())])
            .await
            .assert_problem(401, "no_token");
    }
}

fn bearer(token: &TestToken) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token.token()))
}

/// Starts an introspection endpoint that calls every token active. It runs until the process ends.
fn introspection_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // A service may close its connection.
            std::thread::spawn(move || connection.and_then(|connection| call_active(&connection)));
        }
    });
    format!("http://{address}/oauth/introspect")
}

/// Answers each request of a connection.
fn call_active(mut connection: &TcpStream) -> std::io::Result<()> {
    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"active\":true}";
    let mut reader = BufReader::new(connection);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        connection.write_all(RESPONSE)?;
    }
}
