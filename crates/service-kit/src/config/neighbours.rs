//! The services that a service calls, and the credentials with which it calls them.

use std::net::IpAddr;

use auth::{ServiceClient, ServiceClientError, ServiceCredentials};

use super::client_secret;
use super::env::Env;
use super::registry::Registry;
use super::settings::{Settings, url_of};

/// The credentials of a service, and where its neighbours are by default.
#[derive(Debug)]
pub struct Neighbours {
    service: String,
    credentials: ServiceCredentials,
    registry: Registry,
    bind: IpAddr,
    port_base: u16,
}

/// A service that this one calls.
#[derive(Clone, Debug)]
pub struct Neighbour {
    credentials: ServiceCredentials,
    name: &'static str,
    url: String,
}

impl Neighbours {
    /// Reads the client secret of the service of this name (`<NAME>_SECRET`).
    pub fn read(env: &mut Env, settings: &Settings, service: &str) -> Self {
        let token_url = format!("{}/oauth/token", settings.user_service_url);
        let credentials = ServiceCredentials::new(service, client_secret::read(env, service), token_url);
        Self {
            service: service.to_owned(),
            credentials,
            registry: settings.registry.clone(),
            bind: settings.listen.ip(),
            port_base: settings.port_base,
        }
    }

    /// Reads the URL of a neighbour (`<NAME>_URL`), which must be one that the registry lets this service call.
    pub fn to(&self, env: &mut Env, name: &'static str) -> Neighbour {
        let may_call = self
            .registry
            .find(&self.service)
            .is_some_and(|service| service.may_call(name));
        let url = if let Some(neighbour) = self.registry.find(name).filter(|_| may_call) {
            url_of(env, neighbour, self.bind, self.port_base)
        } else {
            env.problem(
                "services.toml",
                format!("does not let {} call {name}", self.service),
            );
            String::new()
        };
        Neighbour {
            credentials: self.credentials.clone(),
            name,
            url,
        }
    }
}

impl Neighbour {
    /// A client for calls to this neighbour.
    ///
    /// # Errors
    /// When the TLS library can't be initialized.
    pub fn client(&self) -> Result<ServiceClient, ServiceClientError> {
        ServiceClient::builder(&self.credentials, self.name, &self.url).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("ORDER_SERVICE_SECRET", "not-a-secret");

    fn read(vars: &[(&str, &str)], neighbour: &'static str) -> Result<Neighbour, String> {
        let mut env = Env::from_vars("order-service", vars.iter().copied());
        let settings = Settings::read(&mut env, "order-service");
        let neighbour = Neighbours::read(&mut env, &settings, "order-service").to(&mut env, neighbour);
        env.finish(neighbour).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_neighbour_is_on_this_machine_by_default() {
        let neighbour = read(&[SECRET, ("PORT_BASE", "9000")], "inventory-service").unwrap();
        assert_eq!(neighbour.url, "http://127.0.0.1:9004");
        assert!(neighbour.client().is_ok());
        assert!(!format!("{neighbour:?}").contains("not-a-secret"));

        let url = ("INVENTORY_SERVICE_URL", "http://inventory:84/");
        let elsewhere = read(&[SECRET, url], "inventory-service").unwrap();
        assert_eq!(elsewhere.url, "http://inventory:84");
    }

    #[test]
    fn a_neighbour_listens_on_the_same_address_by_default() {
        for (bind, url) in [("::1", "http://[::1]:8084"), ("0.0.0.0", "http://127.0.0.1:8084")] {
            let neighbour = read(&[SECRET, ("BIND", bind)], "inventory-service").unwrap();
            assert_eq!(neighbour.url, url);
            assert!(neighbour.client().is_ok());
        }
    }

    #[test]
    fn a_missing_secret_and_an_invalid_url_are_problems() {
        let problems = read(&[("PRODUCT_SERVICE_URL", "products")], "product-service").unwrap_err();
        let variables: Vec<_> = problems
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(variables, ["ORDER_SERVICE_SECRET", "PRODUCT_SERVICE_URL"]);
    }

    #[test]
    fn a_service_that_the_register_does_not_let_it_call_is_a_problem() {
        for other in ["no-such-service", "order-service"] {
            let problem = format!("services.toml does not let order-service call {other}");
            assert_eq!(read(&[SECRET], other).unwrap_err(), problem);
        }
    }
}
