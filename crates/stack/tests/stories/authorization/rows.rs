//! The rows that requests name. The examples of all documents belong together: an id, an email address or a token in a request's
//! example belongs to the row that another operation's example creates. So the row is created by that operation, and the value
//! in its response takes the place of the one in the example.

use std::collections::{HashMap, HashSet};

use actix_web::http::Method;
use serde_json::Value;

use crate::operations::{Operation, Request};

/// Where an example value comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub operation: Operation,
    /// The JSON pointer of the value in the response.
    pub pointer: String,
}

/// The rows that exist, by the values of the examples.
#[derive(Default)]
pub struct Rows {
    values: HashMap<String, String>,
    /// The operations that were required and have succeeded.
    pub done: HashSet<String>,
    /// The values whose rows are being created.
    pending: HashSet<String>,
}

impl Rows {
    pub fn value(&self, example: &str) -> Option<&String> {
        self.values.get(example)
    }

    /// Notes that the row of this value is about to be created.
    pub fn begin(&mut self, example: &str) {
        let is_new = self.pending.insert(example.to_owned());
        assert!(is_new, "the row of {example} can only be created if it exists");
    }

    pub fn add(&mut self, example: &str, value: &str) {
        self.pending.remove(example);
        self.values.insert(example.to_owned(), value.to_owned());
    }

    /// The request with the values of these rows.
    pub fn fill(&self, request: &Request) -> Request {
        let mut path = request.path.clone();
        let mut body = request.body.clone();
        for (example, value) in &self.values {
            path = path.replace(example, value);
            if let Some((_, body)) = &mut body {
                replace(body, example, value);
            }
        }
        Request { path, body }
    }
}

/// The values in a request's example that belong to rows: ids, email addresses and tokens.
pub fn references(request: &Request) -> Vec<String> {
    let mut found: Vec<_> = request
        .path
        .split(['/', '?', '&', '='])
        .filter(|segment| is_id(segment))
        .map(str::to_owned)
        .collect();
    if let Some((_, body)) = &request.body {
        add_references("", body, &mut found);
    }
    found
}

fn add_references(name: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| add_references(name, value, found)),
        Value::Array(items) => items.iter().for_each(|value| add_references(name, value, found)),
        Value::String(text) if is_id(text) || text.contains('@') || name.ends_with("token") => {
            found.push(text.clone());
        }
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// The operation that creates the row with this value: one that answers with 201, and with this `id`, rather than another. The value
/// may also be one that the client chooses, in the operation's own request.
pub fn origin(operations: &[Operation], example: &str) -> Option<Origin> {
    let found = operations.iter().filter_map(|operation| {
        let (status, response) = operation.response()?;
        let names = response
            .as_object()?
            .iter()
            .filter(|(_, value)| *value == example)
            .map(|(name, _)| name);
        let pointer = match names
            .clone()
            .find(|name| *name == "id")
            .or_else(|| names.clone().next())
        {
            Some(name) if operation.method == Method::POST => format!("/{name}"),
            _ if response.pointer("/items/0/id").is_some_and(|id| id == example) => "/items/0/id".to_owned(),
            _ => return None,
        };
        let is_chosen = references(&operation.example()).iter().any(|own| own == example);
        let rank = (status != 201, is_chosen, operation.is_safe(), pointer != "/id");
        Some((
            rank,
            Origin {
                operation: operation.clone(),
                pointer,
            },
        ))
    });
    found.min_by_key(|(rank, _)| *rank).map(|(_, origin)| origin)
}

fn replace(value: &mut Value, example: &str, real: &str) {
    match value {
        Value::Object(members) => members
            .values_mut()
            .for_each(|value| replace(value, example, real)),
        Value::Array(items) => items.iter_mut().for_each(|value| replace(value, example, real)),
        Value::String(text) if text == example => real.clone_into(text),
        _ => {}
    }
}
