//! The services of the platform, from `services.toml`.

use serde::Deserialize;

/// The first port of the platform, unless `PORT_BASE` says otherwise.
pub(crate) const DEFAULT_PORT_BASE: u16 = 8080;

/// The services of the platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    #[serde(rename = "service")]
    services: Vec<RegisteredService>,
}

/// One row of the register.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredService {
    /// The crate, the program, and the audience of service tokens for it.
    pub name: String,
    port_offset: u16,
    /// The audiences that it may have service tokens for.
    pub calls: Vec<String>,
}

impl RegisteredService {
    /// The port that it listens on by default.
    #[must_use]
    pub fn port(&self, port_base: u16) -> u16 {
        port_base.saturating_add(self.port_offset)
    }

    /// Its name as the environment's variables have it in front: `ORDER_SERVICE`.
    #[must_use]
    pub fn variable_prefix(&self) -> String {
        self.name.to_uppercase().replace('-', "_")
    }

    /// Whether it may call the service of this name.
    #[must_use]
    pub fn may_call(&self, audience: &str) -> bool {
        self.calls.iter().any(|called| called == audience)
    }
}

impl Register {
    /// The register that this program was built with.
    ///
    /// # Panics
    /// When `services.toml` is not a register, which the tests of this crate rule out.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a file of this repository, held right by a test"
    )]
    pub fn built_in() -> Self {
        toml::from_str(include_str!("../../../../services.toml")).expect("services.toml is a register")
    }

    /// The services, in the order in which they are written down.
    pub fn iter(&self) -> impl Iterator<Item = &RegisteredService> {
        self.services.iter()
    }

    /// The service of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RegisteredService> {
        self.iter().find(|service| service.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_register_has_every_service_once_and_a_port_for_each() {
        let register = Register::built_in();
        let ports: std::collections::HashSet<_> = register.iter().map(|service| service.port(8080)).collect();
        assert_eq!(ports.len(), register.services.len());
        assert_eq!(
            register.find("user-service").map(|service| service.port(8080)),
            Some(8081)
        );
        assert_eq!(
            register
                .find("product-service")
                .map(RegisteredService::variable_prefix)
                .as_deref(),
            Some("PRODUCT_SERVICE")
        );
        assert!(register.find("nobody").is_none());
    }

    #[test]
    fn a_service_calls_only_registered_ones_each_named_once_and_never_itself() {
        let register = Register::built_in();
        for service in register.iter() {
            let called: std::collections::HashSet<_> = service.calls.iter().collect();
            assert_eq!(
                called.len(),
                service.calls.len(),
                "{} names one twice",
                service.name
            );
            for called in called {
                assert!(
                    register.find(called).is_some(),
                    "{} calls {called}, which there is not",
                    service.name
                );
            }
            assert!(!service.may_call(&service.name), "{} calls itself", service.name);
        }
        let orders = register.find("order-service").unwrap();
        assert!(orders.may_call("inventory-service") && !orders.may_call("gateway"));
    }
}
