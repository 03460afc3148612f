//! The order in which the services stop: callers before the services that they call, so that no request loses a neighbour.

use service_kit::Registry;

/// It forwards requests to every other service.
const GATEWAY: &str = "gateway";

/// The services in the groups in which they stop, one group after the other. No running service calls one of the first group.
pub(crate) fn stop_order(registry: &Registry) -> Vec<Vec<String>> {
    let calls: Vec<_> = registry
        .iter()
        .map(|service| {
            let is_called =
                |name: &str| name != service.name && (service.name == GATEWAY || service.may_call(name));
            let called = registry.iter().map(|other| other.name.clone());
            (
                service.name.clone(),
                called.filter(|name| is_called(name)).collect(),
            )
        })
        .collect();
    group(calls)
}

/// Groups services, each with the services that it calls.
fn group(mut running: Vec<(String, Vec<String>)>) -> Vec<Vec<String>> {
    let mut groups = Vec::new();
    while !running.is_empty() {
        let is_called = |name: &String| running.iter().any(|(_, called)| called.contains(name));
        let (rest, mut group): (Vec<_>, Vec<_>) =
            running.iter().cloned().partition(|(name, _)| is_called(name));
        running = rest;
        if group.is_empty() {
            // The rest call each other in a circle.
            group = std::mem::take(&mut running);
        }
        groups.push(group.into_iter().map(|(name, _)| name).collect());
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(calls: &[(&str, &[&str])]) -> String {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let calls = calls
            .iter()
            .map(|(name, called)| ((*name).to_owned(), owned(called)));
        let groups = group(calls.collect());
        groups
            .iter()
            .map(|group| group.join(" "))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn a_service_of_the_platform_stops_after_its_callers() {
        let registry = Registry::built_in();
        let order = stop_order(&registry);
        let position = |name: &str| {
            order
                .iter()
                .position(|group| group.iter().any(|service| service == name))
        };
        for service in registry.iter() {
            for called in &service.calls {
                assert!(
                    position(&service.name) < position(called),
                    "{service:?} calls {called}: {order:?}"
                );
            }
        }
        assert_eq!(order.iter().flatten().count(), registry.iter().count());
    }

    #[test]
    fn independent_services_stop_together() {
        let calls: &[(&str, &[&str])] = &[
            ("a", &["d"]),
            ("b", &["c"]),
            ("c", &["d"]),
            ("d", &[]),
            ("e", &[]),
        ];
        assert_eq!(grouped(calls), "a b e, c, d");
    }

    #[test]
    fn services_that_call_each_other_stop_together() {
        assert_eq!(grouped(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]), "a, b c");
    }
}
