//! The tasks that run beside the requests.

use auth::Clock;
use db::Db;
use service_kit::Server;

use crate::cleanup;
use crate::feed::{Feed, Relay};
use crate::key_rotation::KeyRotation;
use crate::mail::MailWorker;

/// One value for each task, except for the cleanup, which has no state.
#[derive(Clone, Debug)]
pub(super) struct BackgroundTasks {
    pub(super) feed: Feed,
    pub(super) rotation: KeyRotation,
    pub(super) mails: MailWorker,
    /// Present if NATS is configured.
    pub(super) relay: Option<Relay>,
}

impl BackgroundTasks {
    /// Adds the tasks to a server, which restarts a task that fails.
    pub(super) fn add_to(self, server: Server, db: Db, clock: Clock) -> Server {
        let Self {
            feed,
            rotation,
            mails,
            relay,
        } = self;
        let server = server
            .background("revocation feed", move || feed.clone().run())
            .background("signing keys", move || rotation.clone().run())
            .background("cleanup", move || cleanup::run_cleanup(db.clone(), clock.clone()))
            .background("mail", move || mails.clone().run());
        match relay {
            Some(relay) => server.background("relay to NATS", move || relay.clone().run()),
            None => server,
        }
    }
}
