//! How callers authenticate at routes where the gateway requires a user's token.

use serde_json::{Value, json};

/// The schemes of access tokens, as each service's document has them: in a header, or in a cookie.
const TOKEN_SCHEMES: [&str; 2] = ["bearer", "cookie"];

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
    for way in &own {
        for with_token in with_token(way) {
            if !required.contains(&with_token) {
                required.push(with_token);
            }
        }
    }
    let is_changed = required != own;
    operation.insert("security".to_owned(), Value::Array(required));
    is_changed
}

/// The ways to send a token besides what this way requires. It may require one already.
fn with_token(way: &Value) -> Vec<Value> {
    let has = |scheme: &&str| way.get(*scheme).is_some();
    if TOKEN_SCHEMES.iter().any(has) {
        return vec![way.clone()];
    }
    let with = |scheme: &&str| {
        let mut way = way.clone();
        if let Some(schemes) = way.as_object_mut() {
            schemes.insert((*scheme).to_owned(), json!([]));
        }
        way
    };
    TOKEN_SCHEMES.iter().map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_token_is_added_to_each_way_to_authenticate() {
        for (own, required) in [
            (Value::Null, json!([{"bearer": []}, {"cookie": []}])),
            (json!([]), json!([{"bearer": []}, {"cookie": []}])),
            (
                json!([{}, {"bearer": []}, {"cookie": []}]),
                json!([{"bearer": []}, {"cookie": []}]),
            ),
            (
                json!([{"key": []}]),
                json!([{"bearer": [], "key": []}, {"cookie": [], "key": []}]),
            ),
        ] {
            let mut operation = json!({"security": own});
            assert!(require_token(&mut operation), "{own}");
            assert_eq!(operation["security"], required, "{own}");
        }
        // The service's own answers describe what happens without a token.
        assert!(!require_token(
            &mut json!({"security": [{"bearer": ["products:write"]}, {"cookie": ["products:write"]}]})
        ));
    }
}
