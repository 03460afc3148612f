//! The claims of a test token, in the shape that a profile describes.

use serde_json::{Map, Value, json};

use super::{Profile, Revocable, ServiceMark};
use crate::claim_path::ClaimPath;
use crate::claims::Claims;

/// The text of a required claim about which nothing else is known.
const ANY_TEXT: &str = "test";

impl Profile {
    /// The audience of users' test tokens.
    pub(crate) fn test_audience(&self) -> Option<&str> {
        self.audiences.first().map(String::as_str)
    }

    /// The audience of services' test tokens. Services are refused if there is none.
    pub(crate) fn test_service_audience(&self) -> Option<&str> {
        self.services.audiences.first().map(String::as_str)
    }

    /// The `typ` of test tokens.
    pub(crate) fn test_type(&self) -> Option<&str> {
        self.types.taken.first().map(String::as_str)
    }

    pub(crate) fn is_revocable(&self) -> bool {
        self.revocable != Revocable::No
    }

    /// These claims, with each at its place in this profile. A claim that the profile requires and `claims` lacks gets some text.
    pub(crate) fn test_claims(&self, claims: &Claims, issuer: &str) -> Value {
        let mut object = serde_json::to_value(claims).unwrap_or_default();
        if self.allows_anonymous_issuer && claims.iss == issuer {
            remove(&mut object, "iss");
        }
        self.place_audience(&mut object);
        if claims.is_service() {
            self.place_service(&mut object, &claims.sub);
        } else {
            self.place_user(&mut object, claims);
        }
        for claim in &self.required {
            set_if_absent(&mut object, claim, json!(ANY_TEXT));
        }
        for (claim, value) in &self.required_values {
            set_if_absent(&mut object, claim, json!(value));
        }
        object
    }

    fn place_audience(&self, object: &mut Value) {
        let Some(audience) = remove(object, "aud") else {
            return;
        };
        let is_anonymous = self.allows_anonymous_issuer && audience == json!([]);
        if self.audience_claim.is_named("aud") {
            if !is_anonymous {
                set(object, &self.audience_claim, audience);
            }
        } else if let Some(first) = audience.get(0) {
            set(object, &self.audience_claim, first.clone());
        }
    }

    fn place_user(&self, object: &mut Value, claims: &Claims) {
        move_to(object, "sub", &self.user_id);
        move_to(object, "name", &self.name);
        match &self.email {
            Some(email) => move_to(object, "email", email),
            None => drop(remove(object, "email")),
        }
        match self.roles.claims.first() {
            Some(roles) => move_to(object, "roles", roles),
            None => drop(remove(object, "roles")),
        }
        match self.scopes.claims.first() {
            Some(scopes) => move_to(object, "scope", scopes),
            None => drop(remove(object, "scope")),
        }
        if self.revocable == Revocable::No {
            remove(object, "sid");
        }
        if self.revocable != Revocable::BySessionAndEpoch {
            remove(object, "epoch");
        }
        for mark in &self.services.marks {
            match mark {
                ServiceMark::Has(claim) => drop(remove(object, claim.first())),
                ServiceMark::Lacks(claim) => set_if_absent(object, claim, json!(ANY_TEXT)),
                ServiceMark::SubjectIs(client) if !client.is_named("client_id") => {
                    set_if_absent(object, client, json!(claims.client_id));
                }
                _ => {}
            }
        }
    }

    fn place_service(&self, object: &mut Value, name: &str) {
        let written = format!("{name}{}", self.services.name_suffix);
        set(object, &self.services.name, json!(written));
        for mark in &self.services.marks {
            match mark {
                ServiceMark::SubjectIs(claim) => {
                    set(object, &"sub".into(), json!(written));
                    set(object, claim, json!(written));
                }
                ServiceMark::Has(claim) => set(object, claim, json!(name)),
                ServiceMark::Lacks(claim) => drop(remove(object, claim.first())),
                ServiceMark::Value(claim, value) => set(object, claim, json!(value)),
                ServiceMark::Prefix(claim, prefix) => set(object, claim, json!(format!("{prefix}{name}"))),
                ServiceMark::Suffix(claim, suffix) => set(object, claim, json!(format!("{name}{suffix}"))),
            }
        }
        if let Some((claim, value)) = &self.services.required_value {
            set(object, claim, json!(value));
        }
        for claim in &self.services.required {
            set_if_absent(object, claim, json!([ANY_TEXT]));
        }
    }
}

fn remove(object: &mut Value, name: &str) -> Option<Value> {
    object.as_object_mut()?.remove(name)
}

fn move_to(object: &mut Value, name: &str, path: &ClaimPath) {
    if let Some(value) = remove(object, name) {
        set(object, path, value);
    }
}

fn set_if_absent(object: &mut Value, path: &ClaimPath, value: Value) {
    let parent = parent_of(object, path);
    if let Some(parent) = parent {
        parent.entry(path.last()).or_insert(value);
    }
}

/// Sets the claim at this path.
pub(crate) fn set(object: &mut Value, path: &ClaimPath, value: Value) {
    if let Some(parent) = parent_of(object, path) {
        parent.insert(path.last().to_owned(), value);
    }
}

/// The object that holds the claim at this path. Makes the objects that are missing. `None` if something else is in their place.
fn parent_of<'o>(object: &'o mut Value, path: &ClaimPath) -> Option<&'o mut Map<String, Value>> {
    let mut parent = object;
    for name in path.parents() {
        parent = parent.as_object_mut()?.entry(name).or_insert_with(|| json!({}));
    }
    parent.as_object_mut()
}
