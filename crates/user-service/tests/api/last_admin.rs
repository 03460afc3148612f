//! There is always an admin, and only an admin administrates.

use futures_util::future::join_all;
use serde_json::json;

use crate::admin_users::path_of;
use crate::database::execute;
use crate::{logged_in, logged_in_ada, logged_in_admin, register, service, with_token};

#[actix_web::test]
async fn the_last_admin_cannot_be_demoted_disabled_or_deleted() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let me = root.get("/users/me").await.json();
    let (path, second) = (path_of(&me), path_of(&pair["user"]));
    for change in [
        json!({"roles": ["user"]}),
        json!({"disabled": true}),
        json!({"roles": [], "disabled": true}),
    ] {
        root.patch(&path, change).await.assert_problem(409, "last_admin");
    }
    root.delete(&path).await.assert_problem(409, "last_admin");
    root.get("/users/me")
        .await
        .assert(200, json!({"roles": ["user", "admin"], "disabled": false}));

    // A disabled admin does not count.
    root.patch(&second, json!({"roles": ["admin"], "disabled": true}))
        .await
        .assert_status(200);
    root.patch(&path, json!({"roles": ["user"]}))
        .await
        .assert_problem(409, "last_admin");
    root.patch(&second, json!({"disabled": false}))
        .await
        .assert_status(200);
    root.patch(&path, json!({"roles": ["user"]}))
        .await
        .assert_status(200);
    root.get("/users/me").await.assert_problem(401, "token_revoked");
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn one_admin_remains_when_two_demote_each_other() {
    let service = service().await;
    let mut too_late = 0;
    for round in 0..8 {
        let root = logged_in_admin(&service).await;
        let me = root.get("/users/me").await.json();
        let email = format!("second{round}@example.com");
        let user = register(&service, &email).await;
        root.patch(&path_of(&user), json!({"roles": ["admin"]}))
            .await
            .assert_status(200);
        let pair = logged_in(&service, &email).await;
        let second = with_token(&service, &pair);

        let demotion = json!({"roles": ["user"]});
        let responses = join_all([
            root.patch(&path_of(&user), demotion.clone()),
            second.patch(&path_of(&me), demotion.clone()),
        ])
        .await;
        let done = responses.iter().filter(|response| response.status == 200).count();
        assert_eq!(
            done,
            1,
            "{:?}",
            responses
                .iter()
                .map(|response| response.status)
                .collect::<Vec<_>>()
        );
        for refused in responses.iter().filter(|response| response.status != 200) {
            assert!([401, 403].contains(&refused.status), "{}", refused.status);
            too_late += usize::from(refused.status == 403);
        }
        if responses[1].status == 200 {
            // Restore the first admin for the next round.
            second
                .patch(&path_of(&me), json!({"roles": ["admin"]}))
                .await
                .assert_status(200);
            second.patch(&path_of(&user), demotion).await.assert_status(200);
        }
    }
    // An admin who was demoted while waiting is refused, and the refusal is recorded.
    let log = logged_in_admin(&service)
        .await
        .get("/admin/audit-log?event=user_changed&limit=100")
        .await
        .json();
    let recorded = log["items"].as_array().unwrap().iter();
    let recorded =
        recorded.filter(|record| record["detail"] == "no longer an admin" && record["outcome"] == "failure");
    println!("{too_late} admins were demoted while waiting");
    assert_eq!(recorded.count(), too_late);
}

#[actix_web::test]
async fn a_former_admin_whose_token_is_still_valid_is_refused_and_the_refusal_is_recorded() {
    let service = service().await;
    let root = logged_in_admin(&service).await;
    let user = register(&service, "second@example.com").await;
    root.patch(&path_of(&user), json!({"roles": ["admin"]}))
        .await
        .assert_status(200);
    let pair = logged_in(&service, "second@example.com").await;
    let second = with_token(&service, &pair);
    // Unlike a change by an admin, this does not revoke the token.
    execute(
        &service,
        "update users set roles = 'user' where email = 'second@example.com'",
    )
    .await;

    let me = root.get("/users/me").await.json();
    let logout = format!("{}/logout", path_of(&me));
    second
        .post(&logout, json!({}))
        .await
        .assert_problem(403, "forbidden");
    second
        .delete(&path_of(&me))
        .await
        .assert_problem(403, "forbidden");
    for event in ["user_logged_out", "user_deleted"] {
        let log = root.get(&format!("/admin/audit-log?event={event}")).await.json();
        let [record] = log["items"].as_array().unwrap().as_slice() else {
            panic!("{log}")
        };
        assert_eq!(
            (&record["outcome"], &record["detail"], &record["subject_id"]),
            (&json!("failure"), &json!("no longer an admin"), &me["id"])
        );
    }
}
