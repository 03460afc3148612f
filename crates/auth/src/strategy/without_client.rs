//! Stand-ins for the clients of an authorization server, in a build without the feature `client`: types that have no values.

use std::convert::Infallible;

/// There is no introspection endpoint to ask.
#[derive(Debug)]
pub(crate) enum Introspection {}

impl Introspection {
    #[expect(clippy::unused_async, reason = "like the function that asks")]
    pub async fn is_active(&self, _: &[u8]) -> Result<bool, Infallible> {
        match *self {}
    }
}

/// There is no feed to follow.
#[derive(Debug)]
pub(crate) enum FeedTask {}

impl FeedTask {
    pub fn events(&self) -> u64 {
        match *self {}
    }

    pub fn connections(&self) -> u64 {
        match *self {}
    }

    pub fn is_over_nats(&self) -> bool {
        match *self {}
    }
}
