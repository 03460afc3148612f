//! Puts the service together and runs it.

use std::error::Error;

use aws_lc_rs::rand;
use db::{Db, Migrations};
use service_kit::{Roles, Runtime, Server};

use crate::clients::Clients;
use crate::config::Config;
use crate::domain::Successors;
use crate::error::StartError;
use crate::hashing::Hashing;
use crate::keys::{Seals, load_or_make};
use crate::login::Logins;
use crate::mint::Mint;
use crate::passwords::Passwords;
use crate::rotations::Rotations;
use crate::routes::Published;
use crate::store::Secrets;
use crate::throttle::Throttle;
use crate::{NAME, admin, docs, email_keys, housekeeping, routes};

pub(crate) static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/user-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/user-service/postgres"),
};

/// Runs the service.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let clock = runtime.clock.clone();
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    email_keys::bring_up_to_date(&db).await?;
    let seals = Seals {
        current: config.key_encryption_key,
        previous: config.previous_key_encryption_key,
    };
    let keys = load_or_make(&config.auth.keys, &db, &seals, &clock).await?;
    let successors = successors(&db, &seals).await?;
    let passwords = Passwords {
        hashing: Hashing::start(&config.hashing)?,
        throttle: Throttle::new(config.login_free_failures),
    };
    let clients = Clients::store(&db, &config.clients, clock.now()).await?;

    // This service verifies its own tokens as every other does, but has the keys at hand.
    let verifier = config.auth.verifier_with(NAME, &runtime, keys.verification);
    let mint = Mint {
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience,
        life: config.lifetimes.access,
        roles: Roles::built_in(),
        signer: keys.signer,
    };
    let logins = Logins {
        mint: mint.clone(),
        lifetimes: config.lifetimes,
        successors,
        rotations: Rotations::start(db.clone(), config.lifetimes, clock.clone()),
        revocations: runtime.revocations,
    };
    admin::ensure_one(&db, &passwords, &logins, config.first_admin.as_ref(), &clock).await?;
    let known = logins.catch_up(&db, 0).await?;
    let keeping_up = actix_web::rt::spawn(logins.clone().keep_up(db.clone(), known));
    let housekeeping = actix_web::rt::spawn(housekeeping::keep_forgetting(db.clone(), clock.clone()));

    let database = db.clone();
    Server::new(NAME, routes::routes, docs::handlers())
        .verifier(verifier)
        .data(db.clone())
        .data(clock)
        .data(passwords)
        .data(config.trusted_proxies)
        .data(clients)
        .data(mint)
        .data(logins)
        .data(Published::new(
            &config.auth.issuer,
            &config.public_url,
            &config.own_url,
            keys.jwks,
        ))
        .ready_when("database", move || database.clone().is_reachable())
        .run(runtime.listener, runtime.shutdown)
        .await?;
    keeping_up.abort();
    housekeeping.abort();
    db.close().await;
    Ok(())
}

/// What successors of refresh tokens are derived with: made once, and kept sealed.
async fn successors(db: &Db, seals: &Seals) -> Result<Successors, StartError> {
    const NAME: &str = "refresh-token successors";
    let mut fresh = [0; 32];
    rand::fill(&mut fresh).map_err(|_| StartError::NoRandomness)?;

    let mut tx = db.begin().await?;
    let kept = Secrets(&mut tx).keep(NAME, &seals.seal(NAME, &fresh)?).await?;
    let opened = seals.open(NAME, &kept)?;
    if let Some(resealed) = opened.resealed {
        Secrets(&mut tx).reseal(NAME, &resealed).await?;
    }
    tx.commit().await?;
    Ok(Successors::new(&opened.secret))
}
