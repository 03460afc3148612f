//! The configuration, read once from the environment.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use auth::nats::NatsUrl;
use chrono::TimeDelta;
use db::DatabaseUrl;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{AuthSettings, Env, Registry, Roles, Settings, TrustedProxies};

use crate::domain::{EmailAddress, Lifetimes, SigningAlgorithm, password};
use crate::mail::MailConfig;
use crate::oauth::ClientSecretHashes;
use crate::openid::ProviderConfig;
use crate::passwords::HashingConfig;
use crate::tokens::KeyEncryptionKey;

const DEFAULT_LOGIN_FAILURES: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The service's configuration.
#[derive(Debug)]
pub struct Config {
    /// The database of users, sessions and keys (`DATABASE_URL`).
    pub database: DatabaseUrl,
    /// The issuer and the audience of tokens, and the shared secret if tokens are signed with one.
    pub auth: AuthSettings,
    /// The platform's public origin.
    pub public_url: String,
    /// This service's own URL, as other services see it (`USER_SERVICE_URL`).
    pub own_url: String,
    /// The algorithm of the signing keys (`SIGNING_ALG`). Not used with a shared secret.
    pub signing_algorithm: SigningAlgorithm,
    /// The key that encrypts stored secrets (`KEY_ENCRYPTION_KEY`).
    pub key_encryption_key: KeyEncryptionKey,
    /// The previous key, set only while the key is being changed (`KEY_ENCRYPTION_KEY_PREVIOUS`).
    pub previous_key_encryption_key: Option<KeyEncryptionKey>,
    /// How long tokens and sessions last.
    pub lifetimes: Lifetimes,
    /// How passwords are hashed.
    pub hashing: HashingConfig,
    /// The maximum number of unexpired failed logins of one account from one network (`LOGIN_FREE_FAILURES`). Defaults to 10. The
    /// failures expire one by one, all of them within 15 minutes.
    pub allowed_login_failures: NonZeroU32,
    /// The proxies whose `X-Forwarded-For` is trusted (`TRUSTED_PROXIES`).
    pub trusted_proxies: TrustedProxies,
    /// The OpenID providers with whose accounts users can log in (`GOOGLE_…`, `OIDC_…`).
    pub providers: Vec<ProviderConfig>,
    /// The user who becomes admin if no enabled user is admin.
    pub first_admin: Option<FirstAdmin>,
    /// How mails are sent (`SMTP_URL`, `MAIL_FROM`).
    pub mail: MailConfig,
    /// The broker to which the revocation feed is relayed (`NATS_URL`).
    pub nats: Option<NatsUrl>,
    /// The services of the platform (`SERVICES_FILE`).
    pub registry: Arc<Registry>,
    /// The roles of users (`ROLES_FILE`).
    pub roles: Roles,
    /// The hashes of the secrets of the services that may request tokens.
    pub clients: ClientSecretHashes,
}

/// The user who becomes admin if no enabled user is admin.
#[derive(Debug)]
pub struct FirstAdmin {
    /// `ADMIN_EMAIL`.
    pub email: EmailAddress,
    /// `ADMIN_PASSWORD`.
    pub password: SecretString,
}

impl Config {
    /// Reads the configuration, and reports every problem to `env`.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("user-service.db"));
        let key = env.secret("KEY_ENCRYPTION_KEY");
        if key.is_none() {
            env.problem(
                "KEY_ENCRYPTION_KEY",
                "is missing: `openssl rand -base64 32` generates one",
            );
        }
        let previous_key = env.secret("KEY_ENCRYPTION_KEY_PREVIOUS");
        let mail = MailConfig::read(env, &settings);
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            auth: settings.auth,
            public_url: settings.public_url,
            own_url: settings.user_service_url,
            signing_algorithm: env.parse(
                "SIGNING_ALG",
                SigningAlgorithm::default(),
                SigningAlgorithm::EXPECTED,
            ),
            // The placeholder is never used: the problem is already reported to `env`.
            key_encryption_key: key_encryption_key(env, "KEY_ENCRYPTION_KEY", key)
                .unwrap_or_else(KeyEncryptionKey::placeholder),
            previous_key_encryption_key: key_encryption_key(env, "KEY_ENCRYPTION_KEY_PREVIOUS", previous_key),
            lifetimes: read_lifetimes(env),
            hashing: HashingConfig::read(env),
            allowed_login_failures: env.parse(
                "LOGIN_FREE_FAILURES",
                DEFAULT_LOGIN_FAILURES,
                "a number of at least 1",
            ),
            trusted_proxies: settings.trusted_proxies,
            providers: ProviderConfig::read_all(env),
            first_admin: FirstAdmin::read(env),
            mail,
            nats: service_kit::read_nats_url(env),
            clients: ClientSecretHashes::read(env, &settings.registry),
            registry: settings.registry.into(),
            roles: settings.roles,
        }
    }
}

fn read_lifetimes(env: &mut Env) -> Lifetimes {
    let default = Lifetimes::default();
    let (second, year) = (TimeDelta::seconds(1), TimeDelta::days(366));
    let up_to_a_day = second..=TimeDelta::days(1);
    let up_to_a_minute = TimeDelta::zero()..=TimeDelta::minutes(1);
    Lifetimes {
        access: read_lifetime(env, "ACCESS_TOKEN_TTL", default.access, &up_to_a_day),
        refresh: read_lifetime(env, "REFRESH_TOKEN_TTL", default.refresh, &(second..=year)),
        session: read_lifetime(env, "SESSION_TTL", default.session, &(second..=year)),
        grace: read_lifetime(env, "REFRESH_GRACE", default.grace, &up_to_a_minute),
    }
}

/// Reads a duration in whole seconds, the unit of times in tokens.
fn read_lifetime(
    env: &mut Env,
    name: &str,
    default: TimeDelta,
    range: &RangeInclusive<TimeDelta>,
) -> TimeDelta {
    let read = env.duration(name, default.to_std().unwrap_or(Duration::ZERO));
    let seconds = i64::try_from(read.as_secs())
        .ok()
        .and_then(TimeDelta::try_seconds)
        .filter(|seconds| read.subsec_nanos() == 0 && range.contains(seconds));
    seconds.unwrap_or_else(|| {
        let (shortest, longest) = (range.start().num_seconds(), range.end().num_seconds());
        env.problem(
            name,
            format!("must be whole seconds, from {shortest}s to {longest}s"),
        );
        default
    })
}

impl FirstAdmin {
    /// Reads both variables; neither may be set alone.
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
                env.missing(missing, given);
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
            "must be 32 bytes in base64: `openssl rand -base64 32` generates one",
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
        assert_eq!(config.signing_algorithm, SigningAlgorithm::EdDsa);
        assert!(config.first_admin.is_none());

        assert!(read(&[]).unwrap_err()[0].starts_with("KEY_ENCRYPTION_KEY is missing"));
    }

    #[test]
    fn all_problems_are_reported_together_and_without_secrets() {
        let problems = read(&[
            ("KEY_ENCRYPTION_KEY", "c2hvcnQ="),
            ("SIGNING_ALG", "RS256"),
            ("ACCESS_TOKEN_TTL", "2d"),
            ("REFRESH_TOKEN_TTL", "0s"),
            ("REFRESH_GRACE", "2m"),
            ("ARGON2_MEMORY_KIB", "1"),
            ("HASH_SLOTS", "0"),
            ("ADMIN_EMAIL", "ada"),
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
                "SIGNING_ALG",
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
    fn a_lifetime_is_in_whole_seconds() {
        let read_grace = |grace| read(&[("KEY_ENCRYPTION_KEY", KEY), ("REFRESH_GRACE", grace)]);
        for (grace, seconds) in [("0s", 0), ("1s", 1), ("60s", 60), ("1m", 60)] {
            let grace = read_grace(grace).unwrap().lifetimes.grace;
            assert_eq!(grace, TimeDelta::seconds(seconds));
        }
        for refused in ["500ms", "1s 1ns", "60s 999ms", "61s"] {
            let problems = read_grace(refused).unwrap_err();
            assert_eq!(
                problems,
                ["REFRESH_GRACE must be whole seconds, from 0s to 60s"],
                "{refused}"
            );
        }
    }

    #[test]
    fn hashing_slots_and_queue_are_bounded() {
        let vars = [
            ("KEY_ENCRYPTION_KEY", KEY),
            ("HASH_SLOTS", "1025"),
            ("HASH_QUEUE", "65537"),
        ];
        assert_eq!(
            read(&vars).unwrap_err(),
            [
                "HASH_SLOTS must be a number from 1 to 1024",
                "HASH_QUEUE must be a number from 0 to 65536"
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
    fn the_cost_of_a_hash_is_bounded() {
        let read_cost = |memory, passes, lanes| {
            let vars = [
                ("KEY_ENCRYPTION_KEY", KEY),
                ("ARGON2_MEMORY_KIB", memory),
                ("ARGON2_PASSES", passes),
                ("ARGON2_LANES", lanes),
            ];
            let cost = |config: Config| {
                let cost = config.hashing.cost;
                (cost.m_cost(), cost.t_cost(), cost.p_cost())
            };
            read(&vars).map(cost).map_err(|problems| problems.join("; "))
        };
        let memory = |min| format!("ARGON2_MEMORY_KIB must be a number from {min} to 1048576");

        assert_eq!(read_cost("8", "1", "1"), Ok((8, 1, 1)));
        assert_eq!(read_cost("1048576", "16", "16"), Ok((1_048_576, 16, 16)));
        assert_eq!(read_cost("7", "1", "1"), Err(memory(8)));
        assert_eq!(read_cost("31", "1", "4"), Err(memory(32)));
        assert_eq!(read_cost("1048577", "1", "1"), Err(memory(8)));
        for (passes, lanes, named) in [
            ("0", "1", "PASSES"),
            ("17", "1", "PASSES"),
            ("1", "0", "LANES"),
            ("1", "17", "LANES"),
        ] {
            let text = format!("ARGON2_{named} must be a number from 1 to 16");
            assert_eq!(read_cost("19456", passes, lanes), Err(text));
        }
    }

    #[test]
    fn client_secrets_are_hashed_and_weak_ones_are_refused() {
        let secret = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789";
        let vars = [("KEY_ENCRYPTION_KEY", KEY), ("ORDER_SERVICE_SECRET", secret)];
        let config = read(&vars).unwrap();
        assert!(config.clients.contains("order-service") && !config.clients.contains("product-service"));
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
    fn an_admin_needs_both_email_and_password() {
        let problems = read(&[("KEY_ENCRYPTION_KEY", KEY), ("ADMIN_EMAIL", "a@example.com")]).unwrap_err();
        assert_eq!(problems, ["ADMIN_PASSWORD is missing, but ADMIN_EMAIL is set"]);
    }

    #[test]
    fn the_signing_algorithm_is_eddsa_or_es256() {
        let read = |algorithm| read(&[("KEY_ENCRYPTION_KEY", KEY), ("SIGNING_ALG", algorithm)]);
        assert_eq!(read("ES256").unwrap().signing_algorithm, SigningAlgorithm::Es256);
        for other in ["HS256", "es256", "none"] {
            let problems = read(other).unwrap_err();
            assert_eq!(problems, ["SIGNING_ALG must be EdDSA or ES256"], "{other}");
        }
    }
}
