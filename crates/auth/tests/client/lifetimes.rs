//! Dropped clients, cancelled calls and ended runtimes.

use auth::{CallError, ServiceClient};

use crate::fake_server::{FakeServer, hang};
use crate::fixture::{Fixture, issue_tokens, ok};
use crate::refused_tokens::refuse_first_token;
use crate::time::{advance, at_once, until};

#[tokio::test]
async fn a_dropped_client_fetches_no_more_tokens() {
    let Fixture {
        tokens,
        neighbour,
        client,
    } = Fixture::with_neighbour(ok);
    let (clone, call) = (client.clone(), client.get("/"));
    assert_eq!(client.get("/").send().await.unwrap().status(), 200);
    drop((client, clone));
    assert_eq!(call.send().await.unwrap().status(), 200);

    for _ in 0..5 {
        advance(1_000.0).await;
        // Give a renewal the time that another client needs for its first token.
        Fixture::with_neighbour(ok).status().await;
    }
    assert_eq!((tokens.count(), neighbour.count()), (1, 2));
}

#[tokio::test]
async fn cancelled_calls_do_no_harm() {
    let fixture = Fixture::new(FakeServer::start(|_| hang()), FakeServer::start(ok));
    let cancel = async |count: usize, done: &dyn Fn() -> bool| {
        let calls: Vec<_> = (0..count)
            .map(|_| {
                let client = fixture.client.clone();
                tokio::spawn(async move { client.get("/").send().await })
            })
            .collect();
        until("calls are under way", done).await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for call in calls {
            assert!(call.await.unwrap_err().is_cancelled());
        }
    };
    cancel(50, &|| fixture.tokens.count() == 1).await;
    fixture.tokens.set_script(issue_tokens(900));
    advance(3.0).await;
    fixture.until_successful().await;
    fixture.neighbour.set_script(|_| hang());
    cancel(50, &|| fixture.neighbour.count() == 51).await;
    fixture.neighbour.set_script(ok);
    assert_eq!(fixture.status().await, 200);
}

#[tokio::test]
async fn an_idle_connection_is_not_reused() {
    let fixture = Fixture::with_neighbour(ok);
    for _ in 0..3 {
        fixture.status().await;
    }
    // Servers close idle connections after a minute.
    advance(59.0).await;
    fixture.status().await;
    let connections: Vec<_> = fixture
        .neighbour
        .received()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [1, 1, 1, 2]);
}

/// Makes one call in another runtime, which ends afterwards.
async fn call_in_another_runtime(client: &ServiceClient) {
    let client = client.clone();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(client.get("/").send()).unwrap();
    });
    until("the other runtime has ended", || other.is_finished()).await;
    other.join().unwrap();
}

#[tokio::test]
async fn the_runtime_of_the_first_call_may_end() {
    let fixture = Fixture::with_neighbour(ok);
    call_in_another_runtime(&fixture.client).await;
    fixture.tokens.set_script(|_| hang());
    assert_eq!(at_once(fixture.post()).await.unwrap().status(), 200);
    assert_eq!(fixture.newest_token(), "token-1");
    fixture.tokens.until_received(2).await;

    fixture.tokens.set_script(issue_tokens(900));
    advance(3.0).await;
    fixture.until_token("token-3").await;
    advance(650.0).await;
    fixture.until_token("token-4").await;
}

#[tokio::test]
async fn a_refused_token_from_an_ended_runtime_is_replaced() {
    let fixture = Fixture::with_neighbour(ok);
    call_in_another_runtime(&fixture.client).await;
    fixture.neighbour.set_script(refuse_first_token);
    assert_eq!(fixture.status().await, 200);
    assert_eq!(fixture.tokens.count(), 2);
}

#[tokio::test]
async fn an_expired_token_from_an_ended_runtime_is_replaced() {
    let fixture = Fixture::with_neighbour(ok);
    call_in_another_runtime(&fixture.client).await;
    fixture.tokens.set_script(|_| hang());
    advance(1_000.0).await;
    let client = fixture.client.clone();
    let call = tokio::spawn(async move { client.get("/").send().await });
    fixture.tokens.until_received(2).await;
    fixture.tokens.set_script(issue_tokens(900));
    advance(3.0).await;
    assert!(matches!(at_once(call).await.unwrap(), Err(CallError::NoToken(_))));
    fixture.until_successful().await;
}
