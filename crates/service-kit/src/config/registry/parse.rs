//! Reads and checks a registry. All problems are reported together.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;

use super::route::RouteEntry;
use super::{RegisteredService, Registry};

/// The service that issues tokens.
const USER_SERVICE: &str = "user-service";
/// The gateway's row. The gateway has no public routes itself.
const GATEWAY: &str = "gateway";

/// Why a registry can't be used: all problems, one on each line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidRegistry(pub Vec<String>);

impl fmt::Display for InvalidRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "service")]
    services: Vec<ServiceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    name: String,
    port_offset: u16,
    #[serde(default = "yes")]
    database: bool,
    #[serde(default)]
    inner_port: bool,
    calls: Vec<String>,
    #[serde(default, rename = "route")]
    routes: Vec<RouteEntry>,
}

fn yes() -> bool {
    true
}

/// Parses the text of `services.toml`.
pub(super) fn parse(text: &str) -> Result<Registry, InvalidRegistry> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        InvalidRegistry(vec![format!("line {line}: {}", error.message())])
    })?;

    let mut problems = Vec::new();
    check_services(&document.services, &mut problems);
    let services = document
        .services
        .into_iter()
        .map(|service| check_service(service, &mut problems))
        .collect();
    if problems.is_empty() {
        Ok(Registry { services })
    } else {
        Err(InvalidRegistry(problems))
    }
}

/// Checks the rows against one another.
fn check_services(services: &[ServiceEntry], problems: &mut Vec<String>) {
    let names: HashSet<_> = services.iter().map(|service| service.name.as_str()).collect();
    if !names.contains(USER_SERVICE) {
        problems.push(format!("there is no service `{USER_SERVICE}`"));
    }
    let (mut seen, mut ports, mut prefixes) = (HashSet::new(), HashSet::new(), HashSet::new());
    for service in services {
        let name = &service.name;
        if !seen.insert(name) {
            problems.push(format!("{name} is listed twice"));
        }
        if !ports.insert(service.port_offset) {
            problems.push(format!("{name} has the port_offset of another service"));
        }
        let mut called = HashSet::new();
        for audience in &service.calls {
            if !names.contains(audience.as_str()) {
                problems.push(format!("{name} calls {audience}, which is not listed"));
            }
            if audience == name || !called.insert(audience) {
                problems.push(format!("{name} calls itself, or {audience} twice"));
            }
        }
        for route in &service.routes {
            if !prefixes.insert(&route.prefix) {
                problems.push(format!("the route `{}` is listed twice", route.prefix));
            }
        }
        if name == GATEWAY && !service.routes.is_empty() {
            problems.push(format!(
                "{GATEWAY} can't have routes: it forwards to the other services"
            ));
        }
    }
}

/// Checks one row.
fn check_service(service: ServiceEntry, problems: &mut Vec<String>) -> RegisteredService {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let name = service.name;
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(is_plain) {
        problems.push(format!(
            "the name `{name}` must consist of lowercase letters, digits and hyphens, and begin with a letter"
        ));
    }
    let routes = service.routes.into_iter();
    let is_user_service = name == USER_SERVICE;
    RegisteredService {
        name,
        port_offset: service.port_offset,
        has_database: service.database,
        has_inner_port: service.inner_port,
        calls: service.calls,
        routes: routes
            .map(|route| route.check(is_user_service, problems))
            .collect(),
    }
}
