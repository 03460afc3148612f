//! The operations of the services' OpenAPI documents: their policies, their public paths, and the requests in their examples.

use std::collections::BTreeSet;

use actix_web::http::Method;
use reqwest::RequestBuilder;
use serde_json::Value;
use service_kit::Roles;
use test_kit::Client;

use crate::sandbox::{GATEWAY, REGISTRY};

const FORM: &str = "application/x-www-form-urlencoded";

/// An operation of a service.
#[derive(Clone, Debug)]
pub struct Operation {
    pub service: String,
    pub method: Method,
    /// The path at the service.
    pub path: String,
    /// The path at the gateway, if the route is public.
    pub public_path: Option<String>,
    /// Whether it is a page of the gateway itself, on the port for clients.
    pub is_gateway_page: bool,
    /// The callers that it admits.
    pub policy: Policy,
    document: Value,
}

/// The callers that an operation admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    Anyone,
    User,
    /// Users with one of these roles.
    Role(Vec<String>),
    /// Users with this scope.
    Scope(String),
    /// Any service, or the one of this name.
    Service(Option<String>),
    /// A registered client, by HTTP Basic.
    Client,
}

/// A request: a path with a query, and a body, with examples or with the values of real rows.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub body: Option<(Media, Value)>,
}

#[derive(Clone, Copy, Debug)]
pub enum Media {
    Json,
    Form,
}

impl Operation {
    /// The operations in the document of this service, in the order of paths.
    pub async fn all(service: &str, client: &Client) -> Vec<Self> {
        let document = client.get("/openapi.json").await.assert_status(200).json();
        let paths = document["paths"].as_object().expect("paths");
        let of_path = |(path, item): (&String, &Value)| -> Vec<Self> {
            let operations = item.as_object().unwrap().iter();
            operations
                .map(|(method, operation)| Self {
                    service: service.to_owned(),
                    method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                    path: path.clone(),
                    public_path: public_path(service, path),
                    is_gateway_page: false,
                    policy: Policy::parse(operation["x-policy"].as_str().unwrap_or("anyone")),
                    document: operation.clone(),
                })
                .collect()
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// The gateway's own pages, from the document of all public routes. All others must be the public ones of `operations`.
    pub async fn gateway_pages(gateway: &Client, operations: &[Self]) -> Vec<Self> {
        let is_own = |operation: &Self| operation.document["tags"][0] == GATEWAY;
        let documented = Self::all(GATEWAY, gateway).await;
        let (mut pages, others): (Vec<_>, Vec<_>) = documented.into_iter().partition(is_own);
        let name = |method: &Method, path: &str| format!("{method} {path}");
        let documented: BTreeSet<_> = others
            .iter()
            .map(|other| name(&other.method, &other.path))
            .collect();
        let public = operations.iter().filter_map(|operation| {
            let path = operation.public_path.as_ref()?;
            Some(name(&operation.method, path))
        });
        assert_eq!(
            documented,
            public.collect(),
            "left: documented by the gateway, right: public"
        );
        for page in &mut pages {
            page.is_gateway_page = true;
            page.public_path = Some(page.path.clone());
        }
        pages
    }

    /// The heading of its table.
    pub fn heading(&self) -> &str {
        match self.service.as_str() {
            GATEWAY if !self.is_gateway_page => "gateway, inner port",
            service => service,
        }
    }

    pub fn id(&self) -> &str {
        self.document["operationId"].as_str().unwrap()
    }

    /// Identifies it among all operations.
    pub fn key(&self) -> String {
        format!("{} {} of {}", self.method, self.path, self.service)
    }

    /// The callers that it admits, in the words of the document.
    pub fn policy_in_words(&self) -> &str {
        self.document["x-policy"].as_str().unwrap_or("anyone")
    }

    /// Whether a request changes nothing.
    pub fn is_safe(&self) -> bool {
        self.method == Method::GET
    }

    pub fn requires_body(&self) -> bool {
        self.document["requestBody"]["required"] == true
    }

    /// The operations that must have succeeded before its example can.
    pub fn requirements(&self) -> Vec<String> {
        let required = self.document["x-requires"].as_array().into_iter().flatten();
        required.map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// The request in the document's examples.
    pub fn example(&self) -> Request {
        let (mut path, mut query) = (self.path.clone(), Vec::new());
        for parameter in self.document["parameters"].as_array().into_iter().flatten() {
            if parameter["required"] != true {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let example = parameter["example"].as_str();
            let example = example.expect("an example of each required parameter");
            match parameter["in"].as_str() {
                Some("path") => path = path.replace(&format!("{{{name}}}"), example),
                Some("query") => query.push(format!("{name}={example}")),
                other => panic!("a required parameter in {other:?}"),
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let content = &self.document["requestBody"]["content"];
        let body = [(Media::Json, "application/json"), (Media::Form, FORM)]
            .into_iter()
            .find(|(_, name)| content[name].is_object())
            .map(|(media, name)| (media, content[name]["example"].clone()));
        Request { path, body }
    }

    /// The example of its successful response with JSON, and its status.
    pub fn response(&self) -> Option<(u16, &Value)> {
        let responses = self.document["responses"].as_object().into_iter().flatten();
        responses
            .filter(|(status, _)| status.starts_with('2'))
            .find_map(|(status, response)| {
                let example = response["content"]["application/json"].get("example")?;
                Some((status.parse().ok()?, example))
            })
    }
}

impl Policy {
    fn parse(words: &str) -> Self {
        match words.split(' ').collect::<Vec<_>>()[..] {
            ["anyone" | "anyone;", ..] => Self::Anyone,
            ["any", "user"] => Self::User,
            ["scope", scope] => Self::Scope(scope.to_owned()),
            ["role", ref roles @ ..] => {
                let roles = roles.iter().filter(|word| **word != "or");
                Self::Role(roles.map(|role| (*role).to_owned()).collect())
            }
            ["any", "service"] => Self::Service(None),
            ["service", name] => Self::Service(Some(name.to_owned())),
            ["security", "scheme", _] => Self::Client,
            _ => panic!("unknown policy: {words}"),
        }
    }

    /// Whether it admits a user with these roles.
    pub fn admits_user(&self, roles: &[&str]) -> bool {
        match self {
            Self::Anyone | Self::User => true,
            Self::Role(admitted) => admitted.iter().any(|role| roles.contains(&role.as_str())),
            Self::Scope(scope) => {
                let scopes = Roles::built_in().scope_of(roles);
                scopes.split(' ').any(|own| own == scope)
            }
            Self::Service(_) | Self::Client => false,
        }
    }

    /// Whether it admits the service of this name.
    pub fn admits_service(&self, name: &str) -> bool {
        match self {
            Self::Anyone => true,
            Self::Service(admitted) => admitted.as_ref().is_none_or(|admitted| admitted == name),
            // HTTP Basic: a service token is no credential there.
            Self::User | Self::Role(_) | Self::Scope(_) | Self::Client => false,
        }
    }
}

impl Request {
    pub fn add_body(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.body {
            None => request,
            Some((Media::Json, body)) => request.json(body),
            Some((Media::Form, body)) => request.header("content-type", FORM).body(encoded(body)),
        }
    }
}

fn encoded(form: &Value) -> String {
    let pairs = form.as_object().unwrap().iter();
    let pairs = pairs.map(|(name, value)| (name, value.as_str().unwrap()));
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// The path at which the gateway forwards to this path of a service: that of the longest prefix. A path may have a query.
pub fn public_path(service: &str, path: &str) -> Option<String> {
    let routes = REGISTRY.find(service)?.routes.iter();
    let inside = routes.filter_map(|route| {
        let rest = path.strip_prefix(&route.upstream_prefix)?;
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((route, rest))
    });
    let (route, rest) = inside.max_by_key(|(route, _)| route.upstream_prefix.len())?;
    Some(format!("{}{rest}", route.prefix))
}
