//! The descriptions, bounds and examples of an OpenAPI document, which its readers and generators of clients need.

use std::collections::BTreeSet;

use serde_json::Value;

/// One line for each missing part of the document. `is_valid` says whether an example conforms to the schema at a JSON pointer.
pub(super) fn problems(document: &Value, is_valid: &mut dyn FnMut(&str, &Value) -> bool) -> Vec<String> {
    let mut report = Report {
        document,
        problems: Vec::new(),
        is_valid,
    };
    for (name, schema) in members(&document["components"]["schemas"]) {
        if text(&schema["description"]).is_empty() && schema["allOf"].is_null() {
            report.add(name, "has no description");
        }
        report.check_schema(name, schema);
    }
    for (name, header) in members(&document["components"]["headers"]) {
        report.check_described_schema(&format!("the header {name}"), header);
    }
    for (name, scheme) in members(&document["components"]["securitySchemes"]) {
        report.check_description(&format!("the security scheme {name}"), scheme);
    }
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            report.check_operation(path, method, operation);
        }
    }
    report.problems
}

struct Report<'d> {
    document: &'d Value,
    problems: Vec<String>,
    is_valid: &'d mut dyn FnMut(&str, &Value) -> bool,
}

impl Report<'_> {
    fn add(&mut self, place: &str, problem: &str) {
        self.problems.push(format!("{place} {problem}"));
    }

    fn check_operation(&mut self, path: &str, method: &str, operation: &Value) {
        let place = format!("{} {path}", method.to_uppercase());
        let summary = text(&operation["summary"]);
        if summary.is_empty()
            || summary.len() > 120
            || summary.contains(['\n', ';'])
            || summary.contains(". ")
        {
            self.add(&place, "has no summary of one short sentence");
        }
        let id = text(&operation["operationId"]);
        let is_name = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '_');
        if id.is_empty() || !id.chars().all(is_name) {
            self.add(&place, "has no operationId in snake_case");
        }
        self.check_tags(&place, &operation["tags"]);

        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let place = format!("{place}: the parameter {}", text(&parameter["name"]));
            self.check_described_schema(&place, parameter);
            if parameter["required"] == true && parameter.get("example").is_none() {
                self.add(&place, "has no example");
            }
        }
        let pointer = format!("/paths/{}/{method}", escape(path));
        let body = &operation["requestBody"]["content"];
        self.check_contents(
            &format!("{place}: the body"),
            body,
            &format!("{pointer}/requestBody/content"),
        );
        for (status, response) in members(&operation["responses"]) {
            self.check_description(&format!("{place}: {status}"), response);
            if status.starts_with('2') {
                let pointer = format!("{pointer}/responses/{status}/content");
                self.check_contents(&format!("{place}: {status}"), &response["content"], &pointer);
            }
        }
    }

    fn check_tags(&mut self, place: &str, tags: &Value) {
        let known = self.document["tags"].as_array().into_iter().flatten();
        let described = known.filter(|tag| !text(&tag["description"]).is_empty());
        let described: BTreeSet<_> = described.map(|tag| text(&tag["name"])).collect();
        let mut tags = tags.as_array().into_iter().flatten().peekable();
        if tags.peek().is_none() {
            self.add(place, "has no tag");
        }
        for tag in tags.map(text).filter(|tag| !described.contains(tag)) {
            self.add(
                place,
                &format!("has the tag `{tag}`, which `tags` does not describe"),
            );
        }
    }

    /// The contents of a body, at this pointer.
    fn check_contents(&mut self, place: &str, contents: &Value, pointer: &str) {
        for (media_type, content) in members(contents) {
            let place = format!("{place} ({media_type})");
            if media_type != "text/plain" && media_type != "text/event-stream" {
                self.check_schema(&place, &content["schema"]);
            }
            let named = members(&content["examples"]).map(|(_, example)| &example["value"]);
            let examples: Vec<_> = content.get("example").into_iter().chain(named).collect();
            if examples.is_empty() {
                self.add(&place, "has no example");
            }
            for example in examples {
                if !(self.is_valid)(&format!("{pointer}/{}/schema", escape(media_type)), example) {
                    self.add(&place, &format!("has an example that is not valid: {example}"));
                }
            }
        }
    }

    fn check_description(&mut self, place: &str, part: &Value) {
        if part["$ref"].is_null() && text(&part["description"]).is_empty() {
            self.add(place, "has no description");
        }
    }

    /// A parameter or a header.
    fn check_described_schema(&mut self, place: &str, part: &Value) {
        self.check_description(place, part);
        self.check_schema(place, &part["schema"]);
    }

    /// Each text, number and list has a bound, and each member a description. Referenced schemas are checked by themselves.
    fn check_schema(&mut self, place: &str, schema: &Value) {
        for key in ["allOf", "oneOf", "anyOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                self.check_schema(place, part);
            }
        }
        let types = schema["type"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![schema["type"].clone()]);
        for name in types.iter().map(text) {
            if !is_bounded(name, schema) {
                self.add(place, &format!("has no bounds ({name})"));
            }
        }
        if schema["items"].is_object() {
            self.check_schema(&format!("{place}[]"), &schema["items"]);
        }
        for (name, member) in members(&schema["properties"]) {
            let place = format!("{place}.{name}");
            // A reference has the description of its target. That of a nullable reference is beside the reference.
            let alternatives = member["oneOf"].as_array().into_iter().flatten().chain([member]);
            let mut has_description =
                alternatives.map(|part| part.get("$ref").or_else(|| part.get("description")));
            if !has_description.any(|part| part.is_some()) {
                self.add(&place, "has no description");
            }
            self.check_schema(&place, member);
        }
    }
}

/// Whether the values of this type are limited. A format limits a text, except `password`, which only hides it.
fn is_bounded(type_name: &str, schema: &Value) -> bool {
    let has = |key: &str| schema.get(key).is_some();
    has("const")
        || has("enum")
        || match type_name {
            "string" => {
                let format = text(&schema["format"]);
                has("maxLength") || has("pattern") || !["", "password"].contains(&format)
            }
            "integer" | "number" => has("minimum") && has("maximum"),
            "array" => has("maxItems"),
            _ => true,
        }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A name in a JSON pointer (RFC 6901 §3).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(document: &Value) -> Vec<String> {
        problems(document, &mut |_, example| example != "wrong")
    }

    #[test]
    fn a_complete_document_has_no_problems() {
        let body = json!({"schema": {"$ref": "#/components/schemas/Thing"}, "example": {}});
        let document = json!({
            "tags": [{"name": "things", "description": "Things"}],
            "paths": {"/things/{id}": {"put": {
                "summary": "Replaces a thing", "operationId": "replace_thing", "tags": ["things"],
                "parameters": [{
                    "in": "path", "name": "id", "required": true, "description": "The id", "example": "1",
                    "schema": {"type": "string", "format": "uuid"},
                }],
                "requestBody": {"content": {"application/json": body}},
                "responses": {"200": {"description": "Done", "content": {"application/json": body}}},
            }}},
            "components": {"schemas": {"Thing": {
                "type": "object", "description": "A thing",
                "properties": {
                    "size": {"type": "integer", "minimum": 0, "maximum": 9, "description": "The size"},
                    "part": {"$ref": "#/components/schemas/Part"},
                },
            }}},
        });
        assert_eq!(found(&document), Vec::<String>::new());
    }

    #[test]
    fn each_missing_part_is_named() {
        let list = json!({"type": "array", "items": {"type": ["string", "null"], "format": "password"}});
        let document = json!({
            "paths": {"/things": {"get": {
                "tags": ["things"],
                "parameters": [{"in": "query", "name": "q", "schema": {"type": "string"}}],
                "responses": {"200": {"content": {
                    "application/json": {"schema": {}, "example": "wrong"},
                    "text/plain": {"schema": {}},
                }}},
            }}},
            "components": {"schemas": {"Thing": {"type": "object", "properties": {"names": list}}}},
        });
        let expected = [
            "Thing has no description",
            "Thing.names has no description",
            "Thing.names has no bounds (array)",
            "Thing.names[] has no bounds (string)",
            "GET /things has no summary of one short sentence",
            "GET /things has no operationId in snake_case",
            "GET /things has the tag `things`, which `tags` does not describe",
            "GET /things: the parameter q has no description",
            "GET /things: the parameter q has no bounds (string)",
            "GET /things: 200 has no description",
            "GET /things: 200 (application/json) has an example that is not valid: \"wrong\"",
            "GET /things: 200 (text/plain) has no example",
        ];
        assert_eq!(found(&document), expected);
    }
}
