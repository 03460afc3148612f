//! Sessions of users, and their logouts.

use crate::Failure;
use crate::platform::Platform;
use crate::users::User;
use crate::wire::{Wire, post};

/// user-service ends a user's oldest session when there are more.
const PER_USER: usize = 100;

/// A session that has not ended.
#[derive(Debug)]
pub(super) struct Session {
    pub token: String,
}

/// Opens this number of sessions.
pub(super) async fn open(platform: &Platform, count: usize) -> Result<Vec<Session>, Failure> {
    let mut wire = Wire::open(platform.port("user-service")?).await?;
    let users = User::register(platform, count.div_ceil(PER_USER)).await?;
    let mut sessions = Vec::new();
    for number in 0..count {
        let user = users.get(number / PER_USER).ok_or("too few users")?;
        let token = user.log_in(&mut wire).await?.access_token;
        sessions.push(Session { token });
    }
    Ok(sessions)
}

impl Session {
    /// Logs out by the access token alone.
    pub(super) async fn log_out(&self, wire: &mut Wire) -> Result<(), Failure> {
        let lines = format!(
            "content-type: application/json\r\nauthorization: Bearer {}",
            self.token
        );
        match wire
            .send(&post("/auth/logout", &lines, r#"{"refresh_token": ""}"#))
            .await?
            .status
        {
            204 => Ok(()),
            status => Err(format!("a logout got status {status}").into()),
        }
    }
}
