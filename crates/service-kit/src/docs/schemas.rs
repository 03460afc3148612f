//! The schemas of errors, and corrections of what is derived from Rust types.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Object, PROBLEM_JSON};

pub(super) const SCHEMAS: &str = "#/components/schemas/";

/// RFC 9457 §3, with the platform's own members.
pub(super) fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457)",
        "required": ["type", "title", "status", "code", "request_id"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "Always `about:blank`: `code` names the problem",
                "examples": ["about:blank"],
            },
            "title": {"type": "string", "maxLength": 100, "description": "The status in words", "examples": ["Not Found"]},
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status", "examples": [404]},
            "detail": {
                "type": "string",
                "maxLength": 10_000,
                "description": "An explanation for people",
                "examples": ["There is no such route."],
            },
            "code": {
                "type": "string",
                "maxLength": 100,
                "pattern": "^[a-z][a-z0-9_]*$",
                "description": "The stable name of the error, for programs",
                "examples": ["not_found"],
            },
            "request_id": {
                "type": "string",
                "maxLength": 128,
                "pattern": "^[A-Za-z0-9._-]+$",
                "description": "The id by which the logs of all services name this request",
                "examples": ["a-request-id"],
            },
            "errors": {
                "type": "array",
                "maxItems": 1000,
                "items": {"$ref": "#/components/schemas/FieldError"},
                "description": "The invalid members of the body, with status 422",
            },
        },
    })
}

/// One invalid member of a body.
pub(super) fn field_error() -> Value {
    json!({
        "type": "object",
        "description": "One invalid member of a body",
        "required": ["field", "message"],
        "properties": {
            "field": {
                "type": "string",
                "maxLength": 10_000,
                "description": "The member's path, such as `items[0].quantity`; empty for the whole body",
                "examples": ["items[0].quantity"],
            },
            "message": {
                "type": "string",
                "maxLength": 10_000,
                "description": "What a valid value is, for people",
                "examples": ["must be at least 1"],
            },
        },
    })
}

/// RFC 6749 §5.2.
pub(super) fn oauth_error() -> Value {
    json!({
        "type": "object",
        "description": "An OAuth error (RFC 6749 §5.2)",
        "required": ["error", "error_description"],
        "properties": {
            "error": {
                "type": "string",
                "maxLength": 100,
                "description": "The name of the error, for programs",
                "examples": ["invalid_request"],
            },
            "error_description": {
                "type": "string",
                "maxLength": 10_000,
                "description": "An explanation for people",
                "examples": ["The parameter token is missing."],
            },
        },
    })
}

/// A member that a handler describes under `application/problem+json` is added to those of all problem details.
pub(super) fn extend_problem(document: &mut Value) {
    let mut extended = BTreeSet::new();
    for operation in operations(document) {
        for response in operation["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, value)| value)
        {
            references(&response["content"][PROBLEM_JSON]["schema"], &mut extended);
        }
    }
    extended.remove("Problem");
    for name in extended {
        let schema = document["components"]["schemas"][&name].take();
        document["components"]["schemas"][&name] =
            json!({"allOf": [{"$ref": format!("{SCHEMAS}Problem")}, schema]});
    }
}

/// utoipa takes an `Option` for a value that may be null. In requests it is one that may be left out: null is refused.
pub(super) fn refuse_null_in_requests(document: &mut Value) {
    let mut reached = BTreeSet::new();
    for operation in operations(document) {
        if let Some(body) = operation.get_mut("requestBody") {
            remove_null(&mut body["content"]);
            references(&body["content"], &mut reached);
        }
    }

    let mut pending: Vec<String> = reached.iter().cloned().collect();
    while let Some(name) = pending.pop() {
        let schema = &mut document["components"]["schemas"][&name];
        remove_null(schema);
        let mut inner = BTreeSet::new();
        references(schema, &mut inner);
        pending.extend(inner.into_iter().filter(|name| reached.insert(name.clone())));
    }
}

/// Removes null from the types that a schema allows, and from those of its members.
pub(super) fn remove_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            remove_null_alternative(members);
            members.values_mut().for_each(remove_null);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_null),
        _ => {}
    }
}

fn remove_null_alternative(schema: &mut Object) {
    let Some(Value::Array(alternatives)) = schema.get_mut("oneOf") else {
        return;
    };
    alternatives.retain(|alternative| alternative["type"] != "null");
    if let [Value::Object(only)] = alternatives.as_slice() {
        let only = only.clone();
        schema.remove("oneOf");
        for (name, member) in only {
            schema.entry(name).or_insert(member);
        }
    }
}

/// The names of the schemas that this one refers to.
fn references(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            names.extend(
                name.and_then(|name| name.strip_prefix(SCHEMAS))
                    .map(str::to_owned),
            );
            members.values().for_each(|member| references(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        _ => {}
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(_, path)| {
        path.as_object_mut()
            .into_iter()
            .flatten()
            .map(|(_, operation)| operation)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_a_request_may_be_left_out_but_not_null() {
        let mut document = json!({
            "paths": {"/things": {"post": {"requestBody": {"content": {"application/json": {
                "schema": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/NewThing"}]},
            }}}}}},
            "components": {"schemas": {
                "NewThing": {"properties": {
                    "name": {"type": ["string", "null"]},
                    "part": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Part"}], "description": "a part"},
                }},
                "Part": {"properties": {"size": {"type": ["integer", "null"]}}},
                "Thing": {"properties": {"size": {"type": ["integer", "null"]}}},
            }},
        });

        refuse_null_in_requests(&mut document);

        let body = &document["paths"]["/things"]["post"]["requestBody"]["content"]["application/json"];
        assert_eq!(body["schema"], json!({"$ref": "#/components/schemas/NewThing"}));
        let schemas = &document["components"]["schemas"];
        assert_eq!(
            schemas["NewThing"]["properties"]["name"],
            json!({"type": "string"})
        );
        assert_eq!(
            schemas["NewThing"]["properties"]["part"],
            json!({"$ref": "#/components/schemas/Part", "description": "a part"})
        );
        assert_eq!(schemas["Part"]["properties"]["size"], json!({"type": "integer"}));
        assert_eq!(
            schemas["Thing"]["properties"]["size"],
            json!({"type": ["integer", "null"]})
        );
    }

    #[test]
    fn a_problem_has_the_members_of_all_problems_and_its_own() {
        let own = json!({"properties": {"short": {"type": "array"}}});
        let mut document = json!({
            "paths": {"/things": {"post": {"responses": {"409": {"content": {PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Conflict"},
            }}}}}}},
            "components": {"schemas": {"Problem": problem(), "Conflict": own}},
        });

        extend_problem(&mut document);

        let schemas = &document["components"]["schemas"];
        assert_eq!(
            schemas["Conflict"]["allOf"],
            json!([{"$ref": "#/components/schemas/Problem"}, own])
        );
        assert_eq!(schemas["Problem"], problem());
    }
}
