//! Joins OpenAPI documents: the public routes of each, under the paths that clients use.
//!
//! Two services may give one name to different components. Such a component is renamed, and so is each component that refers to it.
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a `serde_json::Value` adds a missing member and never panics on an object"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::table::Table;

/// A component by its kind and its name: `("schemas", "Product")`.
type Component = (String, String);

/// The document of all public routes of these services.
pub(super) fn join(by_service: &HashMap<String, Value>, table: &Table) -> Value {
    let by_service: BTreeMap<_, _> = by_service.iter().collect();
    let mut joined = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "All public routes of the platform, as the gateway serves them.",
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "servers": [{"url": "/"}],
        "paths": {},
        "components": {},
    });
    let mut operation_ids = BTreeSet::new();
    for (service, document) in by_service {
        let mut public = public_part(service, document, table);
        rename_components(service, &mut public, &joined);
        rename_operations(service, &mut public, &mut operation_ids);
        merge(&mut joined["paths"], &public["paths"]);
        if let Some(kinds) = public["components"].as_object() {
            for (kind, components) in kinds {
                merge(&mut joined["components"][kind], components);
            }
        }
    }
    add_gateway_answers(&mut joined);
    add_health(&mut joined["paths"]);
    joined
}

/// The public paths of a service, and the components that they use.
fn public_part(service: &str, document: &Value, table: &Table) -> Value {
    let mut paths = Map::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        if let Some(public) = table.public_path(service, path) {
            paths.insert(public, item.clone());
        }
    }
    let paths = Value::Object(paths);

    let mut used = BTreeSet::new();
    let mut unread = components_in(&paths);
    while let Some(component) = unread.pop_first() {
        let (kind, name) = &component;
        unread.extend(components_in(&document["components"][kind][name]));
        used.insert(component);
        unread.retain(|component| !used.contains(component));
    }
    let mut components = json!({});
    for (kind, name) in used {
        components[&kind][&name] = document["components"][&kind][&name].clone();
    }
    json!({"paths": paths, "components": components})
}

/// The components that a part of a document refers to: by `$ref`, and by the names of security schemes.
fn components_in(part: &Value) -> BTreeSet<Component> {
    let mut found = BTreeSet::new();
    match part {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(reference) if key == "$ref" => found.extend(parse_reference(reference)),
                    Value::Array(requirements) if key == "security" => {
                        let schemes = requirements
                            .iter()
                            .filter_map(Value::as_object)
                            .flat_map(Map::keys);
                        found.extend(schemes.map(|name| ("securitySchemes".to_owned(), name.clone())));
                    }
                    value => found.extend(components_in(value)),
                }
            }
        }
        Value::Array(items) => found.extend(items.iter().flat_map(components_in)),
        _ => {}
    }
    found
}

fn parse_reference(reference: &str) -> Option<Component> {
    let (kind, name) = reference.strip_prefix("#/components/")?.split_once('/')?;
    Some((kind.to_owned(), name.to_owned()))
}

/// Renames the components whose names stand for something else in `joined`.
fn rename_components(service: &str, public: &mut Value, joined: &Value) {
    let mut renamed = BTreeSet::new();
    loop {
        let before = renamed.len();
        for (kind, components) in public["components"].as_object().into_iter().flatten() {
            for (name, component) in components.as_object().into_iter().flatten() {
                let known = joined["components"].get(kind).and_then(|known| known.get(name));
                let refers_to_renamed = components_in(component).iter().any(|used| renamed.contains(used));
                if known.is_some_and(|known| known != component || refers_to_renamed) {
                    renamed.insert((kind.clone(), name.clone()));
                }
            }
        }
        if renamed.len() == before {
            break;
        }
    }
    for (kind, name) in &renamed {
        if let Some(components) = public["components"][kind].as_object_mut()
            && let Some(component) = components.remove(name)
        {
            components.insert(qualified(service, name), component);
        }
    }
    update_references(service, public, &renamed);
}

fn update_references(service: &str, part: &mut Value, renamed: &BTreeSet<Component>) {
    match part {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        let component = parse_reference(reference);
                        if let Some((kind, name)) = component.filter(|component| renamed.contains(component))
                        {
                            *reference = format!("#/components/{kind}/{}", qualified(service, &name));
                        }
                    }
                    Value::Array(requirements) if key == "security" => {
                        for requirement in requirements.iter_mut().filter_map(Value::as_object_mut) {
                            rename_schemes(service, requirement, renamed);
                        }
                    }
                    value => update_references(service, value, renamed),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                update_references(service, item, renamed);
            }
        }
        _ => {}
    }
}

fn rename_schemes(service: &str, requirement: &mut Map<String, Value>, renamed: &BTreeSet<Component>) {
    let schemes = std::mem::take(requirement);
    requirement.extend(schemes.into_iter().map(|(name, scopes)| {
        let component = ("securitySchemes".to_owned(), name);
        let is_renamed = renamed.contains(&component);
        let (_, name) = component;
        let name = if is_renamed {
            qualified(service, &name)
        } else {
            name
        };
        (name, scopes)
    }));
}

/// The name with the service in front: `ProductServicePage`.
fn qualified(service: &str, name: &str) -> String {
    let words = service.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.chain([name.to_owned()]).collect()
}

/// Gives each operation an id that no other service's operation has.
fn rename_operations(service: &str, public: &mut Value, taken: &mut BTreeSet<String>) {
    let items = public["paths"].as_object_mut().into_iter().flatten();
    for (_, item) in items {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(Value::String(id)) = operation.get_mut("operationId") else {
                continue;
            };
            if !taken.insert(id.clone()) {
                *id = format!("{}_{id}", service.replace('-', "_"));
                taken.insert(id.clone());
            }
        }
    }
}

/// Adds members that are not there yet.
fn merge(target: &mut Value, source: &Value) {
    if target.is_null() {
        *target = json!({});
    }
    let (Some(target), Some(source)) = (target.as_object_mut(), source.as_object()) else {
        return;
    };
    for (name, value) in source {
        target.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Adds the answers that the gateway itself may give to any request.
fn add_gateway_answers(document: &mut Value) {
    if document["components"]["schemas"].get("Problem").is_none() {
        return;
    }
    let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let answers = [
        (
            "429",
            "`rate_limited`: too many requests; `Retry-After` says when to try again",
        ),
        ("502", "`upstream_unavailable`: the service can't be reached"),
        (
            "503",
            "`circuit_open`: the service failed repeatedly; `Retry-After` says when to try again",
        ),
        ("504", "`upstream_timeout`: the service did not answer in time"),
    ];
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
                continue;
            };
            for (status, description) in answers {
                responses
                    .entry(status)
                    .or_insert_with(|| json!({"description": description, "content": content}));
            }
        }
    }
}

/// The gateway's own health checks.
fn add_health(paths: &mut Value) {
    for (path, id, summary) in [
        ("/health/live", "health_live", "Whether the gateway runs"),
        (
            "/health/ready",
            "health_ready",
            "Whether the gateway can forward requests",
        ),
    ] {
        paths[path]["get"] = json!({
            "tags": ["gateway"],
            "operationId": id,
            "summary": summary,
            "security": [],
            "responses": {
                "200": {"description": "It does", "content": {"application/json": {"schema": {
                    "type": "object",
                    "required": ["status"],
                    "properties": {"status": {"type": "string"}},
                }}}},
                "503": {"description": "It does not, or not yet"},
            },
        });
    }
}
