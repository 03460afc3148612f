//! An OpenID provider in the process of the test. It does what real ones do, and breaks in all the ways that a test asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::rt::time::sleep;
use actix_web::web::{self, Data, Form};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use auth::Clock;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde_json::{Value, json};

pub const CLIENT_ID: &str = "the-shop";

/// A provider that listens until it is dropped.
pub struct FakeProvider {
    pub issuer: String,
    state: Arc<State>,
    server: actix_web::dev::ServerHandle,
}

struct State {
    issuer: String,
    client_secret: String,
    clock: Clock,
    inner: Mutex<Inner>,
}

/// The part that a test can change.
pub struct Inner {
    key: SigningKey,
    codes: HashMap<String, Grant>,
    /// The faults of the provider.
    pub faults: Faults,
    /// How often each path was requested.
    pub requests: HashMap<String, usize>,
}

#[derive(Clone, Default)]
pub struct Faults {
    /// Replaces claims of ID tokens before they are signed. Null removes a claim.
    pub claims: Value,
    /// Signs ID tokens with another key than the published one.
    pub forgery: Option<Forgery>,
    /// Replaces the ID token.
    pub id_token: Option<String>,
    /// Accepts a code again, and any PKCE verifier.
    pub careless: bool,
    /// Waits before each answer, or only before those of one path.
    pub delay: Duration,
    pub delayed_path: Option<&'static str>,
    /// The answers of these paths instead of the right ones.
    pub answers: HashMap<&'static str, (u16, String)>,
    /// Changes the metadata.
    pub metadata: Option<Value>,
    /// Leaves the claims about the person to the userinfo endpoint.
    pub uses_userinfo: bool,
    /// The subject that the userinfo endpoint names instead.
    pub userinfo_subject: Option<String>,
}

/// How an ID token is forged.
#[derive(Clone, Copy, Debug)]
pub enum Forgery {
    /// With a key that is not published.
    StrangeKey,
    /// With the client secret, as HS256 (OpenID Connect Core §10.1).
    ClientSecret,
    /// With the public key as the secret of HS256.
    PublicKey,
}

/// A code that was issued.
struct Grant {
    person: Value,
    nonce: String,
    code_challenge: String,
    redirect_uri: String,
}

struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    public: Vec<u8>,
}

impl SigningKey {
    fn generate(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        Self {
            kid: kid.to_owned(),
            encoding: EncodingKey::from_ed_der(der.as_ref()),
            public: pair.public_key().as_ref().to_vec(),
        }
    }
}

impl FakeProvider {
    pub fn start(clock: Clock) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            issuer: issuer.clone(),
            client_secret: crate::random_secret(),
            clock,
            inner: Mutex::new(Inner {
                key: SigningKey::generate("1"),
                codes: HashMap::new(),
                faults: Faults::default(),
                requests: HashMap::new(),
            }),
        });
        let data = Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .service(web::resource("/.well-known/openid-configuration").to(metadata))
                .service(web::resource("/jwks").to(jwks))
                .service(web::resource("/token").to(token))
                .service(web::resource("/userinfo").to(userinfo))
        })
        .workers(1)
        .keep_alive(KeepAlive::Disabled)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self {
            issuer,
            state,
            server: handle,
        }
    }

    /// The variables that configure this provider by this name, such as `SSO`.
    pub fn vars(&self, name: &str) -> Vec<(String, String)> {
        [
            ("ISSUER", self.issuer.as_str()),
            ("CLIENT_ID", CLIENT_ID),
            ("CLIENT_SECRET", &self.state.client_secret),
        ]
        .map(|(suffix, value)| (format!("OIDC_{name}_{suffix}"), value.to_owned()))
        .to_vec()
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.inner.lock().unwrap()
    }

    pub fn set_faults(&self, faults: Faults) {
        self.inner().faults = faults;
    }

    /// Replaces the signing key. Tokens with the previous one are not valid.
    pub fn rotate_key(&self) {
        self.inner().key = SigningKey::generate("2");
    }

    /// Logs a person in at the page to which the browser was sent, and returns the path and query of the page to which the provider
    /// sends it back.
    pub fn log_in(&self, location: &str, person: &Value) -> String {
        let url = Url::parse(location).unwrap();
        assert_eq!(url.origin().ascii_serialization(), self.issuer);
        assert_eq!(url.path(), "/authorize");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (
                query["response_type"].as_str(),
                query["code_challenge_method"].as_str()
            ),
            ("code", "S256")
        );
        assert_eq!(
            (query["client_id"].as_str(), query["scope"].as_str()),
            (CLIENT_ID, "openid email profile")
        );
        let code = crate::random_secret();
        self.inner().codes.insert(
            code.clone(),
            Grant {
                person: person.clone(),
                nonce: query["nonce"].clone(),
                code_challenge: query["code_challenge"].clone(),
                redirect_uri: query["redirect_uri"].clone(),
            },
        );
        let mut back = Url::parse(&query["redirect_uri"]).unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &query["state"]);
        format!("{}?{}", back.path(), back.query().unwrap())
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl State {
    /// Counts the request, and answers in place of the provider if the test asked for it.
    async fn intercept(&self, path: &'static str) -> Option<HttpResponse> {
        let faults = {
            let mut inner = self.inner.lock().unwrap();
            *inner.requests.entry(path.to_owned()).or_default() += 1;
            inner.faults.clone()
        };
        if faults.delayed_path.is_none_or(|delayed| delayed == path) && !faults.delay.is_zero() {
            sleep(faults.delay).await;
        }
        let (status, body) = faults.answers.get(path)?;
        let status = actix_web::http::StatusCode::from_u16(*status).unwrap();
        Some(
            HttpResponse::build(status)
                .content_type("application/json")
                .body(body.clone()),
        )
    }
}

async fn metadata(state: Data<State>) -> HttpResponse {
    if let Some(answer) = state.intercept("/.well-known/openid-configuration").await {
        return answer;
    }
    let issuer = &state.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
    });
    if let Some(Value::Object(changes)) = state.inner.lock().unwrap().faults.metadata.clone() {
        document.as_object_mut().unwrap().extend(changes);
    }
    HttpResponse::Ok().json(document)
}

async fn jwks(state: Data<State>) -> HttpResponse {
    if let Some(answer) = state.intercept("/jwks").await {
        return answer;
    }
    let inner = state.inner.lock().unwrap();
    let x = URL_SAFE_NO_PAD.encode(&inner.key.public);
    let key =
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": inner.key.kid, "x": x});
    HttpResponse::Ok().json(json!({"keys": [key]}))
}

async fn token(
    state: Data<State>,
    request: HttpRequest,
    form: Form<HashMap<String, String>>,
) -> HttpResponse {
    if let Some(answer) = state.intercept("/token").await {
        return answer;
    }
    let refuse = |error: &str| HttpResponse::BadRequest().json(json!({"error": error}));
    let credentials = request
        .headers()
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    let expected = STANDARD.encode(format!("{CLIENT_ID}:{}", state.client_secret));
    if credentials != Some(format!("Basic {expected}").as_str()) {
        return refuse("invalid_client");
    }
    let mut inner = state.inner.lock().unwrap();
    let (grant_type, code) = (form["grant_type"].as_str(), form["code"].as_str());
    assert_eq!(grant_type, "authorization_code");
    let is_careless = inner.faults.careless;
    let Some(grant) = inner.codes.remove(code) else {
        return refuse("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
    if !is_careless && (grant.code_challenge != challenge || grant.redirect_uri != form["redirect_uri"]) {
        return refuse("invalid_grant");
    }
    let id_token = inner.id_token(&state, &grant);
    let access_token = URL_SAFE_NO_PAD.encode(grant.person.to_string());
    if is_careless {
        inner.codes.insert(code.to_owned(), grant);
    }
    HttpResponse::Ok()
        .json(json!({"access_token": access_token, "token_type": "Bearer", "id_token": id_token}))
}

/// The access token is the person.
async fn userinfo(state: Data<State>, request: HttpRequest) -> HttpResponse {
    if let Some(answer) = state.intercept("/userinfo").await {
        return answer;
    }
    let token = request
        .headers()
        .get("authorization")
        .unwrap()
        .to_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap();
    let mut person: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    if let Some(subject) = &state.inner.lock().unwrap().faults.userinfo_subject {
        person["sub"] = json!(subject);
    }
    HttpResponse::Ok().json(person)
}

impl Inner {
    fn id_token(&self, state: &State, grant: &Grant) -> String {
        if let Some(token) = &self.faults.id_token {
            return token.clone();
        }
        let now = state.clock.unix();
        let mut claims = json!({
            "iss": state.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": grant.nonce,
        });
        let person = grant.person.as_object().unwrap().clone();
        let members = claims.as_object_mut().unwrap();
        members.extend(
            person
                .into_iter()
                .filter(|(name, _)| !self.faults.uses_userinfo || name == "sub"),
        );
        for (name, value) in self.faults.claims.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let members = claims.as_object_mut().unwrap();
        members.retain(|_, value| !value.is_null());
        let (algorithm, key) = match self.faults.forgery {
            None => (Algorithm::EdDSA, self.key.encoding.clone()),
            Some(Forgery::StrangeKey) => (Algorithm::EdDSA, SigningKey::generate("1").encoding),
            Some(Forgery::ClientSecret) => {
                let secret = state.client_secret.as_bytes();
                (Algorithm::HS256, EncodingKey::from_secret(secret))
            }
            Some(Forgery::PublicKey) => (Algorithm::HS256, EncodingKey::from_secret(&self.key.public)),
        };
        let mut header = Header::new(algorithm);
        header.kid = Some(self.key.kid.clone());
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }
}
