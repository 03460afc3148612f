//! What stands in for product-service.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, Path};
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use serde_json::json;
use uuid::Uuid;

use crate::order;

/// Products and who owns them, at an address of its own.
pub struct Catalogue {
    url: String,
    server: ServerHandle,
    state: Data<State>,
}

#[derive(Default)]
struct State {
    owners: Mutex<HashMap<Uuid, Uuid>>,
    mood: Mutex<Mood>,
}

/// How it answers.
#[derive(Clone, Default)]
pub enum Mood {
    #[default]
    Well,
    /// It takes the call, and that is all.
    Silent,
    /// This, whatever was asked.
    Garbled(u16, &'static str),
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

    pub fn put_up(&self, owner: Uuid) -> Uuid {
        let product = order();
        self.state.owners.lock().unwrap().insert(product, owner);
        product
    }

    pub fn take_down(&self, product: Uuid) {
        self.state.owners.lock().unwrap().remove(&product);
    }

    pub fn is_now(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// From here on nobody answers at its address.
    pub async fn close(&self) {
        self.server.stop(false).await;
    }
}

async fn show(id: Path<Uuid>, state: Data<State>) -> HttpResponse {
    let mood = state.mood.lock().unwrap().clone();
    match mood {
        Mood::Well => match state.owners.lock().unwrap().get(&id) {
            Some(owner) => HttpResponse::Ok().json(json!({"id": *id, "name": "Lamp", "owner_id": owner})),
            None => HttpResponse::NotFound().json(json!({"code": "product_not_found"})),
        },
        Mood::Silent => std::future::pending().await,
        Mood::Garbled(status, body) => HttpResponse::build(status.try_into().unwrap())
            .content_type("application/json")
            .body(body),
    }
}
