//! How callers authenticate at routes where the gateway requires a user's token.

use serde_json::{Value, json};

/// The scheme of access tokens, as each service's document has it.
const BEARER: &str = "bearer";

/// Adds the access token to each way in which a service lets callers authenticate. Returns whether one of them lacked it.
pub(super) fn require_token(operation: &mut Value) -> bool {
    let Some(operation) = operation.as_object_mut() else {
        return false;
    };
    let own = operation.get("security").and_then(Value::as_array);
    let own = match own {
        Some(ways) if !ways.is_empty() => ways.clone(),
        _ => vec![json!({})],
    };
    let mut required = Vec::new();
    for mut way in own.clone() {
        if let Some(schemes) = way.as_object_mut() {
            schemes.entry(BEARER).or_insert_with(|| json!([]));
        }
        if !required.contains(&way) {
            required.push(way);
        }
    }
    let is_changed = required != own;
    operation.insert("security".to_owned(), Value::Array(required));
    is_changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_token_is_added_to_each_way_to_authenticate() {
        for (own, required) in [
            (Value::Null, json!([{"bearer": []}])),
            (json!([]), json!([{"bearer": []}])),
            (json!([{}, {"bearer": []}]), json!([{"bearer": []}])),
            (
                json!([{"key": []}, {"basic": []}]),
                json!([{"bearer": [], "key": []}, {"basic": [], "bearer": []}]),
            ),
        ] {
            let mut operation = json!({"security": own});
            assert!(require_token(&mut operation), "{own}");
            assert_eq!(operation["security"], required, "{own}");
        }
        // The service's own answers describe what happens without a token.
        assert!(!require_token(
            &mut json!({"security": [{"bearer": ["products:write"]}]})
        ));
    }
}
