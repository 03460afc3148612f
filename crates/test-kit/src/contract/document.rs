//! The OpenAPI document of a service: it has to be valid, to describe the routes and no others, and to describe each
//! response that a test receives.

use std::cell::RefCell;
use std::collections::BTreeSet;

use auth::{ListedRoute, Policy, Routes};
use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};

use super::{description, openapi_snapshot};
use crate::client::Client;
use crate::response::TestResponse;

/// Where the document is among the schemas that the validator knows.
const DOCUMENT: &str = "http://service.test/openapi.json";
const OPENAPI_SCHEMA: &str = "https://spec.openapis.org/oas/3.1/schema/2022-10-07";

/// A service's document, with a validator of the schemas in it.
pub(super) struct Document {
    json: Value,
    validator: RefCell<Validator>,
}

impl Document {
    pub(super) async fn fetch(client: &Client) -> Self {
        Self::new(client.get("/openapi.json").await.assert_status(200).json())
    }

    pub(super) fn new(json: Value) -> Self {
        let validator = RefCell::new(Validator::new(&json));
        Self { json, validator }
    }

    /// The operation of a route.
    pub(super) fn operation(&self, route: &ListedRoute) -> &Value {
        &self.json["paths"][route.path][route.method.as_str().to_lowercase()]
    }

    /// Requires a valid document of this service, with the security that follows from the policies.
    pub(super) fn check(&self, name: &str, routes: &Routes) {
        assert_eq!(self.json["info"]["title"], name);
        self.check_content(name);
        for route in routes.iter() {
            let operation = self.operation(route);
            let is_open = matches!(route.policy, Policy::Anyone | Policy::Optional);
            let admits_anonymous = operation["security"]
                .as_array()
                .is_none_or(|any| any.is_empty() || any.contains(&json!({})));
            assert_eq!(admits_anonymous, is_open, "{route:?}: {}", operation["security"]);
        }
    }

    /// Requires a document that is valid by the schema of OpenAPI 3.1, with valid schemas in it, distinct operation ids and no
    /// dangling reference, and with descriptions, bounds and examples. It has to equal its snapshot.
    pub(super) fn check_content(&self, name: &str) {
        let version = self.json["openapi"].as_str().unwrap_or_default();
        assert!(version.starts_with("3.1."), "OpenAPI {version}");

        let mut validator = self.validator.borrow_mut();
        validator.check(OPENAPI_SCHEMA, &self.json, "the document");
        for schema in self.json["components"]["schemas"]
            .as_object()
            .into_iter()
            .flatten()
        {
            validator.compile(&format!("{DOCUMENT}#/components/schemas/{}", schema.0));
        }

        let mut references = Vec::new();
        add_references(&self.json, &mut references);
        for reference in references {
            let target = reference
                .strip_prefix('#')
                .and_then(|pointer| self.json.pointer(pointer));
            assert!(target.is_some(), "nothing is at {reference}");
        }

        let ids: Vec<_> = self
            .operations()
            .map(|(_, operation)| operation["operationId"].as_str())
            .collect();
        let distinct: BTreeSet<_> = ids.iter().flatten().collect();
        assert_eq!(
            distinct.len(),
            ids.len(),
            "an operationId is missing or repeated: {ids:?}"
        );

        let mut is_valid = |pointer: &str, example: &Value| {
            validator.conforms(&format!("{DOCUMENT}#{}", fragment(pointer)), example)
        };
        let problems = description::problems(&self.json, &mut is_valid);
        assert!(
            problems.is_empty(),
            "the document of {name}:\n{}",
            problems.join("\n")
        );
        openapi_snapshot::check(&self.json, name);
    }

    /// Requires that the document describes these routes and no others.
    pub(super) fn check_paths(&self, routes: &Routes) {
        let documented: BTreeSet<String> = self.operations().map(|(name, _)| name).collect();
        let served: BTreeSet<String> = routes
            .iter()
            .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
            .collect();
        assert_eq!(documented, served, "left: documented, right: served");
    }

    /// Requires that the document describes this response: its status, headers, media type and body.
    pub(super) fn check_response(&self, route: &ListedRoute, response: &TestResponse) {
        let (method, status) = (route.method.as_str().to_lowercase(), response.status.to_string());
        let context = format!("{}: {status} {}", response.request, response.body);
        let described = &self.operation(route)["responses"][&status];
        assert!(described.is_object(), "not documented: {context}");

        for name in described["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            let is_optional = name == "idempotent-replayed";
            let is_present = response.headers.contains_key(name);
            assert!(is_present || is_optional, "no header {name}: {context}");
        }

        let media_types = described["content"].as_object();
        let media_type = response
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default();
        if response.body.is_empty() {
            assert!(media_types.is_none(), "a body is documented: {context}");
            return;
        }
        let is_documented = media_types.is_some_and(|media_types| media_types.contains_key(media_type));
        assert!(is_documented, "{media_type} is not documented: {context}");
        if media_type.ends_with("json") {
            let schema = pointer(&[
                "paths",
                route.path,
                &method,
                "responses",
                &status,
                "content",
                media_type,
                "schema",
            ]);
            self.validator.borrow_mut().check(
                &format!("{DOCUMENT}#{}", fragment(&schema)),
                &response.json(),
                &context,
            );
        }
    }

    /// Each operation with its method and path.
    fn operations(&self) -> impl Iterator<Item = (String, &Value)> {
        let paths = self.json["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, item)| {
            let operations = item.as_object().into_iter().flatten();
            operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
    }
}

/// Adds the target of each `$ref` in this part of a document.
fn add_references<'d>(part: &'d Value, references: &mut Vec<&'d str>) {
    match part {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|part| add_references(part, references));
        }
        Value::Array(parts) => parts.iter().for_each(|part| add_references(part, references)),
        _ => {}
    }
}

/// The JSON pointer of these names (RFC 6901 §3).
fn pointer(names: &[&str]) -> String {
    let part = |name: &&str| format!("/{}", description::escape(name));
    names.iter().map(part).collect()
}

/// A JSON pointer as the fragment of a URL (RFC 6901 §6).
fn fragment(pointer: &str) -> String {
    pointer
        .replace('{', "%7B")
        .replace('}', "%7D")
        .replace('+', "%2B")
}

struct Validator {
    compiler: Compiler,
    schemas: Schemas,
}

impl Validator {
    fn new(document: &Value) -> Self {
        let openapi = include_str!("../../schemas/openapi-3.1.json");
        let openapi = serde_json::from_str(openapi).expect("the schema is JSON");
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler
            .add_resource(OPENAPI_SCHEMA, openapi)
            .expect("the schema's URL is valid");
        compiler
            .add_resource(DOCUMENT, document.clone())
            .expect("the document's URL is valid");
        Self {
            compiler,
            schemas: Schemas::new(),
        }
    }

    /// Requires that there is a valid schema at this URL.
    fn compile(&mut self, url: &str) -> boon::SchemaIndex {
        self.compiler
            .compile(url, &mut self.schemas)
            .unwrap_or_else(|error| panic!("{url} is not a valid schema: {error:#}"))
    }

    /// Whether the value conforms to the schema at this URL.
    fn conforms(&mut self, url: &str, value: &Value) -> bool {
        let index = self.compile(url);
        self.schemas.validate(value, index).is_ok()
    }

    /// Requires that the value conforms to the schema at this URL.
    fn check(&mut self, url: &str, value: &Value, context: &str) {
        let index = self.compile(url);
        if let Err(error) = self.schemas.validate(value, index) {
            panic!("{context}\ndoes not conform to {url}: {error:#}");
        }
    }
}
