//! Whom a service calls: where they are, and as whom it calls them.

use auth::{ServiceClient, ServiceClientError, ServiceCredentials};
use secrecy::SecretString;

use super::env::Env;
use super::register::Register;
use super::settings::{Settings, url_of};

/// As whom a service calls others.
#[derive(Debug)]
pub struct Neighbours {
    service: String,
    credentials: ServiceCredentials,
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
        let variable = format!("{}_SECRET", service.to_uppercase().replace('-', "_"));
        let secret = env.secret(&variable).unwrap_or_else(|| {
            env.problem(
                &variable,
                "is missing: `openssl rand -base64 32` makes a good one, user-service has to have it too",
            );
            SecretString::default()
        });
        let token_url = format!("{}/oauth/token", settings.user_service_url);
        let credentials = ServiceCredentials::new(service, secret, token_url);
        Self {
            service: service.to_owned(),
            credentials,
            port_base: settings.port_base,
        }
    }

    /// Reads where a service is that this one may call (`<NAME>_URL`).
    pub fn to(&self, env: &mut Env, name: &'static str) -> Neighbour {
        let register = Register::built_in();
        let may_call = register
            .find(&self.service)
            .is_some_and(|service| service.may_call(name));
        let url = if let Some(neighbour) = register.find(name).filter(|_| may_call) {
            url_of(env, neighbour, self.port_base)
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
    /// A client of it.
    ///
    /// # Errors
    /// When the TLS library can't be started.
    pub fn client(&self) -> Result<ServiceClient, ServiceClientError> {
        ServiceClient::builder(&self.credentials, self.name, &self.url).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)], neighbour: &'static str) -> Result<Neighbour, String> {
        let mut env = Env::from_vars("order-service", vars.iter().copied());
        let settings = Settings::read(&mut env, "order-service");
        let neighbour = Neighbours::read(&mut env, &settings, "order-service").to(&mut env, neighbour);
        env.finish(neighbour).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_neighbour_is_on_this_machine_unless_said_otherwise() {
        let secret = ("ORDER_SERVICE_SECRET", "not-a-secret");
        let neighbour = read(&[secret, ("PORT_BASE", "9000")], "inventory-service").unwrap();
        assert_eq!(neighbour.url, "http://127.0.0.1:9004");
        assert!(neighbour.client().is_ok());
        let there = ("INVENTORY_SERVICE_URL", "http://inventory:84/");
        assert_eq!(
            read(&[secret, there], "inventory-service").unwrap().url,
            "http://inventory:84"
        );
        assert!(!format!("{neighbour:?}").contains("not-a-secret"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_told() {
        let problems = read(&[("PRODUCT_SERVICE_URL", "products")], "product-service").unwrap_err();
        let named: Vec<_> = problems
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(named, ["ORDER_SERVICE_SECRET", "PRODUCT_SERVICE_URL"]);
        let secret = ("ORDER_SERVICE_SECRET", "not-a-secret");
        for stranger in ["no-such-service", "order-service"] {
            let told = format!("services.toml does not let order-service call {stranger}");
            assert_eq!(read(&[secret], stranger).unwrap_err(), told);
        }
    }
}
