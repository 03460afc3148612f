//! The source of a service's revocations, and the treatment of users while it is silent.

use std::str::FromStr;

use auth::nats::NatsUrl;
use auth::{IntrospectionError, RevocationFeed, ServiceClientError, ServiceCredentials, StalePolicy};

use super::client_secret;
use super::env::Env;
use super::nats::read_nats_url;
use super::platform::Platform;
use super::roles::Roles;
use super::strategy::{IntrospectionClient, USER_SERVICE};

/// The treatment of users by services while the revocation feed is stale (`AUTH_WHEN_STALE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// Users keep what the role `user` allows. Other roles and scopes are withheld until user-service confirms the token.
    #[default]
    Privileged,
    /// Users are refused until user-service confirms their token.
    Refuse,
}

impl FromStr for WhenStale {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "privileged" => Ok(Self::Privileged),
            "refuse" => Ok(Self::Refuse),
            _ => Err(()),
        }
    }
}

/// The revocation feed of user-service, as one service reads it.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// The name of the service that reads the feed.
    service: String,
    /// The origin of user-service.
    origin: String,
    /// The broker to which user-service relays the feed.
    nats: Option<NatsUrl>,
    credentials: ServiceCredentials,
    introspection: IntrospectionClient,
    when_stale: WhenStale,
    roles: Roles,
}

impl FeedSettings {
    /// Reads what the service of this name needs. `None` for user-service, which publishes the feed, and for a program that is not
    /// in the registry.
    pub(super) fn read(env: &mut Env, service: &str, platform: &Platform<'_>, roles: &Roles) -> Option<Self> {
        let when_stale = env.parse(
            "AUTH_WHEN_STALE",
            WhenStale::default(),
            "`privileged` or `refuse`",
        );
        let row = platform.registry.find(service)?;
        if service == USER_SERVICE {
            return None;
        }
        if !row.may_call(USER_SERVICE) {
            env.problem(
                "services.toml",
                format!("must let {service} call {USER_SERVICE}, which publishes the revocations"),
            );
        }
        let origin = platform.user_service_url;
        let secret = client_secret::read(env, service);
        Some(Self {
            service: service.to_owned(),
            origin: origin.to_owned(),
            nats: read_nats_url(env),
            credentials: ServiceCredentials::new(service, secret.clone(), format!("{origin}/oauth/token")),
            introspection: IntrospectionClient::at(origin, service, secret),
            when_stale,
            roles: roles.clone(),
        })
    }

    pub(super) fn feed(&self) -> Result<RevocationFeed, ServiceClientError> {
        let feed = RevocationFeed::at(&self.credentials, USER_SERVICE, &self.origin)?;
        Ok(match &self.nats {
            Some(url) => feed.over_nats(url.clone(), &self.service),
            None => feed,
        })
    }

    pub(super) fn stale_policy(&self) -> Result<StalePolicy, IntrospectionError> {
        let policy = match self.when_stale {
            WhenStale::Privileged => {
                let role = self.roles.unprivileged();
                StalePolicy::withhold_all_but([role.name.clone()], role.scopes.iter().cloned())
            }
            WhenStale::Refuse => StalePolicy::refuse_all(),
        };
        Ok(policy.confirm_with(self.introspection.build()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    fn read(service: &str, vars: &[(&str, &str)]) -> Result<Option<FeedSettings>, String> {
        let secrets = [
            ("ORDER_SERVICE_SECRET", "not-a-secret"),
            ("GATEWAY_SECRET", "not-a-secret"),
        ];
        let mut env = Env::from_vars(service, vars.iter().copied().chain(secrets));
        let settings = Settings::read(&mut env, service);
        env.finish(settings.auth.feed)
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn every_registered_service_but_user_service_reads_the_feed() {
        for service in ["order-service", "gateway"] {
            let feed = read(service, &[("USER_SERVICE_URL", "http://users:80/")])
                .unwrap()
                .unwrap();
            assert_eq!(feed.origin, "http://users");
            assert_eq!(feed.when_stale, WhenStale::Privileged);
            assert!(feed.feed().is_ok() && feed.stale_policy().is_ok());
        }
        for program in ["user-service", "stack"] {
            assert!(read(program, &[]).unwrap().is_none(), "{program}");
        }
    }

    #[test]
    fn the_treatment_of_users_while_the_feed_is_stale_can_be_chosen() {
        let feed = read("order-service", &[("AUTH_WHEN_STALE", "refuse")])
            .unwrap()
            .unwrap();
        assert_eq!(feed.when_stale, WhenStale::Refuse);
        assert!(feed.stale_policy().is_ok());
        let problem = read("order-service", &[("AUTH_WHEN_STALE", "admit")]).unwrap_err();
        assert_eq!(problem, "AUTH_WHEN_STALE must be `privileged` or `refuse`");
    }

    #[test]
    fn the_feed_may_come_over_nats() {
        let with_broker = |url| read("order-service", &[("NATS_URL", url)]);
        let feed = with_broker("nats://orders:not-a-secret@broker").unwrap().unwrap();
        assert!(feed.nats.is_some() && feed.feed().is_ok());
        assert!(!format!("{feed:?}").contains("not-a-secret"));
        let problem = with_broker("broker:not-a-secret").unwrap_err();
        assert_eq!(
            problem,
            "NATS_URL must be `nats://` or `tls://`, optionally `<user>:<password>@`, and a host"
        );
        assert!(read("order-service", &[]).unwrap().unwrap().nats.is_none());
    }

    #[test]
    fn a_registry_that_keeps_a_service_from_the_feed_is_a_problem() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let row =
            |name, offset| format!("[[service]]\nname = \"{name}\"\nport_offset = {offset}\ncalls = []\n");
        std::fs::write(
            file.path(),
            [row("user-service", 1), row("order-service", 3)].concat(),
        )
        .unwrap();
        let vars = [("SERVICES_FILE", file.path().to_str().unwrap())];
        let problem = read("order-service", &vars).unwrap_err();
        assert!(
            problem.starts_with("services.toml must let order-service call user-service"),
            "{problem}"
        );
    }
}
