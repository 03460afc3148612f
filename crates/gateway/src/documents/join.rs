//! Joins OpenAPI documents: the public routes of each, under the paths that clients use.
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a `serde_json::Value` adds a missing member and never panics on an object"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::{answers, components, own_pages};
use crate::NAME;
use crate::table::Table;

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
        "tags": [own_pages::tag()],
        "paths": own_pages::paths(),
        "components": answers::components(),
    });
    let mut operation_ids = BTreeSet::new();
    rename_operations(NAME, &mut joined, &mut operation_ids);
    for (service, document) in by_service {
        let mut public = public_part(service, document, table);
        components::rename(service, &mut public, &joined);
        rename_operations(service, &mut public, &mut operation_ids);
        answers::add(&mut public, |path| table.requires_token(path));
        add_tags(&mut joined, document, &public["paths"]);
        merge(&mut joined["paths"], &public["paths"]);
        if let Some(kinds) = public["components"].as_object() {
            for (kind, components) in kinds {
                merge(&mut joined["components"][kind], components);
            }
        }
    }
    answers::remove_unused(&mut joined);
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
    let mut unread = components::used_in(&paths);
    while let Some(component) = unread.pop_first() {
        let (kind, name) = &component;
        unread.extend(components::used_in(&document["components"][kind][name]));
        used.insert(component);
        unread.retain(|component| !used.contains(component));
    }
    let mut components = json!({});
    for (kind, name) in used {
        components[&kind][&name] = document["components"][&kind][&name].clone();
    }
    json!({"paths": paths, "components": components})
}

/// Adds the tags of a service that its public paths have. The first description of a tag stays.
fn add_tags(joined: &mut Value, document: &Value, paths: &Value) {
    let items = paths.as_object().into_iter().flatten();
    let operations = items.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    let used: Vec<_> = operations
        .filter_map(|(_, operation)| operation["tags"].as_array())
        .flatten()
        .collect();
    let Some(known) = joined["tags"].as_array_mut() else {
        return;
    };
    for tag in document["tags"].as_array().into_iter().flatten() {
        let is_new = !known.iter().any(|other| other["name"] == tag["name"]);
        if is_new && used.contains(&&tag["name"]) {
            known.push(tag.clone());
        }
    }
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

#[cfg(test)]
mod tests {
    use service_kit::{Env, Settings};

    use super::*;

    /// The documents of two services, joined with the routes of `services.toml`.
    fn joined(users: Value, products: Value) -> Value {
        let mut env = Env::from_vars(NAME, []);
        let settings = Settings::read(&mut env, NAME);
        let table = Table::read(&mut env, &settings, &Table::default());
        let by_service = [("user-service", users), ("product-service", products)];
        let by_service = by_service.map(|(service, document)| (service.to_owned(), document));
        join(&HashMap::from(by_service), &table)
    }

    fn list(schema: &Value) -> Value {
        json!({"get": {
            "operationId": "list",
            "responses": {"200": {"description": "All", "content": {"application/json": {"schema": schema}}}},
        }})
    }

    #[test]
    fn only_public_routes_and_their_components_are_joined() {
        let item = json!({"$ref": "#/components/schemas/Item"});
        let components = json!({"schemas": {
            "Item": {"items": {"$ref": "#/components/schemas/Part"}},
            "Part": {"type": "string"},
            "Unused": {"type": "string"},
        }});
        let paths =
            json!({"/products": list(&item), "/internal/stock": list(&item), "/metrics": list(&item)});
        let joined = joined(json!({}), json!({"paths": paths, "components": components}));

        let paths: Vec<_> = joined["paths"].as_object().unwrap().keys().collect();
        assert_eq!(
            paths,
            [
                "/api/products",
                "/docs",
                "/health/live",
                "/health/ready",
                "/openapi.json"
            ]
        );
        let schemas: Vec<_> = joined["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(schemas, ["FieldError", "Item", "Part", "Problem"]);
    }

    #[test]
    fn an_operation_below_a_route_that_requires_a_token_says_so() {
        // A service that is not ours, and says nothing about tokens.
        let users = json!({"paths": {"/users": list(&json!({})), "/auth/login": list(&json!({}))}});
        let joined = joined(users, json!({"paths": {"/products": list(&json!({}))}}));
        let required = &joined["paths"]["/api/users"]["get"];
        assert_eq!(required["security"], json!([{"bearer": []}, {"cookie": []}]));
        assert_eq!(
            required["responses"]["401"]["$ref"],
            "#/components/responses/GatewayUnauthenticated"
        );
        assert_eq!(
            joined["components"]["securitySchemes"]["bearer"]["scheme"],
            "bearer"
        );
        for open in ["/auth/login", "/api/products"] {
            let operation = &joined["paths"][open]["get"];
            assert!(operation["security"].is_null() && operation["responses"]["401"].is_null());
        }
    }

    #[test]
    fn the_tags_of_public_routes_are_described() {
        let described = |name: &str| json!({"name": name, "description": "Things"});
        let tagged = json!({"get": {"operationId": "list", "tags": ["things"], "responses": {}}});
        let document = json!({
            "tags": [described("things"), described("unused")],
            "paths": {"/products": tagged, "/internal/things": tagged},
        });
        let joined = joined(json!({}), document);
        let names = joined["tags"].as_array().unwrap().iter();
        assert_eq!(
            names.map(|tag| &tag["name"]).collect::<Vec<_>>(),
            ["gateway", "things"]
        );
    }

    #[test]
    fn operation_ids_are_unique() {
        let users = json!({"paths": {"/users": list(&json!({})), "/auth/login": {"post": {"operationId": "health_live"}}}});
        let products = json!({"paths": {"/products": list(&json!({}))}});
        let joined = joined(users, products);
        let id = |path: &str, method: &str| joined["paths"][path][method]["operationId"].clone();
        assert_eq!(id("/api/products", "get"), "list");
        assert_eq!(id("/api/users", "get"), "user_service_list");
        assert_eq!(id("/health/live", "get"), "health_live");
        assert_eq!(id("/auth/login", "post"), "user_service_health_live");
    }

    #[test]
    fn a_service_may_use_the_names_of_the_gateways_own_components() {
        let problem = json!({"type": "object", "title": "another"});
        let reference = json!({"$ref": "#/components/schemas/Problem"});
        let products = json!({
            "paths": {"/products": list(&reference)},
            "components": {"schemas": {"Problem": problem}},
        });
        let joined = joined(json!({}), products);
        let schemas = &joined["components"]["schemas"];
        assert_eq!(schemas["ProductServiceProblem"], problem);
        assert_ne!(schemas["Problem"], problem);
        let content = &joined["paths"]["/api/products"]["get"]["responses"]["200"]["content"];
        assert_eq!(
            content["application/json"]["schema"]["$ref"],
            "#/components/schemas/ProductServiceProblem"
        );
    }

    #[test]
    fn every_reference_leads_to_a_component_and_every_answer_is_used() {
        let mut joined = joined(json!({}), json!({"paths": {"/products": list(&json!({}))}}));
        let used = components::used_in(&joined);
        for (kind, name) in &used {
            assert!(joined["components"][kind][name].is_object(), "{kind} {name}");
        }
        let answers = joined["components"]["responses"].take();
        let answers = answers.as_object().unwrap();
        assert!(!answers.is_empty());
        for name in answers.keys() {
            assert!(used.contains(&("responses".to_owned(), name.clone())), "{name}");
        }
    }
}
