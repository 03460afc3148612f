//! Texts of operations and parameters, from the comments of handlers and from paths.

use auth::ListedRoute;
use serde_json::{Value, json};

use super::{Object, security};

/// Makes the first sentence of the handler's comment the summary, and the rest the description, with the policy. The comment begins
/// with method and path, which the document says already.
pub(super) fn complete(operation: &mut Object, route: &ListedRoute) {
    let own = |key| operation.get(key).and_then(Value::as_str).unwrap_or_default();
    let comment = own("summary");
    let comment = comment
        .strip_prefix(&format!("`{} {}`: ", route.method, route.path))
        .unwrap_or(comment);
    let (summary, rest) = first_sentence(comment);
    let paragraphs = [
        rest,
        own("description").to_owned(),
        security::sentence(route.policy),
    ];
    let description: Vec<_> = paragraphs
        .iter()
        .filter(|text| !text.is_empty())
        .map(String::as_str)
        .collect();
    let description = description.join("\n\n");
    operation.insert("summary".to_owned(), json!(capitalised(&summary)));
    operation.insert("description".to_owned(), json!(description));
}

/// The first sentence, without its end, and the rest. A comment's lines are joined.
fn first_sentence(comment: &str) -> (String, String) {
    let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    let (first, rest) = comment.split_once(". ").unwrap_or((&comment, ""));
    (first.trim_end_matches('.').to_owned(), rest.to_owned())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

/// The description of the id in a path: `/products/{id}` has that of a product.
pub(super) fn describe_id(path: &str) -> String {
    let segments: Vec<_> = path.split('/').collect();
    let things = segments
        .iter()
        .zip(segments.iter().skip(1))
        .find(|(_, next)| **next == "{id}");
    let thing = things.map_or("row", |(things, _)| things.strip_suffix('s').unwrap_or(things));
    format!("The id of the {thing}")
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use auth::Policy;

    use super::*;

    #[test]
    fn a_comment_becomes_summary_and_description() {
        let mut operation = json!({
            "summary": "`DELETE /things/{id}`: deletes a thing (RFC 9110 §9.3.5).\nIts parts\nremain.",
            "description": "More.",
        });
        let route = ListedRoute {
            method: Method::DELETE,
            path: "/things/{id}",
            policy: Policy::AnyRole(&["admin", "support"]),
        };
        complete(operation.as_object_mut().unwrap(), &route);
        assert_eq!(operation["summary"], "Deletes a thing (RFC 9110 §9.3.5)");
        assert_eq!(
            operation["description"],
            "Its parts remain.\n\nMore.\n\nAdmits users with the role `admin` or `support`."
        );
    }

    #[test]
    fn an_id_is_that_of_the_segment_before() {
        assert_eq!(describe_id("/admin/users/{id}/logout"), "The id of the user");
        assert_eq!(describe_id("/stock/{id}"), "The id of the stock");
    }
}
