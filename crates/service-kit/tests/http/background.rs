//! Background tasks run beside the requests, from startup to the last response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::test_service::Things;

/// Wait for at most this long.
const DEADLINE: Duration = Duration::from_secs(10);

async fn wait_for(semaphore: &Semaphore) {
    let permit = timeout(DEADLINE, semaphore.acquire()).await;
    permit
        .expect("it did not happen in time")
        .expect("an open semaphore")
        .forget();
}

#[actix_web::test]
async fn a_task_that_panics_is_restarted_and_the_service_stays_ready() {
    let (starts, restarted) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let signal = Arc::clone(&restarted);
    let things = Things::spawn_as(|server| {
        server.background("worker", move || {
            let (start, restarted) = (starts.fetch_add(1, Ordering::SeqCst), Arc::clone(&signal));
            async move {
                assert_ne!(start, 0, "the first start fails");
                restarted.add_permits(1);
                std::future::pending::<()>().await;
            }
        })
    })
    .await;

    wait_for(&restarted).await;
    let ready = things.anonymous().get("/health/ready").await;
    ready.assert(200, json!({"status": "ready"}));
}

#[actix_web::test]
async fn a_service_whose_task_keeps_failing_is_not_ready() {
    let starts = Arc::new(Semaphore::new(0));
    let signal = Arc::clone(&starts);
    let things = Things::spawn_as(|server| {
        server.background("worker", move || {
            signal.add_permits(1);
            std::future::ready(())
        })
    })
    .await;

    for _ in 0..4 {
        wait_for(&starts).await;
    }
    let ready = things.anonymous().get("/health/ready").await;
    ready
        .assert_problem(503, "not_ready")
        .assert(503, json!({"detail": "Not ready: worker."}));
    things.anonymous().get("/id").await.assert_status(200);
}

/// Adds a permit when it is dropped.
struct OnDrop(Arc<Semaphore>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

#[actix_web::test]
async fn a_task_runs_until_the_last_response_and_then_ends() {
    let (started, ended) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (on_start, on_end) = (Arc::clone(&started), Arc::clone(&ended));
    let things = Things::spawn_as(|server| {
        server.background("worker", move || {
            let (started, end) = (Arc::clone(&on_start), OnDrop(Arc::clone(&on_end)));
            async move {
                started.add_permits(1);
                let _end = end;
                std::future::pending::<()>().await;
            }
        })
    })
    .await;
    let (gate, client) = (things.gate.clone(), things.anonymous().clone());
    let in_flight = actix_web::rt::spawn(async move { client.get("/waits").await });
    wait_for(&gate.entered).await;
    wait_for(&started).await;

    things.stop().await;
    assert_eq!(
        ended.available_permits(),
        0,
        "the task ended before the last response"
    );
    gate.leave.add_permits(1);
    in_flight.await.expect("a response").assert_status(200);
    wait_for(&ended).await;
}
