//! The broker of the revocation feed.

use auth::nats::NatsUrl;
use secrecy::ExposeSecret as _;

use super::env::Env;

/// Reads the URL of the broker over which the revocation feed is published (`NATS_URL`). `None` if there is no broker.
pub fn read_nats_url(env: &mut Env) -> Option<NatsUrl> {
    let text = env.secret("NATS_URL")?;
    let url = text.expose_secret().parse();
    if url.is_err() {
        env.problem("NATS_URL", format!("must be {}", NatsUrl::FORM));
    }
    url.ok()
}
