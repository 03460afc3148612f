//! Puts the service together and runs it.

use std::error::Error;

use db::Db;
use service_kit::{KeySource, Roles, Runtime, Server};

use crate::config::Config;
use crate::domain::{NAME, Successors};
use crate::oauth::Clients;
use crate::passwords::hashing::Hashing;
use crate::passwords::{Passwords, Throttle};
use crate::random;
use crate::routes::metadata::Published;
use crate::sessions::Sessions;
use crate::sessions::rotation::RotationQueue;
use crate::store::{MIGRATIONS, Secrets};
use crate::tokens::{Seals, SigningKeys, TokenIssuer, load_or_create};
use crate::{admin, cleanup, docs, routes};

/// Runs the service until it is asked to stop.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let clock = runtime.clock.clone();
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    let seals = Seals {
        current: config.key_encryption_key.clone(),
        previous: config.previous_key_encryption_key.clone(),
    };
    let keys = signing_keys(&config, &runtime, &db, &seals).await?;
    let passwords = Passwords {
        hashing: Hashing::start(&config.hashing)?,
        throttle: Throttle::new(config.login_free_failures),
    };
    let clients = Clients::store(&db, &config.clients, clock.now()).await?;

    // This service verifies its own tokens as others do, but reads the keys from its database.
    let verifier = config.auth.verifier_with(NAME, &runtime, keys.verification);
    let tokens = TokenIssuer {
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience.clone(),
        lifetime: config.lifetimes.access,
        roles: Roles::built_in(),
        signer: keys.signer,
    };
    let sessions = Sessions {
        tokens: tokens.clone(),
        lifetimes: config.lifetimes,
        successors: successors(&db, &seals).await?,
        rotations: RotationQueue::start(db.clone(), config.lifetimes, clock.clone()),
        revocations: runtime.revocations,
    };
    admin::ensure_first_admin(&db, &passwords, &sessions, config.first_admin.as_ref(), &clock).await?;
    // Before the first request: a token that is revoked already must not be accepted.
    sessions.catch_up(&db, 0).await?;
    let polling = actix_web::rt::spawn(sessions.clone().poll_revocations(db.clone()));
    let cleaning = actix_web::rt::spawn(cleanup::run_cleanup(db.clone(), clock.clone()));

    let database = db.clone();
    let published = Published::new(
        &config.auth.issuer,
        &config.public_url,
        &config.own_url,
        keys.published,
    );
    Server::new(NAME, routes::routes, docs::handlers())
        .verifier(verifier)
        .data(db.clone())
        .data(clock)
        .data(passwords)
        .data(config.trusted_proxies)
        .data(clients)
        .data(tokens)
        .data(sessions)
        .data(published)
        .ready_when("database", move || database.clone().is_reachable())
        .run(runtime.listener, runtime.shutdown)
        .await?;
    polling.abort();
    cleaning.abort();
    db.close().await;
    Ok(())
}

/// The keys from the database, or the shared secret if one is configured.
async fn signing_keys(
    config: &Config,
    runtime: &Runtime,
    db: &Db,
    seals: &Seals,
) -> Result<SigningKeys, Box<dyn Error>> {
    if let KeySource::Secret(secret) = &config.auth.keys {
        tracing::warn!("JWT_SECRET is set: every service that has it can sign tokens for anyone");
        return Ok(SigningKeys::of_shared_secret(secret));
    }
    let (algorithm, lifetime) = (config.signing_algorithm, config.lifetimes.access);
    Ok(load_or_create(db, algorithm, lifetime, seals, runtime.clock.now()).await?)
}

/// The key from which the successors of refresh tokens are derived. It is generated once and stored sealed.
async fn successors(db: &Db, seals: &Seals) -> Result<Successors, Box<dyn Error>> {
    const NAME: &str = "refresh-token successors";
    let fresh: [u8; 32] = random::bytes()?;

    let mut tx = db.begin().await?;
    let stored = Secrets(&mut tx)
        .get_or_add(NAME, &seals.seal(NAME, &fresh)?)
        .await?;
    let opened = seals.open(NAME, &stored)?;
    if let Some(resealed) = opened.resealed {
        Secrets(&mut tx).reseal(NAME, &resealed).await?;
    }
    tx.commit().await?;
    Ok(Successors::new(&opened.secret))
}
