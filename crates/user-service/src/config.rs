//! What the service has to be told.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use argon2::Params;
use chrono::{DateTime, TimeDelta, Utc};
use db::DatabaseUrl;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{AuthSettings, Env, Settings, TrustedProxies};

use crate::NAME;
use crate::clients::ClientSecrets;
use crate::domain::{EmailAddress, password};
use crate::keys::KeyEncryptionKey;

/// The service's configuration.
#[derive(Debug)]
pub struct Config {
    /// Where people, sessions and keys are kept.
    pub database: DatabaseUrl,
    /// As whom, for whom and with what tokens are signed.
    pub auth: AuthSettings,
    /// The platform's own origin.
    pub public_url: String,
    /// This service's own, as the others see it (`USER_SERVICE_URL`).
    pub own_url: String,
    /// What private keys are encrypted with (`KEY_ENCRYPTION_KEY`).
    pub key_encryption_key: KeyEncryptionKey,
    /// What they were encrypted with before (`KEY_ENCRYPTION_KEY_PREVIOUS`).
    pub previous_key_encryption_key: Option<KeyEncryptionKey>,
    /// How long tokens live.
    pub lifetimes: Lifetimes,
    /// How passwords are hashed.
    pub hashing: HashingConfig,
    /// How many failed logins are free for each account and network in 15 minutes (`LOGIN_FREE_FAILURES`).
    pub login_free_failures: NonZeroU32,
    /// Whose word on where a request comes from is taken (`TRUSTED_PROXIES`).
    pub trusted_proxies: TrustedProxies,
    /// Who becomes admin where there is none.
    pub first_admin: Option<FirstAdmin>,
    /// Which services may have tokens.
    pub clients: ClientSecrets,
}

/// How long tokens live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// An access token (`ACCESS_TOKEN_TTL`).
    pub access: TimeDelta,
    /// A refresh token that is not used (`REFRESH_TOKEN_TTL`).
    pub refresh: TimeDelta,
    /// A session, however much it is used (`SESSION_TTL`).
    pub session: TimeDelta,
    /// How long a refresh token that was rotated gives its successor again (`REFRESH_GRACE`).
    pub grace: TimeDelta,
}

impl Lifetimes {
    /// When the last access token ends that is given out now, or to whoever shows the same refresh token again within the grace.
    pub(crate) fn access_expires_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.access + self.grace
    }
}

const FREE_FAILURES: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const MAX_SLOTS: usize = 1_024;
const MAX_QUEUE: usize = 65_536;

/// How passwords are hashed.
#[derive(Clone, Debug)]
pub struct HashingConfig {
    /// How many are hashed at once (`HASH_SLOTS`).
    pub slots: NonZeroUsize,
    /// How many may wait for a slot (`HASH_QUEUE`).
    pub queue: usize,
    /// The cost of one (`ARGON2_MEMORY_KIB`, `ARGON2_PASSES`, `ARGON2_LANES`).
    pub cost: Params,
}

/// Who becomes admin where there is none.
#[derive(Debug)]
pub struct FirstAdmin {
    /// `ADMIN_EMAIL`.
    pub email: EmailAddress,
    /// `ADMIN_PASSWORD`.
    pub password: SecretString,
}

impl Config {
    /// Reads it.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("user-service.db"));
        let key = env.secret("KEY_ENCRYPTION_KEY");
        if key.is_none() {
            env.problem(
                "KEY_ENCRYPTION_KEY",
                "is missing: `openssl rand -base64 32` makes a good one",
            );
        }
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            auth: settings.auth,
            public_url: settings.public_url,
            own_url: settings.user_service_url,
            key_encryption_key: key_encryption_key(env, "KEY_ENCRYPTION_KEY", key).unwrap_or_default(),
            previous_key_encryption_key: {
                let previous = env.secret("KEY_ENCRYPTION_KEY_PREVIOUS");
                key_encryption_key(env, "KEY_ENCRYPTION_KEY_PREVIOUS", previous)
            },
            lifetimes: Lifetimes::read(env),
            hashing: HashingConfig::read(env),
            login_free_failures: env.parse("LOGIN_FREE_FAILURES", FREE_FAILURES, "a number from 1"),
            trusted_proxies: settings.trusted_proxies,
            first_admin: FirstAdmin::read(env),
            clients: ClientSecrets::read(env, NAME),
        }
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access: TimeDelta::minutes(15),
            refresh: TimeDelta::days(7),
            session: TimeDelta::days(30),
            grace: TimeDelta::seconds(10),
        }
    }
}

impl Lifetimes {
    fn read(env: &mut Env) -> Self {
        let default = Self::default();
        let mut read = |name, default: TimeDelta, range: std::ops::RangeInclusive<TimeDelta>| {
            let read = env.duration(name, default.to_std().unwrap_or(Duration::ZERO));
            // Tokens count in whole seconds.
            let seconds = i64::try_from(read.as_secs())
                .ok()
                .and_then(TimeDelta::try_seconds);
            seconds
                .filter(|seconds| range.contains(seconds))
                .unwrap_or_else(|| {
                    let bound = |bound: &TimeDelta| format!("{}s", bound.num_seconds());
                    env.problem(
                        name,
                        format!("must be from {} to {}", bound(range.start()), bound(range.end())),
                    );
                    default
                })
        };
        let (second, year) = (TimeDelta::seconds(1), TimeDelta::days(366));
        Self {
            access: read("ACCESS_TOKEN_TTL", default.access, second..=TimeDelta::days(1)),
            refresh: read("REFRESH_TOKEN_TTL", default.refresh, second..=year),
            session: read("SESSION_TTL", default.session, second..=year),
            grace: read(
                "REFRESH_GRACE",
                default.grace,
                TimeDelta::zero()..=TimeDelta::minutes(1),
            ),
        }
    }
}

impl Default for HashingConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            slots: NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN),
            queue: 64,
            cost: Params::DEFAULT,
        }
    }
}

impl HashingConfig {
    fn read(env: &mut Env) -> Self {
        let default = Self::default();
        let memory = env.parse("ARGON2_MEMORY_KIB", default.cost.m_cost(), "a number of KiB");
        let passes = env.parse("ARGON2_PASSES", default.cost.t_cost(), "a number");
        let lanes = env.parse("ARGON2_LANES", default.cost.p_cost(), "a number");
        let cost = Params::new(memory, passes, lanes, None)
            .ok()
            .filter(crate::hashing::is_bearable);
        Self {
            slots: {
                let slots = env.parse("HASH_SLOTS", default.slots, "a number from 1 to 1024");
                if slots.get() > MAX_SLOTS {
                    env.problem("HASH_SLOTS", "must be a number from 1 to 1024");
                }
                slots
            },
            queue: {
                let queue = env.parse("HASH_QUEUE", default.queue, "a number up to 65536");
                if queue > MAX_QUEUE {
                    env.problem("HASH_QUEUE", "must be a number up to 65536");
                }
                queue
            },
            cost: cost.unwrap_or_else(|| {
                let bounds = crate::hashing::BOUNDS;
                env.problem(
                    "ARGON2_MEMORY_KIB",
                    format!("with ARGON2_PASSES and ARGON2_LANES must be {bounds}"),
                );
                default.cost
            }),
        }
    }
}

impl FirstAdmin {
    fn read(env: &mut Env) -> Option<Self> {
        let (email, password) = (env.text("ADMIN_EMAIL"), env.secret("ADMIN_PASSWORD"));
        let (email, password) = match (email, password) {
            (None, None) => return None,
            (Some(email), Some(password)) => (email, password),
            (email, _) => {
                let (missing, given) = if email.is_some() {
                    ("ADMIN_PASSWORD", "ADMIN_EMAIL")
                } else {
                    ("ADMIN_EMAIL", "ADMIN_PASSWORD")
                };
                env.problem(missing, format!("is missing, and {given} is set"));
                return None;
            }
        };
        let parsed = EmailAddress::parse(&email);
        if parsed.is_err() {
            env.problem("ADMIN_EMAIL", "must be an email address");
        }
        if let Err(weakness) = password::check(password.expose_secret(), &[&email]) {
            env.problem("ADMIN_PASSWORD", weakness);
        }
        Some(Self {
            email: parsed.ok()?,
            password,
        })
    }
}

fn key_encryption_key(env: &mut Env, name: &str, text: Option<SecretString>) -> Option<KeyEncryptionKey> {
    let key = KeyEncryptionKey::parse(text?.expose_secret());
    if key.is_none() {
        env.problem(
            name,
            "must be 32 bytes in base64: `openssl rand -base64 32` makes a good one",
        );
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn read(vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let mut env = Env::from_vars("user-service", vars.iter().copied());
        let settings = Settings::read(&mut env, "user-service");
        let config = Config::read(&mut env, settings);
        env.finish(config)
            .map_err(|errors| errors.to_string().lines().map(str::to_owned).collect())
    }

    #[test]
    fn only_the_key_encryption_key_has_no_default() {
        let config = read(&[("KEY_ENCRYPTION_KEY", KEY)]).unwrap();
        assert_eq!(config.lifetimes.access, TimeDelta::minutes(15));
        assert_eq!(
            (config.hashing.cost.m_cost(), config.hashing.cost.t_cost()),
            (19 * 1024, 2)
        );
        assert!(config.first_admin.is_none());

        assert!(read(&[]).unwrap_err()[0].starts_with("KEY_ENCRYPTION_KEY is missing"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_without_secrets() {
        let problems = read(&[
            ("KEY_ENCRYPTION_KEY", "c2hvcnQ="),
            ("ACCESS_TOKEN_TTL", "2d"),
            ("REFRESH_TOKEN_TTL", "0s"),
            ("REFRESH_GRACE", "2m"),
            ("ARGON2_MEMORY_KIB", "1"),
            ("HASH_SLOTS", "0"),
            ("ADMIN_EMAIL", "nobody"),
            ("ADMIN_PASSWORD", "hunter2"),
        ])
        .unwrap_err();
        let named: Vec<_> = problems
            .iter()
            .filter_map(|problem| problem.split(' ').next())
            .collect();
        assert_eq!(
            named,
            [
                "KEY_ENCRYPTION_KEY",
                "ACCESS_TOKEN_TTL",
                "REFRESH_TOKEN_TTL",
                "REFRESH_GRACE",
                "HASH_SLOTS",
                "ARGON2_MEMORY_KIB",
                "ADMIN_EMAIL",
                "ADMIN_PASSWORD",
            ]
        );
        assert!(!problems.concat().contains("hunter2"));
    }

    #[test]
    fn slots_and_queue_have_bounds() {
        let vars = [
            ("KEY_ENCRYPTION_KEY", KEY),
            ("HASH_SLOTS", "1025"),
            ("HASH_QUEUE", "65537"),
        ];
        assert_eq!(
            read(&vars).unwrap_err(),
            [
                "HASH_SLOTS must be a number from 1 to 1024",
                "HASH_QUEUE must be a number up to 65536"
            ]
        );
        assert!(
            read(&[
                ("KEY_ENCRYPTION_KEY", KEY),
                ("HASH_SLOTS", "1024"),
                ("HASH_QUEUE", "65536")
            ])
            .is_ok()
        );
    }

    #[test]
    fn the_secrets_of_services_are_hashed_and_weak_ones_are_refused() {
        let secret = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789";
        let vars = [("KEY_ENCRYPTION_KEY", KEY), ("ORDER_SERVICE_SECRET", secret)];
        let config = read(&vars).unwrap();
        assert!(config.clients.have("order-service") && !config.clients.have("product-service"));
        assert!(!format!("{config:?}").contains(secret));

        let problems = read(&[
            ("KEY_ENCRYPTION_KEY", KEY),
            (
                "PRODUCT_SERVICE_SECRET",
                "your-256-bit-secret-your-256-bit-secret",
            ),
            ("ORDER_SERVICE_SECRET", "hunter2"),
            ("INVENTORY_SERVICE_SECRET_FILE", "/nowhere"),
        ])
        .unwrap_err();
        assert!(
            problems[0].starts_with("PRODUCT_SERVICE_SECRET looks like a placeholder"),
            "{problems:?}"
        );
        assert!(
            problems[1].starts_with("ORDER_SERVICE_SECRET must have at least 32 bytes"),
            "{problems:?}"
        );
        assert!(
            problems[2].starts_with("INVENTORY_SERVICE_SECRET_FILE names a file"),
            "{problems:?}"
        );
        assert!(!problems.concat().contains("hunter2"));
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn half_an_admin_is_none() {
        let problems = read(&[("KEY_ENCRYPTION_KEY", KEY), ("ADMIN_EMAIL", "a@example.com")]).unwrap_err();
        assert_eq!(problems, ["ADMIN_PASSWORD is missing, and ADMIN_EMAIL is set"]);
    }
}
