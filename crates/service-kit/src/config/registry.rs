//! The services of the platform, from `services.toml`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Deserialize;

use super::env::variable_prefix;

/// The default of `PORT_BASE`, the first port of the platform.
pub(crate) const DEFAULT_PORT_BASE: u16 = 8080;

/// The services of the platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    #[serde(rename = "service")]
    services: Vec<RegisteredService>,
}

/// One service of the registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredService {
    /// The name of its crate and its program, and the audience of service tokens for it.
    pub name: String,
    port_offset: u16,
    /// The services that it may call: the audiences for which it gets service tokens.
    pub calls: Vec<String>,
}

impl RegisteredService {
    /// The port that it listens on by default.
    #[must_use]
    pub fn port(&self, port_base: u16) -> u16 {
        port_base.saturating_add(self.port_offset)
    }

    /// Its origin on this machine, with its default port, when it listens on the address `bind`: `http://127.0.0.1:8081`, or
    /// `http://[::1]:8081`.
    #[must_use]
    pub fn local_url(&self, bind: IpAddr, port_base: u16) -> String {
        let address = SocketAddr::new(reachable_ip(bind), self.port(port_base));
        format!("http://{address}")
    }

    /// The prefix of this service's variables: `ORDER_SERVICE`.
    #[must_use]
    pub fn variable_prefix(&self) -> String {
        variable_prefix(&self.name)
    }

    /// Whether it may call the service of this name.
    #[must_use]
    pub fn may_call(&self, audience: &str) -> bool {
        self.calls.iter().any(|called| called == audience)
    }
}

impl Registry {
    /// The registry that this program was built with.
    ///
    /// # Panics
    /// When `services.toml` is not a registry, which the tests of this crate rule out.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a file of this repository, which a test parses"
    )]
    pub fn built_in() -> Self {
        toml::from_str(include_str!("../../../../services.toml")).expect("services.toml is a registry")
    }

    /// The services, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &RegisteredService> {
        self.services.iter()
    }

    /// The service of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RegisteredService> {
        self.iter().find(|service| service.name == name)
    }
}

/// The address at which a program on this machine reaches a listener: loopback if it listens on all addresses.
pub(crate) fn reachable_ip(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_of_the_built_in_register_has_a_port() {
        let registry = Registry::built_in();
        let ports: std::collections::HashSet<_> = registry.iter().map(|service| service.port(8080)).collect();
        assert_eq!(ports.len(), registry.services.len());
        assert_eq!(
            registry.find("user-service").map(|service| service.port(8080)),
            Some(8081)
        );
        assert_eq!(
            registry
                .find("product-service")
                .map(RegisteredService::variable_prefix)
                .as_deref(),
            Some("PRODUCT_SERVICE")
        );
        assert!(registry.find("no-such-service").is_none());
    }

    #[test]
    fn a_service_calls_other_registered_services_each_listed_once() {
        let registry = Registry::built_in();
        for service in registry.iter() {
            let called: std::collections::HashSet<_> = service.calls.iter().collect();
            assert_eq!(
                called.len(),
                service.calls.len(),
                "{} lists a service twice",
                service.name
            );
            for called in called {
                assert!(
                    registry.find(called).is_some(),
                    "{} calls {called}, which is not registered",
                    service.name
                );
            }
            assert!(!service.may_call(&service.name), "{} calls itself", service.name);
        }
        let orders = registry.find("order-service").unwrap();
        assert!(orders.may_call("inventory-service") && !orders.may_call("gateway"));
    }
    #[test]
    fn a_local_url_has_the_address_that_the_service_is_reachable_at() {
        let registry = Registry::built_in();
        let user_service = registry.find("user-service").unwrap();
        for (bind, url) in [
            ("127.0.0.1", "http://127.0.0.1:8081"),
            ("0.0.0.0", "http://127.0.0.1:8081"),
            ("192.0.2.7", "http://192.0.2.7:8081"),
            ("::", "http://[::1]:8081"),
            ("2001:db8::7", "http://[2001:db8::7]:8081"),
        ] {
            assert_eq!(user_service.local_url(bind.parse().unwrap(), 8080), url);
        }
    }
}
