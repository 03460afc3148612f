//! Writing, reading and listing notes.

use serde_json::json;

use crate::{ADMIN, PUBLIC, USER, restart, service};

#[actix_web::test]
async fn a_user_reads_only_their_own_note() {
    let service = service().await;
    let written = service
        .user("ada")
        .put(USER, json!({"text": "Buy a lamp."}))
        .await;
    written.assert(200, json!({"text": "Buy a lamp."}));

    let read = service.user("ada").get(USER).await;
    read.assert(200, written.json());
    let other = service.user("bob").get(USER).await;
    other.assert_problem(404, "note_not_found");
}

#[actix_web::test]
async fn a_second_note_replaces_the_first() {
    let service = service().await;
    for text in ["Buy a lamp.", "Sell the lamp."] {
        let written = service.user("ada").put(USER, json!({"text": text})).await;
        written.assert_status(200);
    }
    let read = service.user("ada").get(USER).await;
    read.assert(200, json!({"text": "Sell the lamp."}));
    let count = service.anonymous().get(PUBLIC).await;
    count.assert(200, json!({"notes": 1}));
}

#[actix_web::test]
async fn an_invalid_note_is_refused() {
    let service = service().await;
    let ada = service.user("ada");
    let (empty, long) = (json!({"text": ""}), json!({"text": "x".repeat(1_001)}));
    for body in [empty, long, json!({"text": "a\u{7}"}), json!({"text": null})] {
        ada.put(USER, body).await.assert_invalid("text");
    }
    let with_owner = json!({"text": "Buy a lamp.", "user_id": "01890a5d-ac96-774b-bcce-b302099a8057"});
    ada.put(USER, with_owner).await.assert_invalid("user_id");
}

#[actix_web::test]
async fn an_admin_lists_all_notes_page_by_page() {
    let service = service().await;
    for name in ["ada", "bob", "eve"] {
        let written = service.user(name).put(USER, json!({"text": name})).await;
        written.assert_status(200);
    }
    let first = service.admin().get(&format!("{ADMIN}?limit=2")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = format!("{ADMIN}?limit=2&cursor={cursor}");
    let second = service.admin().get(&next).await.json();

    let pages = [&first, &second].map(|page| page["items"].as_array().unwrap().clone());
    let mut texts: Vec<_> = pages.concat().iter().map(|note| note["text"].clone()).collect();
    texts.sort_by_key(ToString::to_string);
    assert_eq!(texts, ["ada", "bob", "eve"]);
    assert_eq!(second["next_cursor"], json!(null));
}

#[actix_web::test]
async fn a_note_survives_a_restart() {
    let first = service().await;
    let written = first.user("ada").put(USER, json!({"text": "Buy a lamp."})).await;
    let again = restart(first).await;
    let read = again.user("ada").get(USER).await;
    read.assert(200, written.json());
}
