//! A gate: requests wait in a handler until the test lets them pass.

use std::sync::Arc;

use actix_web::web::{Data, Json};
use auth::Anyone;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Where a request waits until the test releases it.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) entered: Arc<Semaphore>,
    pub(crate) leave: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self {
            entered: Arc::new(Semaphore::new(0)),
            leave: Arc::new(Semaphore::new(0)),
        }
    }
}

pub(crate) async fn wait(_: Anyone, gate: Data<Gate>) -> Json<Value> {
    gate.entered.add_permits(1);
    drop(gate.leave.acquire().await);
    Json(json!({"waited": true}))
}
