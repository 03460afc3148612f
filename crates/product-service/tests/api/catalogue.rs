//! Creating, reading, listing and searching products.

use serde_json::json;

use crate::{create, lamp, shop};

#[actix_web::test]
async fn a_created_product_is_visible_to_everyone() {
    let shop = shop().await;
    let answer = shop.user("ada").post("/products", lamp()).await;
    answer.assert(201, lamp());
    assert_eq!(answer.header("etag"), r#""1""#);
    assert_eq!(answer.header("cache-control"), "no-store");

    let shown = shop.anonymous().get(answer.header("location")).await;
    assert_eq!(shown.assert_status(200).json(), answer.json());
    assert_eq!(shown.header("cache-control"), "");
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        members,
        [
            "created_at",
            "currency",
            "description",
            "id",
            "name",
            "owner_id",
            "price_cents",
            "updated_at"
        ]
    );
}

#[actix_web::test]
async fn text_round_trips_byte_for_byte() {
    let shop = shop().await;
    let odd = json!({
        "name": " Lámp’s \"best\" <b>\\ %_ 🪔 e\u{301} ",
        "description": "one\n\ttwo '; drop table products; --",
        "price_cents": 0,
        "currency": "JPY",
    });
    let url = create(&shop.user("ada"), odd.clone()).await;
    shop.anonymous().get(&url).await.assert(200, odd);
}

#[actix_web::test]
async fn an_invalid_field_is_refused_and_named() {
    let shop = shop().await;
    let ada = shop.user("ada");
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(201))),
        ("name", json!("a\nb")),
        ("name", json!("a\u{0}b")),
        ("name", json!(7)),
        ("description", json!("x".repeat(5_001))),
        ("description", json!("\u{1b}[31m")),
        ("description", json!(null)),
        ("price_cents", json!(-1)),
        ("price_cents", json!(1_000_000_000_001_i64)),
        ("price_cents", json!(9_223_372_036_854_775_808_u64)),
        ("price_cents", json!(1.5)),
        ("price_cents", json!("1")),
        ("currency", json!("eur")),
        ("currency", json!("EURO")),
        ("currency", json!("€UR")),
        ("owner_id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
    ] {
        let mut product = lamp();
        product[field] = value;
        ada.post("/products", product).await.assert_invalid(field);
    }
    for field in ["name", "price_cents", "currency"] {
        let mut product = lamp();
        product.as_object_mut().unwrap().remove(field);
        ada.post("/products", product).await.assert_invalid(field);
    }
    assert_eq!(shop.anonymous().get("/products").await.json()["items"], json!([]));
}

#[actix_web::test]
async fn the_largest_allowed_values_are_accepted() {
    let shop = shop().await;
    let most = json!({
        "name": "ä".repeat(200), "description": "ö".repeat(5_000), "price_cents": 1_000_000_000_000_i64, "currency": "ABC",
    });
    let url = create(&shop.user("ada"), most.clone()).await;
    shop.anonymous().get(&url).await.assert(200, most);
}

#[actix_web::test]
async fn pages_list_every_product_once_newest_first() {
    let shop = shop().await;
    let ada = shop.user("ada");
    for number in 0..7 {
        create(
            &ada,
            json!({"name": format!("p{number}"), "price_cents": number, "currency": "EUR"}),
        )
        .await;
    }
    let mut names = Vec::new();
    let mut path = "/products?limit=3".to_owned();
    loop {
        let page = shop.anonymous().get(&path).await.assert_status(200).json();
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        // A product that is created meanwhile does not shift the following pages.
        create(&ada, json!({"name": "late", "price_cents": 1, "currency": "EUR"})).await;
        path = format!("/products?limit=3&cursor={cursor}");
    }
    assert_eq!(names, ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]);
}

#[actix_web::test]
async fn a_search_covers_names_and_descriptions_and_ignores_case() {
    let shop = shop().await;
    let ada = shop.user("ada");
    for (name, description) in [
        ("Lamp", "gives LIGHT"),
        ("Candle", "Light of the poor"),
        ("CAFÉ table", ""),
        ("100% wool_", r"back\slash"),
    ] {
        create(
            &ada,
            json!({"name": name, "description": description, "price_cents": 1, "currency": "EUR"}),
        )
        .await;
    }
    let found = async |q: &str| {
        let page = shop
            .anonymous()
            .get(&format!("/products?q={q}"))
            .await
            .assert_status(200)
            .json();
        let names = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(found("light").await, ["Candle", "Lamp"]);
    assert_eq!(found("caf%C3%A9").await, ["CAFÉ table"]);
    assert_eq!(found("cafe%CC%81").await, ["CAFÉ table"]);
    assert_eq!(found("%25").await, ["100% wool_"]);
    assert_eq!(found("_").await, ["100% wool_"]);
    assert_eq!(found("%5C").await, ["100% wool_"]);
    assert_eq!(found("nothing").await, Vec::<String>::new());
    assert_eq!(found("").await.len(), 4);
    shop.anonymous()
        .get("/products?q=%00")
        .await
        .assert_problem(400, "invalid_query");
    shop.anonymous()
        .get(&format!("/products?q={}", "x".repeat(101)))
        .await
        .assert_problem(400, "invalid_query");
}

#[actix_web::test]
async fn a_list_can_be_limited_to_one_owner_or_to_given_ids() {
    let shop = shop().await;
    let (ada, bob) = (shop.user("ada"), shop.user("bob"));
    let lamps = [create(&ada, lamp()).await, create(&ada, lamp()).await];
    let of_bob = create(&bob, lamp()).await;
    let owner = shop.anonymous().get(&of_bob).await.json()["owner_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let items = async |query: String| {
        let page = shop
            .anonymous()
            .get(&format!("/products?{query}"))
            .await
            .assert_status(200)
            .json();
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| format!("/products/{}", item["id"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        items(format!("owner_id={owner}")).await,
        std::slice::from_ref(&of_bob)
    );

    let ids = [&lamps[0], &of_bob].map(|url| url.trim_start_matches("/products/").to_owned());
    assert_eq!(
        items(format!("ids={},{}", ids[0], ids[1])).await,
        [of_bob.clone(), lamps[0].clone()]
    );
    assert_eq!(
        items(format!("ids={},{}&owner_id={owner}", ids[0], ids[1])).await,
        [of_bob]
    );
    assert_eq!(
        items("ids=01890a5d-ac96-774b-bcce-b302099a8057".to_owned()).await,
        Vec::<String>::new()
    );
    assert_eq!(items("ids=".to_owned()).await, Vec::<String>::new());

    let many = vec![ids[0].as_str(); 100].join(",");
    assert_eq!(items(format!("ids={many}")).await, [lamps[0].clone()]);
    for wrong in [
        format!("ids={many},{}", ids[0]),
        "ids=1".to_owned(),
        format!("ids={}", ids[0].to_uppercase()),
        format!("owner_id={}", owner.to_uppercase()),
        "owner_id=1".to_owned(),
    ] {
        shop.anonymous()
            .get(&format!("/products?{wrong}"))
            .await
            .assert_problem(400, "invalid_query");
    }
}

#[actix_web::test]
async fn a_list_of_ids_fits_on_one_page_unless_a_limit_is_given() {
    let shop = shop().await;
    let ada = shop.user("ada");
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(
            create(&ada, lamp())
                .await
                .trim_start_matches("/products/")
                .to_owned(),
        );
    }
    let page = shop
        .anonymous()
        .get(&format!("/products?ids={}", ids.join(",")))
        .await
        .json();
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["next_cursor"]),
        (25, &json!(null))
    );
    let page = shop
        .anonymous()
        .get(&format!("/products?limit=10&ids={}", ids.join(",")))
        .await
        .json();
    assert_eq!(page["items"].as_array().unwrap().len(), 10);
}

#[actix_web::test]
async fn an_unchanged_product_or_page_is_answered_with_304() {
    let shop = shop().await;
    let ada = shop.user("ada");
    let url = create(&ada, lamp()).await;
    for (price, path) in [url.as_str(), "/products", "/products?q=lamp"]
        .into_iter()
        .enumerate()
    {
        let first = shop.anonymous().get(path).await;
        let tag = first.assert_status(200).header("etag").to_owned();
        let again = shop.anonymous().with("if-none-match", &tag).get(path).await;
        assert_eq!(
            (again.assert_status(304).header("etag"), again.body.as_str()),
            (tag.as_str(), "")
        );
        shop.anonymous()
            .with("if-none-match", &format!("\"other\", {tag}"))
            .get(path)
            .await
            .assert_status(304);
        shop.anonymous()
            .with("if-none-match", "*")
            .get(path)
            .await
            .assert_status(304);
        shop.anonymous()
            .with("if-none-match", "\"other\"")
            .get(path)
            .await
            .assert_status(200);
        ada.patch(&url, json!({"price_cents": price}))
            .await
            .assert_status(200);
        shop.anonymous()
            .with("if-none-match", &tag)
            .get(path)
            .await
            .assert_status(200);
    }
    let absent = "/products/01890a5d-ac96-774b-bcce-b302099a8057";
    shop.anonymous()
        .with("if-none-match", "*")
        .get(absent)
        .await
        .assert_problem(404, "product_not_found");
}
