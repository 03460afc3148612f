//! A fake product-service.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::web::{Data, Path};
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use serde_json::json;
use uuid::Uuid;

use crate::new_id;

/// Products and their owners, served over HTTP.
pub struct Catalogue {
    url: String,
    server: ServerHandle,
    state: Data<State>,
}

#[derive(Default)]
struct State {
    owners: Mutex<HashMap<Uuid, Uuid>>,
    behaviour: Mutex<Behaviour>,
}

/// How the fake answers.
#[derive(Clone, Default)]
pub enum Behaviour {
    #[default]
    Healthy,
    /// Accepts the call and never answers.
    Hangs,
    /// Answers every call with this status and body.
    Replies(u16, &'static str),
}

impl Catalogue {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Data::from(Arc::<State>::default());
        let shared = state.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/products/{id}", web::get().to(show))
        });
        let server = server
            .workers(1)
            // Otherwise `close` would leave connections that are still served for a moment.
            .keep_alive(KeepAlive::Disabled)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        rt::spawn(server);
        Self {
            url,
            server: handle,
            state,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn add(&self, owner: Uuid) -> Uuid {
        let product = new_id();
        self.state.owners.lock().unwrap().insert(product, owner);
        product
    }

    pub fn remove(&self, product: Uuid) {
        self.state.owners.lock().unwrap().remove(&product);
    }

    pub fn set(&self, behaviour: Behaviour) {
        *self.state.behaviour.lock().unwrap() = behaviour;
    }

    /// Stops the server, so that connections are refused.
    pub async fn close(&self) {
        self.server.stop(false).await;
    }
}

async fn show(id: Path<Uuid>, state: Data<State>) -> HttpResponse {
    let behaviour = state.behaviour.lock().unwrap().clone();
    match behaviour {
        Behaviour::Healthy => match state.owners.lock().unwrap().get(&id) {
            Some(owner) => HttpResponse::Ok().json(json!({"id": *id, "name": "Lamp", "owner_id": owner})),
            None => HttpResponse::NotFound().json(json!({"code": "product_not_found"})),
        },
        Behaviour::Hangs => std::future::pending().await,
        Behaviour::Replies(status, body) => HttpResponse::build(status.try_into().unwrap())
            .content_type("application/json")
            .body(body),
    }
}
