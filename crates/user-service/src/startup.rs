//! Connects the parts of the service and runs the service.

mod background;
mod comparison_keys;

use std::error::Error;
use std::future::{Ready, ready};

use auth::Clock;
use db::Db;
use service_kit::{KeySource, Runtime, Server};

use self::background::BackgroundTasks;
use crate::config::Config;
use crate::cookies::{SessionCookies, access_cookie};
use crate::domain::{NAME, SuccessorKey, announced_until};
use crate::feed::Feed;
use crate::key_rotation::KeyRotation;
use crate::mail::{MailWorker, Outbox};
use crate::oauth::Clients;
use crate::openid::{OpenId, PendingLoginCookie, Providers};
use crate::passwords::hashing::Hashing;
use crate::passwords::{Passwords, Throttle};
use crate::random;
use crate::routes::metadata::Metadata;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::sessions::rotation::RotationQueue;
use crate::store::{MIGRATIONS, SecretRows};
use crate::tokens::{IssuedTokenVerifier, KeyEncryptionKey, SealingKeys, SigningKeys, TokenIssuer};
use crate::{admin, docs, routes};

/// Runs the service until it is asked to stop.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let clock = runtime.clock.clone();
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    comparison_keys::bring_up_to_date(&db).await?;
    let sealing_keys = SealingKeys {
        current: config.key_encryption_key.clone(),
        previous: config.previous_key_encryption_key.clone(),
    };
    let (keys, is_replaced) = signing_keys(&config, &runtime, &db, &sealing_keys).await?;
    let clients = Clients::sync(&db, &config.registry, &config.clients, clock.now()).await?;
    let sessions = sessions(&config, &runtime, &db, &sealing_keys, &keys).await?;
    // Before the first request is accepted, so that no revoked token is accepted.
    sessions.feed.load().await?;
    if is_replaced {
        announce_keys(&sessions, &db, &clock).await?;
    }
    let passwords = Passwords {
        hashing: Hashing::start(&config.hashing)?,
        throttle: Throttle::new(config.allowed_login_failures),
    };
    admin::ensure_first_admin(&db, &passwords, &sessions, config.first_admin.as_ref(), &clock).await?;

    // This service verifies tokens like every other service, but reads the keys from its database.
    let cookie = access_cookie(&config.auth.cookies);
    let verifier = config
        .auth
        .verifier_with(NAME, &runtime, keys.verification().clone(), cookie)?;
    let openid = openid(&config, &db, &sealing_keys, &clock).await?;
    let tasks = background_tasks(&config, &runtime, &db, &sessions)?;
    let (rotation, mails) = (tasks.rotation.clone(), tasks.mails.clone());
    let server = Server::new(NAME, routes::routes, docs::openapi())
        .verifier(verifier.clone())
        .database(db.clone())
        .data(clock.clone())
        .data(passwords)
        .data(config.trusted_proxies)
        .data(SessionCookies::new(config.auth.cookies))
        .data(clients)
        .data(IssuedTokenVerifier {
            verifier,
            registry: config.registry,
            audience: config.auth.audience,
        })
        .data(sessions.token_issuer.clone())
        .data(sessions.feed.clone())
        .data(sessions.outbox.clone())
        .data(sessions)
        .data(Metadata::new(
            &config.auth.issuer,
            &config.public_url,
            &config.own_url,
        ))
        .data(openid)
        .ready_when("signing key", signs_with_active_key(&keys))
        .data(keys)
        .data(rotation.clone())
        .data(runtime.shutdown.clone());
    let server = tasks.add_to(server, db.clone(), clock);
    server.run(runtime.listener, runtime.shutdown).await?;
    mails.finish().await;
    rotation.leave().await;
    db.close().await;
    Ok(())
}

/// The sessions, and what they need: the issuer of tokens, the feed of revocations, and the outbox of mails.
async fn sessions(
    config: &Config,
    runtime: &Runtime,
    db: &Db,
    sealing_keys: &SealingKeys,
    keys: &SigningKeys,
) -> Result<Sessions, Box<dyn Error>> {
    let clock = runtime.clock.clone();
    let token_issuer = TokenIssuer {
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience.clone(),
        lifetime: config.lifetimes.access,
        roles: config.roles.clone(),
        keys: keys.clone(),
    };
    let successor_key = stored_secret(db, sealing_keys, "refresh-token successors").await?;
    Ok(Sessions {
        token_issuer,
        lifetimes: config.lifetimes,
        successor_key: SuccessorKey::new(&successor_key),
        rotations: RotationQueue::start(db.clone(), config.lifetimes, clock.clone()),
        feed: Feed::new(db.clone(), runtime.revocations.clone(), clock).with_keys(keys.clone()),
        outbox: Outbox::default(),
    })
}

fn background_tasks(
    config: &Config,
    runtime: &Runtime,
    db: &Db,
    sessions: &Sessions,
) -> Result<BackgroundTasks, Box<dyn Error>> {
    let (clock, shutdown) = (runtime.clock.clone(), runtime.shutdown.clone());
    let relay = |url| sessions.feed.relay(url, config.lifetimes);
    let outbox = sessions.outbox.clone();
    Ok(BackgroundTasks {
        feed: sessions.feed.clone(),
        rotation: KeyRotation::new(db.clone(), sessions.clone(), clock.clone()),
        mails: MailWorker::new(&config.mail, db.clone(), outbox, clock, shutdown)?,
        relay: config.nats.clone().map(relay),
    })
}

/// The readiness check of the signing key.
fn signs_with_active_key(keys: &SigningKeys) -> impl Fn() -> Ready<bool> + Send + Sync + 'static {
    let keys = keys.clone();
    move || ready(keys.signs_with_active_key())
}

/// The keys from the database, or the shared secret if one is configured. Also returns whether the active key was replaced.
async fn signing_keys(
    config: &Config,
    runtime: &Runtime,
    db: &Db,
    sealing_keys: &SealingKeys,
) -> Result<(SigningKeys, bool), Box<dyn Error>> {
    if let KeySource::Secret(secret) = &config.auth.keys {
        tracing::warn!("JWT_SECRET is set: every service that has it can sign tokens for anyone");
        return Ok((SigningKeys::of_shared_secret(secret), false));
    }
    let loaded = SigningKeys::load_or_create(
        db.clone(),
        sealing_keys.clone(),
        config.signing_algorithm,
        config.lifetimes.access,
        runtime.clock.now(),
    );
    Ok(loaded.await?)
}

/// Announces that this process has replaced the active key: no verifier and no other replica has the new one yet.
async fn announce_keys(sessions: &Sessions, db: &Db, clock: &Clock) -> Result<(), sqlx::Error> {
    let expires_at = announced_until(clock.now()).timestamp();
    let announce = async |tx: &mut RevokingTx<'_>| {
        tx.announce_keys(expires_at);
        Ok(())
    };
    sessions.transaction(db, announce).await
}

/// A secret of this service, which is generated once and stored sealed.
async fn stored_secret(db: &Db, sealing_keys: &SealingKeys, name: &str) -> Result<[u8; 32], Box<dyn Error>> {
    let fresh: [u8; 32] = random::bytes()?;

    let mut tx = db.begin().await?;
    let stored = SecretRows(&mut tx)
        .get_or_add(name, &sealing_keys.seal(name, &fresh)?)
        .await?;
    let opened = sealing_keys.open(name, &stored)?;
    if let Some(resealed) = opened.resealed {
        SecretRows(&mut tx).reseal(name, &resealed).await?;
    }
    tx.commit().await?;
    opened
        .secret
        .try_into()
        .map_err(|_| "a stored secret does not have 32 bytes".into())
}

/// Logging in at providers. The cookies have a separate key, because any client can request any number of them.
async fn openid(
    config: &Config,
    db: &Db,
    sealing_keys: &SealingKeys,
    clock: &Clock,
) -> Result<OpenId, Box<dyn Error>> {
    let keys = SealingKeys {
        current: KeyEncryptionKey::new(stored_secret(db, sealing_keys, "cookies of pending logins").await?),
        previous: None,
    };
    Ok(OpenId {
        providers: Providers::new(config.providers.clone(), &config.public_url, clock)?,
        cookie: PendingLoginCookie::new(keys, &config.auth.cookies),
        session_cookies: SessionCookies::new(config.auth.cookies.clone()),
        public_url: config.public_url.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use auth::Revocation;
    use auth::testing::Issuer;
    use test_kit::{TestDatabase, TestRuntime, TestService};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::store::RevocationRows;

    const TICK: Duration = Duration::from_millis(1);

    async fn wait_until(condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                sleep(TICK).await;
            }
        };
        timeout(Duration::from_secs(20), wait)
            .await
            .expect("within 20 seconds");
    }

    #[actix_web::test]
    async fn a_revocation_feed_that_panics_is_restarted_and_misses_no_revocation() {
        let (issuer, database) = (Issuer::new(NAME), TestDatabase::new().await);
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let user = issuer.as_user().user();
        let (starts, has_panicked) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let poll = {
            let feed = Feed::new(db.clone(), issuer.revocations().clone(), issuer.clock().clone());
            let (starts, has_panicked) = (Rc::clone(&starts), Rc::clone(&has_panicked));
            move || {
                starts.set(starts.get() + 1);
                let poll = Box::pin(feed.clone().run());
                let (is_first, has_panicked) = (starts.get() == 1, Rc::clone(&has_panicked));
                async move {
                    if is_first {
                        drop(timeout(TICK * 50, poll).await);
                        has_panicked.set(true);
                        panic!("the first run of the feed");
                    }
                    poll.await;
                }
            }
        };
        let _service = TestService::spawn_on(issuer.clone(), database, |TestRuntime { runtime, .. }| {
            let server =
                Server::new(NAME, routes::routes, docs::openapi()).background("revocation feed", poll);
            async { Ok(server.run(runtime.listener, runtime.shutdown).await?) }
        });

        // Another replica revokes the user's tokens while the feed is down.
        wait_until(|| has_panicked.get()).await;
        let revocation = Revocation::User {
            id: user.id(),
            epoch: user.epoch().unwrap() + 1,
            expires_at: issuer.clock().unix() + 900,
        };
        let mut tx = db.begin().await.unwrap();
        RevocationRows(&mut tx).add(&[revocation.into()]).await.unwrap();
        tx.commit().await.unwrap();

        wait_until(|| issuer.revocations().revokes(&user)).await;
        assert_eq!(starts.get(), 2);
    }
}
