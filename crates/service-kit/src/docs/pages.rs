//! The schemas of pages of lists.

use serde_json::{Value, json};

use super::schemas::SCHEMAS;

/// utoipa puts this before the name of a page's items.
const PREFIX: &str = "Page_";

/// Names pages after their items, `ProductPage` instead of `Page_Product`, and makes each page refer to the schema of its items, which
/// utoipa repeats inside the page.
pub(super) fn complete(document: &mut Value) {
    for (page, name) in rename_pages(&mut document["components"]["schemas"]) {
        let (from, to) = (format!("{SCHEMAS}{page}"), format!("{SCHEMAS}{name}"));
        replace_references(&mut document["paths"], &from, &to);
    }
}

/// Returns the old and the new names.
fn rename_pages(schemas: &mut Value) -> Vec<(String, String)> {
    let Some(schemas) = schemas.as_object_mut() else {
        return Vec::new();
    };
    let pages: Vec<String> = schemas
        .keys()
        .filter(|name| name.starts_with(PREFIX))
        .cloned()
        .collect();
    let mut renamed = Vec::new();
    for page in pages {
        let Some(items) = schemas[&page].pointer("/properties/items/items").cloned() else {
            continue;
        };
        // The type's own name in the document may differ from the one in the name of the page.
        let known = schemas.iter().find(|(_, schema)| **schema == items);
        let item = match known {
            Some((name, _)) => name.clone(),
            None => page.trim_start_matches(PREFIX).to_owned(),
        };
        let Some(mut schema) = schemas.remove(&page) else {
            continue;
        };
        schema["properties"]["items"]["items"] = json!({"$ref": format!("{SCHEMAS}{item}")});
        schemas.insert(format!("{item}Page"), schema);
        renamed.push((page, format!("{item}Page")));
        schemas.entry(item).or_insert(items);
    }
    renamed
}

fn replace_references(part: &mut Value, from: &str, to: &str) {
    match part {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "$ref" && member == from {
                    *member = json!(to);
                }
                replace_references(member, from, to);
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace_references(item, from, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_of_a_page_are_one_component() {
        let thing = json!({"properties": {"id": {"type": "string"}}});
        let page = |items: &Value| json!({"properties": {"items": {"type": "array", "items": items}}});
        let mut document = json!({
            "paths": {"/things": {"$ref": "#/components/schemas/Page_ThingResponse"}},
            "components": {"schemas": {
                "Thing": thing,
                "Page_ThingResponse": page(&thing),
                "Page_Part": page(&json!({"type": "integer"})),
            }},
        });

        complete(&mut document);

        let schemas = &document["components"]["schemas"];
        let items = |page: &str| &schemas[page]["properties"]["items"]["items"]["$ref"];
        assert_eq!(items("ThingPage"), "#/components/schemas/Thing");
        assert_eq!(items("PartPage"), "#/components/schemas/Part");
        assert_eq!(schemas["Part"], json!({"type": "integer"}));
        assert_eq!(
            document["paths"]["/things"]["$ref"],
            "#/components/schemas/ThingPage"
        );
    }
}
