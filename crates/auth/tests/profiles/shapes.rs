//! Tokens in the shape in which their issuers make them. Names, ids and hosts are invented.

use serde_json::{Value, json};

/// An issuer, and tokens of it without `exp`, which is added for each test.
pub struct Shape {
    pub issuer: &'static str,
    /// The header without `alg` and `kid`.
    pub typ: Option<&'static str>,
    pub user: Value,
    pub service: Option<Value>,
    /// An ID token of the same user, for the same audience, which must not pass.
    pub id_token: Option<Value>,
}

pub fn keycloak() -> Shape {
    Shape {
        issuer: "https://sso.example.com/realms/shop",
        typ: Some("JWT"),
        user: json!({
            "iat": 1_795_970_000, "auth_time": 1_795_969_990,
            "jti": "onrtac:c0b9a1a4-5c53-4d6a-a1a1-9f7e5f0d8f0a",
            "iss": "https://sso.example.com/realms/shop",
            "aud": ["shop-api", "account"],
            "sub": "6f1f6d3e-3c0b-4c53-8f56-0d7b3a2f7a11",
            "typ": "Bearer", "azp": "shop-web", "sid": "d7a4f1b8-6a40-4c6c-9e3e-3f1b6f1f0e55", "acr": "1",
            "allowed-origins": ["https://shop.example.com"],
            "realm_access": {"roles": ["default-roles-shop", "offline_access", "admin"]},
            "resource_access": {
                "shop-api": {"roles": ["clerk"]},
                "account": {"roles": ["manage-account", "view-profile"]}
            },
            "scope": "openid email profile", "email_verified": true, "name": "Ada Example",
            "preferred_username": "ada", "given_name": "Ada", "family_name": "Example", "email": "ada@example.com"
        }),
        service: Some(json!({
            "iat": 1_795_970_000, "jti": "trrtcc:0d5c3a1e-7d43-4a3e-bd0c-8b8a5b1d1c3e",
            "iss": "https://sso.example.com/realms/shop", "aud": ["shop-api", "account"],
            "sub": "b7c9e1f0-8f1f-4a29-9d6a-2f4b0c6d7e8f", "typ": "Bearer", "azp": "order-service", "acr": "1",
            "realm_access": {"roles": ["default-roles-shop", "admin"]},
            "scope": "email profile", "email_verified": false, "clientHost": "10.0.0.7",
            "preferred_username": "service-account-order-service", "clientAddress": "10.0.0.7",
            "client_id": "order-service"
        })),
        id_token: Some(json!({
            "iat": 1_795_970_000, "auth_time": 1_795_969_990, "jti": "8f0a9f7e-5c53-4d6a-a1a1-c0b9a1a45f0d",
            "iss": "https://sso.example.com/realms/shop", "aud": "shop-api",
            "sub": "6f1f6d3e-3c0b-4c53-8f56-0d7b3a2f7a11", "typ": "ID", "azp": "shop-api",
            "sid": "d7a4f1b8-6a40-4c6c-9e3e-3f1b6f1f0e55", "at_hash": "bG9uZyBoYXNo", "acr": "1",
            "email_verified": true, "name": "Ada Example", "preferred_username": "ada", "email": "ada@example.com",
            "realm_access": {"roles": ["admin"]}
        })),
    }
}

pub fn auth0() -> Shape {
    Shape {
        issuer: "https://shop.eu.auth0.com/",
        typ: Some("JWT"),
        user: json!({
            "https://shop.example.com/roles": ["admin", "clerk"],
            "iss": "https://shop.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": ["https://api.shop.example.com", "https://shop.eu.auth0.com/userinfo"],
            "iat": 1_795_970_000, "azp": "my_client_id_0123456789", "scope": "openid profile read:orders",
            "permissions": ["read:orders", "write:orders"]
        }),
        service: Some(json!({
            "iss": "https://shop.eu.auth0.com/", "sub": "order-service@clients", "aud": "https://api.shop.example.com",
            "iat": 1_795_970_000, "azp": "order-service", "scope": "read:orders", "gty": "client-credentials",
            "permissions": ["read:orders"]
        })),
        // Its audience is the client, so it is refused by its audience.
        id_token: None,
    }
}

pub fn google() -> Shape {
    Shape {
        issuer: "https://accounts.google.com",
        typ: Some("JWT"),
        user: json!({
            "iss": "https://accounts.google.com", "azp": "1234987819200.apps.googleusercontent.com",
            "aud": "1234987819200.apps.googleusercontent.com", "sub": "10769150350006150715113082367",
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "hd": "example.com", "email": "ada@example.com",
            "email_verified": true, "name": "Ada Example", "iat": 1_795_970_000, "nonce": "0394852-3190485-2490358"
        }),
        service: Some(json!({
            "iss": "https://accounts.google.com", "azp": "104029292853099978293",
            "aud": "1234987819200.apps.googleusercontent.com", "sub": "104029292853099978293",
            "email": "order-service@shop.iam.gserviceaccount.com", "email_verified": true, "iat": 1_795_970_000
        })),
        id_token: None,
    }
}

pub fn entra_id() -> Shape {
    Shape {
        issuer: "https://login.microsoftonline.com/8c3dad1d-b6bc-4f8b-939b-8263372eced6/v2.0",
        typ: Some("JWT"),
        user: json!({
            "aud": "2b8f4a7e-0d6c-4f5d-9f5a-1b7c3d2e4f60",
            "iss": "https://login.microsoftonline.com/8c3dad1d-b6bc-4f8b-939b-8263372eced6/v2.0",
            "iat": 1_795_970_000, "nbf": 1_795_970_000, "aio": "AWQAm/8TAAAA", "azp": "e0a6a8c3-6f1e-4b7a-8f6d-5a4b3c2d1e0f",
            "azpacr": "0", "name": "Ada Example", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "preferred_username": "ada@example.com", "email": "ada@example.com", "rh": "I", "roles": ["admin"],
            "scp": "orders.read orders.write", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": "8c3dad1d-b6bc-4f8b-939b-8263372eced6", "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0"
        }),
        service: Some(json!({
            "aud": "2b8f4a7e-0d6c-4f5d-9f5a-1b7c3d2e4f60",
            "iss": "https://login.microsoftonline.com/8c3dad1d-b6bc-4f8b-939b-8263372eced6/v2.0",
            "iat": 1_795_970_000, "nbf": 1_795_970_000, "azp": "order-service", "azpacr": "1", "idtyp": "app",
            "oid": "1f2e3d4c-5b6a-4798-8796-a5b4c3d2e1f0", "roles": ["admin"],
            "sub": "1f2e3d4c-5b6a-4798-8796-a5b4c3d2e1f0", "tid": "8c3dad1d-b6bc-4f8b-939b-8263372eced6", "ver": "2.0"
        })),
        id_token: Some(json!({
            "aud": "2b8f4a7e-0d6c-4f5d-9f5a-1b7c3d2e4f60",
            "iss": "https://login.microsoftonline.com/8c3dad1d-b6bc-4f8b-939b-8263372eced6/v2.0",
            "iat": 1_795_970_000, "nbf": 1_795_970_000, "name": "Ada Example", "nonce": "678910",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "preferred_username": "ada@example.com", "roles": ["admin"],
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": "8c3dad1d-b6bc-4f8b-939b-8263372eced6",
            "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0"
        })),
    }
}

pub fn cognito() -> Shape {
    Shape {
        issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE12",
        typ: None,
        user: json!({
            "sub": "aaaaaaaa-bbbb-4ccc-9ddd-eeeeeeeeeeee", "device_key": "eu-central-1_1f2e", "cognito:groups": ["admin"],
            "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE12", "version": 2,
            "client_id": "xxxxxxxxxxxxexample", "origin_jti": "aaaaaaaa-bbbb-4ccc-9ddd-ffffffffffff",
            "event_id": "64f513be-32db-42b0-b78e-b02127b4f463", "token_use": "access",
            "scope": "aws.cognito.signin.user.admin orders/read", "auth_time": 1_795_969_990, "iat": 1_795_970_000,
            "jti": "aaaaaaaa-bbbb-4ccc-9ddd-aaaaaaaaaaaa", "username": "ada"
        }),
        service: Some(json!({
            "sub": "xxxxxxxxxxxxexample", "token_use": "access", "scope": "orders/read", "auth_time": 1_795_970_000,
            "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE12", "iat": 1_795_970_000,
            "version": 2, "jti": "bbbbbbbb-bbbb-4ccc-9ddd-aaaaaaaaaaaa", "client_id": "xxxxxxxxxxxxexample"
        })),
        id_token: Some(json!({
            "sub": "aaaaaaaa-bbbb-4ccc-9ddd-eeeeeeeeeeee", "cognito:groups": ["admin"], "email_verified": true,
            "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE12", "cognito:username": "ada",
            "aud": "xxxxxxxxxxxxexample", "client_id": "xxxxxxxxxxxxexample", "token_use": "id",
            "auth_time": 1_795_969_990, "iat": 1_795_970_000, "jti": "cccccccc-bbbb-4ccc-9ddd-aaaaaaaaaaaa",
            "email": "ada@example.com"
        })),
    }
}

pub fn rfc9068() -> Shape {
    Shape {
        issuer: "https://authorization-server.example.com/",
        typ: Some("at+jwt"),
        // RFC 9068 §3, with an id.
        user: json!({
            "iss": "https://authorization-server.example.com/", "sub": "5ba552d67", "aud": "https://rs.example.com/",
            "client_id": "s6BhdRkqt3", "iat": 1_795_970_000, "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
            "scope": "openid profile reademail", "roles": ["admin"]
        }),
        service: Some(json!({
            "iss": "https://authorization-server.example.com/", "sub": "order-service",
            "aud": "https://rs.example.com/", "client_id": "order-service", "iat": 1_795_970_000,
            "jti": "ebe39bf3a3ba4238a513f51d6e1691c4", "scope": "reademail"
        })),
        id_token: None,
    }
}
