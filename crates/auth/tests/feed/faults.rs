//! Events that are lost, doubled, reordered or malformed.

use auth::FeedEvent;

use crate::{FETCHED, Fixture, eventually};

#[actix_web::test]
async fn a_lost_event_is_fetched_when_the_next_one_arrives() {
    let fixture = Fixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    fixture.publisher.lose(fixture.revocation_of(&ada));
    assert!(fixture.verify(&ada).await.is_ok());

    fixture.publisher.publish(fixture.revocation_of(&bob));
    fixture.eventually_revoked(&bob).await;
    fixture.eventually_revoked(&ada).await;
    assert_eq!(fixture.publisher.connections().len(), 2);
}

#[actix_web::test]
async fn a_lost_event_is_fetched_within_a_second_also_if_none_follows() {
    let fixture = Fixture::start().await;
    let ada = fixture.issuer.as_user();
    fixture.publisher.lose(fixture.revocation_of(&ada));
    fixture.revoked_within(FETCHED, &ada).await;
}

#[actix_web::test]
async fn doubled_and_reordered_events_change_nothing() {
    let fixture = Fixture::start().await;
    let users: Vec<_> = (0..3).map(|_| fixture.issuer.as_user()).collect();
    let before = fixture.publisher.position();
    let events: Vec<_> = users
        .iter()
        .zip(1..)
        .map(|(user, number)| {
            let position = auth::FeedPosition {
                seq: before.seq + number,
                ..before
            };
            FeedEvent::Revocation(position, fixture.revocation_of(user))
        })
        .collect();
    for user in &users {
        fixture.publisher.lose(fixture.revocation_of(user));
    }
    for index in [0, 0, 2, 1, 2, 0] {
        fixture.publisher.send(&events[index]);
    }
    for user in &users {
        fixture.revoked_within(FETCHED, user).await;
    }
    fixture.publisher.send_head();
    // The gap made the reader connect again, once.
    eventually("the reader is connected again", || {
        fixture.publisher.connections().len() == 2
    })
    .await;
    let admin = fixture.issuer.as_admin();
    fixture.publisher.publish(fixture.revocation_of(&users[0]));
    eventually("the set is current", || {
        let principal = fixture.verifier.verify_with_current_keys(&admin.token());
        principal.unwrap().user().unwrap().is_admin()
    })
    .await;
}

#[actix_web::test]
async fn a_publisher_that_refuses_is_asked_again() {
    let fixture = Fixture::start().await;
    fixture.publisher.fail();
    let ada = fixture.issuer.as_user();
    fixture.publisher.publish(fixture.revocation_of(&ada));
    eventually("the reader has noticed", || {
        fixture.publisher.refused_connections() > 1
    })
    .await;
    fixture.publisher.recover();
    fixture.eventually_revoked(&ada).await;
}
