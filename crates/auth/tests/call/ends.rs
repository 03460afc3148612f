//! Clients, calls and runtimes that come to an end.

use auth::{CallError, ServiceClient};

use crate::fake::{Fake, hangs};
use crate::house::{House, at_once, fine, issues, pass, until};
use crate::refused::refuses_the_first;

#[tokio::test]
async fn nobody_is_asked_for_tokens_once_the_client_is_let_go() {
    let House {
        tokens,
        neighbour,
        client,
    } = House::beside(fine);
    let (clone, call) = (client.clone(), client.get("/"));
    assert_eq!(client.get("/").send().await.unwrap().status(), 200);
    drop((client, clone));
    assert_eq!(call.send().await.unwrap().status(), 200);

    for _ in 0..5 {
        pass(1_000.0).await;
        // Another house's first token takes as long as a renewal would have.
        House::beside(fine).status().await;
    }
    assert_eq!((tokens.count(), neighbour.count()), (1, 2));
}

#[tokio::test]
async fn calls_that_are_given_up_midway_do_no_harm() {
    let house = House::of(Fake::that(|_| hangs()), Fake::that(fine));
    let give_up = async |count: usize, done: &dyn Fn() -> bool| {
        let calls: Vec<_> = (0..count)
            .map(|_| {
                let client = house.client.clone();
                tokio::spawn(async move { client.get("/").send().await })
            })
            .collect();
        until("under way", done).await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for call in calls {
            assert!(call.await.unwrap_err().is_cancelled());
        }
    };
    give_up(50, &|| house.tokens.count() == 1).await;
    house.tokens.now(issues(900));
    pass(3.0).await;
    house.until_answered().await;
    house.neighbour.now(|_| hangs());
    give_up(50, &|| house.neighbour.count() == 51).await;
    house.neighbour.now(fine);
    assert_eq!(house.status().await, 200);
}

#[tokio::test]
async fn a_connection_that_lay_idle_is_not_trusted() {
    let house = House::beside(fine);
    for _ in 0..3 {
        house.status().await;
    }
    // Servers keep theirs for a minute.
    pass(59.0).await;
    house.status().await;
    let connections: Vec<_> = house
        .neighbour
        .heard()
        .iter()
        .map(|heard| heard.connection)
        .collect();
    assert_eq!(connections, [1, 1, 1, 2]);
}

/// Calls once, in a runtime that ends then.
async fn call_elsewhere(client: &ServiceClient) {
    let client = client.clone();
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(client.get("/").send()).unwrap();
    });
    until("done", || elsewhere.is_finished()).await;
    elsewhere.join().unwrap();
}

#[tokio::test]
async fn the_runtime_of_the_first_caller_may_end() {
    let house = House::beside(fine);
    call_elsewhere(&house.client).await;
    house.tokens.now(|_| hangs());
    assert_eq!(at_once(house.post()).await.unwrap().status(), 200);
    assert_eq!(house.newest_token(), "token-1");
    house.tokens.until_heard(2).await;

    house.tokens.now(issues(900));
    pass(3.0).await;
    house.until_token("token-3").await;
    pass(650.0).await;
    house.until_token("token-4").await;
}

#[tokio::test]
async fn a_token_from_a_runtime_that_ended_is_replaced_where_it_is_refused() {
    let house = House::beside(fine);
    call_elsewhere(&house.client).await;
    house.neighbour.now(refuses_the_first);
    assert_eq!(house.status().await, 200);
    assert_eq!(house.tokens.count(), 2);
}

#[tokio::test]
async fn a_token_that_ended_with_its_runtime_is_replaced() {
    let house = House::beside(fine);
    call_elsewhere(&house.client).await;
    house.tokens.now(|_| hangs());
    pass(1_000.0).await;
    let client = house.client.clone();
    let call = tokio::spawn(async move { client.get("/").send().await });
    house.tokens.until_heard(2).await;
    house.tokens.now(issues(900));
    pass(3.0).await;
    assert!(matches!(at_once(call).await.unwrap(), Err(CallError::NoToken(_))));
    house.until_answered().await;
}
