//! Tokens that user-service would not issue, signed with its own key, so that each has one fault only.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use db::DatabaseUrl;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::sandbox::Sandbox;

/// How long ago an expired token expired, in seconds: longer than the leeway of any verifier.
const EXPIRED_FOR: i64 = 3_600;

/// The active signing key of user-service.
pub struct PlatformKey {
    header: String,
    key: Ed25519KeyPair,
}

impl PlatformKey {
    /// Reads the key from the database, and decrypts it with the key encryption key.
    pub async fn read(sandbox: &Sandbox) -> Self {
        const SQL: &str = "select kid, sealed_private from signing_keys where state = 'active'";
        let DatabaseUrl::Sqlite(file) = sandbox.database("user-service") else {
            panic!("reads SQLite only");
        };
        let options = SqliteConnectOptions::new().filename(file);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        let (kid, sealed): (String, Vec<u8>) = sqlx::query_as(SQL).fetch_one(&mut conn).await.unwrap();

        let encryption_key = STANDARD.decode(sandbox.secret("key-encryption-key")).unwrap();
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &encryption_key).unwrap();
        let (nonce, mut private) = (&sealed[..NONCE_LEN], sealed[NONCE_LEN..].to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        let purpose = Aad::from(format!("signing key {kid}"));
        let private = cipher.open_in_place(nonce, purpose, &mut private).unwrap();
        Self {
            header: encode(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": kid})),
            key: Ed25519KeyPair::from_pkcs8(private).unwrap(),
        }
    }

    /// The same token, but expired.
    pub fn expired(&self, token: &str) -> String {
        let claims = claims(token);
        let expiry = claims["iat"].as_i64().unwrap() - EXPIRED_FOR;
        self.sign(&with(claims, &json!({"exp": expiry, "iat": expiry - 900})))
    }

    /// The same token, but for another audience.
    pub fn for_audience(&self, token: &str, audience: &str) -> String {
        self.sign(&with(claims(token), &json!({"aud": [audience]})))
    }

    /// The same token, but of another service.
    pub fn of_service(&self, token: &str, name: &str) -> String {
        self.sign(&with(claims(token), &json!({"sub": name, "client_id": name})))
    }

    /// The same token, but signed by another key than the one that its header names.
    pub fn forged(&self, token: &str) -> String {
        let stranger = Ed25519KeyPair::generate().unwrap();
        signed(&self.header, &claims(token), &stranger)
    }

    fn sign(&self, claims: &Value) -> String {
        signed(&self.header, claims, &self.key)
    }
}

fn signed(header: &str, claims: &Value, key: &Ed25519KeyPair) -> String {
    let content = format!("{header}.{}", encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(content.as_bytes()));
    format!("{content}.{signature}")
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}
