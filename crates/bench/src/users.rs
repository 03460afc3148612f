//! Users of a platform, and their requests to user-service.

use serde_json::{Value, json};

use crate::Failure;
use crate::platform::Platform;
use crate::wire::{Response, Wire, post_json};

const PASSWORD: &str = "correct horse battery";

/// A registered user.
#[derive(Debug)]
pub(crate) struct User {
    email: String,
}

/// A token pair.
#[derive(Debug)]
pub(crate) struct Pair {
    pub access_token: String,
    pub refresh_token: String,
}

impl User {
    /// Registers this number of users.
    pub(crate) async fn register(platform: &Platform, count: usize) -> Result<Vec<Self>, Failure> {
        let mut wire = Wire::open(platform.port("user-service")?).await?;
        let mut users = Vec::new();
        for number in 0..count {
            let email = format!("user-{number}@example.com");
            let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
            expect(201, &wire.send(&post_json("/auth/register", &body)).await?)?;
            users.push(Self { email });
        }
        Ok(users)
    }

    /// The login request.
    pub(crate) fn login(&self) -> String {
        post_json("/auth/login", &json!({"email": self.email, "password": PASSWORD}))
    }

    /// Logs the user in.
    pub(crate) async fn log_in(&self, wire: &mut Wire) -> Result<Pair, Failure> {
        let answer = wire.send(&self.login()).await?;
        expect(200, &answer)?;
        Pair::read(answer.body)
    }
}

impl Pair {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Failure> {
        let body: Value = serde_json::from_slice(body)?;
        let text = |field: &str| {
            let text = body.get(field).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or_else(|| format!("a response without {field}"))
        };
        Ok(Self {
            access_token: text("access_token")?,
            refresh_token: text("refresh_token")?,
        })
    }

    /// The refresh request.
    pub(crate) fn refresh(&self) -> String {
        post_json("/auth/refresh", &json!({"refresh_token": self.refresh_token}))
    }
}

fn expect(status: u16, answer: &Response<'_>) -> Result<(), Failure> {
    if answer.status == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(answer.body);
    Err(format!("status {} instead of {status}: {body}", answer.status).into())
}
