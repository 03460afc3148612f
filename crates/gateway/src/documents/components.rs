//! The components of an OpenAPI document: the parts of a document that refer to them, and their new names in the joined document.
//!
//! Two services may give one name to different components. Such a component is renamed, and so is each component that refers to it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A component by its kind and its name: `("schemas", "Product")`.
pub(super) type Component = (String, String);

/// The components that a part of a document refers to: by `$ref`, and by the names of security schemes.
pub(super) fn used_in(part: &Value) -> BTreeSet<Component> {
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
                    value => found.extend(used_in(value)),
                }
            }
        }
        Value::Array(items) => found.extend(items.iter().flat_map(used_in)),
        _ => {}
    }
    found
}

/// The component that this part is a reference to.
pub(super) fn resolve<'c>(part: &Value, components: &'c Value) -> Option<&'c Value> {
    let (kind, name) = parse_reference(part.get("$ref")?.as_str()?)?;
    components.get(kind)?.get(name)
}

fn parse_reference(reference: &str) -> Option<Component> {
    let (kind, name) = reference.strip_prefix("#/components/")?.split_once('/')?;
    Some((kind.to_owned(), name.to_owned()))
}

/// Renames the components of `public` whose name is taken by a different component in `joined`.
pub(super) fn rename(service: &str, public: &mut Value, joined: &Value) {
    let renamed = conflicts(public, joined);
    for (kind, name) in &renamed {
        if let Some(components) = public
            .pointer_mut(&format!("/components/{kind}"))
            .and_then(Value::as_object_mut)
            && let Some(component) = components.remove(name)
        {
            components.insert(qualified(service, name), component);
        }
    }
    update_references(service, public, &renamed);
}

/// The components that need a new name. A component that refers to one of them is a different component, too.
fn conflicts(public: &Value, joined: &Value) -> BTreeSet<Component> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (kind, components) in members(public.get("components")) {
            for (name, component) in members(Some(components)) {
                let taken = joined
                    .pointer("/components")
                    .and_then(|joined| joined.get(kind)?.get(name));
                let refers_to_renamed = used_in(component).iter().any(|used| found.contains(used));
                if taken.is_some_and(|taken| taken != component || refers_to_renamed) {
                    found.insert((kind.clone(), name.clone()));
                }
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A document whose only operation has a page of items.
    fn document(item: &Value) -> Value {
        json!({
            "paths": {"/items": {"get": {
                "security": [{}, {"bearer": ["items:read"]}],
                "responses": {"200": {"schema": {"$ref": "#/components/schemas/Page"}}},
            }}},
            "components": {
                "schemas": {
                    "Page": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
                    "Item": item,
                    "Other": {"type": "null"},
                },
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        })
    }

    #[test]
    fn a_component_with_a_taken_name_is_renamed_with_those_that_refer_to_it() {
        let joined = document(&json!({"type": "string"}));
        let mut public = document(&json!({"type": "integer"}));
        rename("order-service", &mut public, &joined);
        assert_eq!(
            public["components"]["schemas"],
            json!({
                "OrderServicePage": {"type": "array", "items": {"$ref": "#/components/schemas/OrderServiceItem"}},
                "OrderServiceItem": {"type": "integer"},
                "Other": {"type": "null"},
            })
        );
        assert_eq!(
            public["paths"]["/items"]["get"]["responses"]["200"]["schema"]["$ref"],
            "#/components/schemas/OrderServicePage"
        );
    }

    #[test]
    fn a_security_scheme_with_a_taken_name_is_renamed() {
        let joined = document(&json!({}));
        let mut public = document(&json!({}));
        public["components"]["securitySchemes"]["bearer"] = json!({"type": "http", "scheme": "basic"});
        rename("order-service", &mut public, &joined);
        assert_eq!(
            public["components"]["securitySchemes"],
            json!({"OrderServicebearer": {"type": "http", "scheme": "basic"}})
        );
        assert_eq!(
            public["paths"]["/items"]["get"]["security"],
            json!([{}, {"OrderServicebearer": ["items:read"]}])
        );
    }

    #[test]
    fn equal_components_and_names_that_are_free_stay() {
        let joined = document(&json!({"type": "string"}));
        let mut public = joined.clone();
        public["components"]["schemas"]["New"] = json!({"$ref": "#/components/schemas/Item"});
        let before = public.clone();
        rename("order-service", &mut public, &joined);
        assert_eq!(public, before);
    }

    #[test]
    fn components_are_found_behind_references_and_security_requirements() {
        let document = document(&json!({}));
        let component = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        assert_eq!(
            used_in(&document["paths"]),
            BTreeSet::from([
                component("schemas", "Page"),
                component("securitySchemes", "bearer")
            ])
        );
        let page = &document["components"]["schemas"]["Page"];
        assert_eq!(resolve(&page["items"], &document["components"]), Some(&json!({})));
        assert_eq!(resolve(page, &document["components"]), None);
    }
}
