//! The committed OpenAPI documents, by which reviewers see a change of the contract.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How many differences a failure names.
const MAX_DIFFERENCES: usize = 30;
/// In place of the version, which changes with each release.
const NO_VERSION: &str = "0.0.0";

/// Compares a document with `openapi/<name>.json`, or rewrites the file if documents are to be written.
pub(super) fn check(document: &Value, name: &str) {
    let mut current = document.clone();
    current["info"]["version"] = json!(NO_VERSION);
    assert_eq!(
        current["servers"],
        json!([{"url": "/"}]),
        "the servers of {name} depend on its environment"
    );

    let path = path(name);
    if super::writes_documents() {
        let text = serde_json::to_string_pretty(&current).expect("JSON");
        std::fs::write(&path, text + "\n").expect("the snapshot can be written");
        return;
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let snapshot = serde_json::from_str(&text).expect("the snapshot is JSON");
    let mut found = Vec::new();
    add_differences("", &snapshot, &current, &mut found);
    found.truncate(MAX_DIFFERENCES);
    assert!(
        found.is_empty(),
        "The OpenAPI document of {name} differs from {}:\n\n{}\n\nIf the change is intended, update the file:\n\n    \
         scripts/write-documents {}\n",
        path.display(),
        found.join("\n"),
        // Those of the gateway are always written.
        if name.starts_with("gateway") { "" } else { name }
    );
}

fn path(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.expect("test-kit is in the workspace");
    root.join("openapi").join(format!("{name}.json"))
}

/// Adds one line for each part that differs, with its JSON pointer.
fn add_differences(pointer: &str, snapshot: &Value, current: &Value, found: &mut Vec<String>) {
    match (snapshot, current) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                let pointer = format!("{pointer}/{}", super::description::escape(name));
                match after.get(name) {
                    Some(other) => add_differences(&pointer, value, other, found),
                    None => found.push(format!("{pointer} is no longer there")),
                }
            }
            for name in after.keys().filter(|name| !before.contains_key(*name)) {
                found.push(format!("{pointer}/{} is new", super::description::escape(name)));
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (value, other)) in before.iter().zip(after).enumerate() {
                add_differences(&format!("{pointer}/{index}"), value, other, found);
            }
        }
        _ if snapshot != current => found.push(format!("{pointer}: {snapshot} → {current}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_pointers() {
        let before = json!({"paths": {"/a": {"get": 1}, "/b": [1, 2]}, "same": true});
        let after = json!({"paths": {"/a": {"put": 1}, "/b": [1, 3]}, "same": true});
        let mut found = Vec::new();
        add_differences("", &before, &after, &mut found);
        assert_eq!(
            found,
            [
                "/paths/~1a/get is no longer there",
                "/paths/~1a/put is new",
                "/paths/~1b/1: 2 → 3"
            ]
        );
    }
}
