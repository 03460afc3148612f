//! Checks that a gateway does what it is measured for.

use std::time::{Duration, Instant};

use super::backend::ECHO;
use super::load::Load;
use super::requests::PREFIX;
use super::tokens::forged;
use crate::Failure;
use crate::wire::get;

/// How long a gateway may take to fetch its keys.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Fails unless a valid token reaches the service with its user's id, and, if the gateway verifies tokens, unless it refuses requests
/// without a token and with a forged one, and replaces an id that the client sent.
pub(super) async fn check(load: &Load<'_>, token: &str, user: &str) -> Result<(), Failure> {
    let path = format!("{PREFIX}{ECHO}");
    let kind = load.contender.kind;
    if !kind.verifies() {
        let (status, _) = send(load, &get(&path, token)).await?;
        return expect(kind.name(), "a valid token", &(status, ""), &(200, ""));
    }
    wait_until_ready(load, &get(&path, token)).await?;
    let with_own_id = get(&path, token).replacen("\r\n", "\r\nx-user-id: client\r\n", 1);
    let no_token = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    for (what, request, status) in [
        ("a valid token", get(&path, token), 200),
        ("a client's own x-user-id", with_own_id, 200),
        ("no token", no_token, 401),
        ("a forged token", get(&path, &forged(token)), 401),
    ] {
        let (answered, body) = send(load, &request).await?;
        let seen = if status == 200 { body.as_str() } else { user };
        expect(kind.name(), what, &(answered, seen), &(status, user))?;
    }
    Ok(())
}

async fn wait_until_ready(load: &Load<'_>, request: &str) -> Result<(), Failure> {
    let started = Instant::now();
    while send(load, request).await?.0 != 200 && started.elapsed() < READY_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Sends on a new connection, because a refusal may end it.
async fn send(load: &Load<'_>, request: &str) -> Result<(u16, String), Failure> {
    let mut wire = load.open().await?;
    let response = wire.send(request).await?;
    Ok((
        response.status,
        String::from_utf8_lossy(response.body).into_owned(),
    ))
}

fn expect(name: &str, what: &str, found: &(u16, &str), expected: &(u16, &str)) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(
        format!("{name}: for {what}, status and x-user-id should be {expected:?}, and they are {found:?}")
            .into(),
    )
}
