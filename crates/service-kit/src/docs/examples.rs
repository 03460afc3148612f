//! Examples of bodies and of ids in paths. Each is composed from the examples of its members, so that a field's example is written
//! once, beside the field.
//!
//! The examples of all services belong together: an id, an email address or a token in one example belongs to the row that another
//! example creates.

use serde_json::{Map, Value, json};

use super::schemas::SCHEMAS;

/// The time in every example.
const TIME: &str = "2026-01-01T00:00:00Z";

/// Adds an example to each body of a request and of a successful response that has none, and to each id in a path.
pub(super) fn complete(document: &mut Value) {
    members_mut(&mut document["components"]["schemas"]).for_each(|(_, schema)| rename_in_schemas(schema));
    let schemas = document["components"]["schemas"].take();
    for (_, item) in members_mut(&mut document["paths"]) {
        for (_, operation) in members_mut(item) {
            add_to_contents(operation.pointer_mut("/requestBody/content"), &schemas);
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            for (_, response) in responses
                .into_iter()
                .flatten()
                .filter(|(status, _)| status.starts_with('2'))
            {
                add_to_contents(response.get_mut("content"), &schemas);
            }
        }
    }
    document["components"]["schemas"] = schemas;
    add_to_ids(&mut document["paths"]);
}

/// The example of a schema: its own one, or else one that is composed from its members. `None` if a required member has none.
fn compose(schema: &Value, schemas: &Value) -> Option<Value> {
    if let Some(own) = schema["examples"].get(0).or_else(|| schema.get("const")) {
        return Some(own.clone());
    }
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix(SCHEMAS))
    {
        return compose(schemas.get(name)?, schemas);
    }
    if let Some(first) = schema["enum"].get(0) {
        return Some(first.clone());
    }
    let alternatives = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
    if let Some(alternatives) = alternatives {
        return alternatives
            .iter()
            .find(|alternative| alternative["type"] != "null")
            .and_then(|alternative| compose(alternative, schemas));
    }
    let is_nullable = schema["type"]
        .as_array()
        .is_some_and(|types| types.contains(&json!("null")));
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str())? {
        "object" => compose_object(schema, schemas),
        "array" => Some(json!([compose(&schema["items"], schemas)?])),
        "boolean" => Some(json!(false)),
        "string" if schema["format"] == "date-time" => Some(json!(TIME)),
        _ if is_nullable => Some(Value::Null),
        _ => None,
    }
}

fn compose_object(schema: &Value, schemas: &Value) -> Option<Value> {
    let required = schema["required"].as_array();
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
    let mut object = Map::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        match compose(member, schemas) {
            Some(example) => {
                object.insert(name.clone(), example);
            }
            None if is_required(name) => return None,
            None => {}
        }
    }
    Some(Value::Object(object))
}

fn add_to_contents(contents: Option<&mut Value>, schemas: &Value) {
    for (_, content) in contents.map(members_mut).into_iter().flatten() {
        if content.get("example").is_some() || content.get("examples").is_some() {
            continue;
        }
        if let Some(example) = content.get("schema").and_then(|schema| compose(schema, schemas)) {
            content["example"] = example;
        }
    }
}

/// utoipa writes `example`, which JSON Schema, and so OpenAPI 3.1, calls `examples`.
fn rename_in_schemas(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(example) = members.remove("example") {
                members.insert("examples".to_owned(), json!([example]));
            }
            for (name, member) in members {
                // The names in `properties` are those of an object's members.
                if name == "properties" {
                    members_mut(member).for_each(|(_, schema)| rename_in_schemas(schema));
                } else if name != "examples" {
                    rename_in_schemas(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(rename_in_schemas),
        _ => {}
    }
}

/// Gives the id in `/things/{id}` and in paths below it the id of the thing in the example of `GET /things/{id}`, or else of
/// `POST /things`. A handler may name another example.
fn add_to_ids(paths: &mut Value) {
    let known = paths.clone();
    for (path, item) in members_mut(paths) {
        let Some((collection, _)) = path.split_once("/{id}") else {
            continue;
        };
        let Some(id) = id_of(&known, collection) else {
            continue;
        };
        for (_, operation) in members_mut(item) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                if parameter["in"] == "path" && parameter.get("example").is_none() {
                    parameter["example"] = id.clone();
                }
            }
        }
    }
}

fn id_of(paths: &Value, collection: &str) -> Option<Value> {
    let shown = &paths[format!("{collection}/{{id}}")]["get"]["responses"]["200"];
    let created = &paths[collection]["post"]["responses"]["201"];
    [shown, created]
        .into_iter()
        .find_map(|response| response.pointer("/content/application~1json/example/id").cloned())
}

fn members_mut(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas() -> Value {
        json!({
            "Thing": {
                "type": "object",
                "required": ["id", "made_at", "part", "note"],
                "properties": {
                    "id": {"type": "string", "format": "uuid", "examples": ["1"]},
                    "made_at": {"type": "string", "format": "date-time"},
                    "part": {"$ref": "#/components/schemas/Part"},
                    "note": {"type": ["string", "null"]},
                    "size": {"type": "integer"},
                },
            },
            "Part": {"type": "string", "enum": ["lid", "box"]},
            "Page": {
                "type": "object",
                "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}},
            },
        })
    }

    #[test]
    fn an_example_is_composed_from_the_examples_of_members() {
        let thing = json!({"id": "1", "made_at": TIME, "part": "lid", "note": null});
        let page = json!({"$ref": "#/components/schemas/Page"});
        assert_eq!(compose(&page, &schemas()), Some(json!({"items": [thing]})));
    }

    #[test]
    fn without_the_example_of_a_required_member_there_is_none() {
        let mut schemas = schemas();
        schemas["Thing"]["required"] = json!(["size"]);
        assert_eq!(
            compose(&json!({"$ref": "#/components/schemas/Thing"}), &schemas),
            None
        );
    }

    #[test]
    fn the_id_in_a_path_is_that_of_the_thing() {
        let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}});
        let id = json!([{"in": "path", "name": "id"}]);
        let other = json!([{"in": "path", "name": "id", "example": "2"}]);
        let mut document = json!({
            "paths": {
                "/things": {"post": {"responses": {"201": {"content": content}}}},
                "/things/{id}": {"delete": {"parameters": id, "responses": {}}},
                "/things/{id}/owner": {"get": {"parameters": id, "responses": {}}, "put": {"parameters": other, "responses": {}}},
            },
            "components": {"schemas": schemas()},
        });
        complete(&mut document);
        let example = |path: &str, method: &str| &document["paths"][path][method]["parameters"][0]["example"];
        assert_eq!(example("/things/{id}", "delete"), "1");
        assert_eq!(example("/things/{id}/owner", "get"), "1");
        assert_eq!(example("/things/{id}/owner", "put"), "2");
    }

    #[test]
    fn schemas_have_a_list_of_examples() {
        let mut schema = json!({"properties": {"example": {"type": "string", "example": "a"}}});
        rename_in_schemas(&mut schema);
        assert_eq!(
            schema,
            json!({"properties": {"example": {"type": "string", "examples": ["a"]}}})
        );
    }
}
