//! Values round-trip through both engines unchanged.

use std::fmt::Debug;

use chrono::{DateTime, SubsecRound as _, Utc};
use db::{Db, on};
use test_kit::TestDatabase;
use uuid::Uuid;

use crate::migrations;

const SQLITE: &str = "create table things (
    id integer primary key,
    uuid blob, flag integer, number integer, time text, text text, bytes blob
) strict";
const POSTGRES: &str = "create table things (
    id bigint primary key,
    uuid uuid, flag boolean, number bigint, time timestamptz, text text, bytes bytea
)";

async fn things() -> (TestDatabase, Db) {
    let database = TestDatabase::new().await;
    let db = Db::open(&database.url(), &migrations(&[SQLITE], &[POSTGRES]))
        .await
        .expect("a database");
    (database, db)
}

/// Writes each value to this column, finds the row by that value, and reads it back.
macro_rules! round_trip {
    ($column:literal: $type:ty, $values:expr) => {{
        const INSERT: &str = concat!("insert into things (id, ", $column, ") values ($1, $2)");
        const FIND: &str = concat!("select ", $column, " from things where id = $1 and ", $column, " = $2");
        const NULL: &str = concat!("select ", $column, " from things where id = 0");
        const ALL: &str = concat!("select ", $column, " from things where id > 0 order by id");
        let (_database, db) = things().await;
        let values: Vec<$type> = $values;
        let mut tx = db.begin().await.unwrap();
        for (id, value) in (1_i64..).zip(&values) {
            on!(tx, conn => sqlx::query(INSERT).bind(id).bind(value).execute(conn).await.map(drop)).unwrap();
            let read: $type =
                on!(tx, conn => sqlx::query_scalar(FIND).bind(id).bind(value).fetch_one(conn).await).unwrap();
            assert_same(&read, value);
            let optional: Option<$type> =
                on!(tx, conn => sqlx::query_scalar(FIND).bind(id).bind(Some(value)).fetch_one(conn).await)
                    .unwrap();
            assert_same(&optional, &Some(value.clone()));
        }
        on!(tx, conn => sqlx::query(INSERT).bind(0_i64).bind(None::<$type>).execute(conn).await.map(drop))
            .unwrap();
        let none: Option<$type> =
            on!(tx, conn => sqlx::query_scalar(NULL).fetch_one(conn).await).unwrap();
        assert_same(&none, &None);
        tx.commit().await.unwrap();

        // Another connection reads the same values after the commit.
        let mut reader = db.read().await.unwrap();
        let all: Vec<$type> = on!(reader, conn => sqlx::query_scalar(ALL).fetch_all(conn).await).unwrap();
        assert_same(&all, &values);
    }};
}

#[track_caller]
fn assert_same<T: PartialEq + Debug>(read: &T, written: &T) {
    assert_eq!(read, written, "left: read, right: written");
}

#[tokio::test]
async fn a_uuid_round_trips() {
    round_trip!("uuid": Uuid, vec![Uuid::nil(), Uuid::max(), Uuid::new_v4(), Uuid::from_u128(1)]);
}

#[tokio::test]
async fn a_bool_round_trips() {
    round_trip!("flag": bool, vec![true, false]);
}

#[tokio::test]
async fn an_integer_round_trips_in_its_full_range() {
    round_trip!("number": i64, vec![i64::MIN, i64::MAX, i64::MAX - 1, 0, -1, 1 << 53, (1 << 53) + 1]);
}

#[tokio::test]
async fn a_time_round_trips_in_microseconds() {
    let now = DateTime::from_timestamp_nanos(1_799_123_456_789_012_345).trunc_subsecs(6);
    round_trip!("time": DateTime<Utc>, vec![
        now,
        now.trunc_subsecs(0),
        now.trunc_subsecs(3),
        DateTime::from_timestamp_micros(0).unwrap(),
        DateTime::from_timestamp_micros(-1).unwrap(),
        DateTime::from_timestamp_micros(253_402_300_799_999_999).unwrap(),
    ]);
}

#[tokio::test]
async fn text_round_trips_byte_for_byte() {
    let long = "ß🙂\n".repeat(20_000);
    let texts = [
        "",
        " ",
        "plain",
        "'; drop table things; --",
        "$1 ? :a @b \\ % _ \"",
        "🙂 👩‍👩‍👧‍👦 🇨🇭",
        "e\u{301} is not \u{e9}",
        "\u{202e}right to left\u{202c}",
        "\u{feff}\u{200b}\u{ad}",
        "\u{1}\u{7f}\u{85}\r\n\t",
        "\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
        &long,
    ];
    round_trip!("text": String, texts.map(str::to_owned).to_vec());
}

#[tokio::test]
async fn bytes_round_trip() {
    let all: Vec<u8> = (0..=255).collect();
    round_trip!("bytes": Vec<u8>, vec![Vec::new(), vec![0], vec![0; 100_000], all, b"\xff\xfe".to_vec()]);
}

/// SQLite stores times as text whose fraction has no trailing zeros, so their order as text needs a test.
#[tokio::test]
async fn times_are_ordered_independently_of_the_digits_of_their_fraction() {
    const INSERT: &str = "insert into things (id, time) values ($1, $2)";
    const ORDERED: &str = "select time from things order by time";
    const BEFORE: &str = "select count(*) from things where time < $1";
    let (_database, db) = things().await;
    let second = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let times: Vec<DateTime<Utc>> = [
        -1, 0, 1, 10, 999, 1_000, 1_001, 100_000, 100_001, 120_000, 999_999, 1_000_000,
    ]
    .map(|micros| second + chrono::TimeDelta::microseconds(micros))
    .to_vec();
    let mut tx = db.begin().await.unwrap();
    for (id, time) in (1_i64..).zip(times.iter().rev()) {
        on!(tx, conn => sqlx::query(INSERT).bind(id).bind(time).execute(conn).await.map(drop)).unwrap();
    }
    let ordered: Vec<DateTime<Utc>> =
        on!(tx, conn => sqlx::query_scalar(ORDERED).fetch_all(conn).await).unwrap();
    assert_eq!(ordered, times);
    for (before, time) in (0_i64..).zip(&times) {
        let counted: i64 =
            on!(tx, conn => sqlx::query_scalar(BEFORE).bind(time).fetch_one(conn).await).unwrap();
        assert_eq!(counted, before, "{time}");
    }
}

#[tokio::test]
async fn committed_rows_are_there_after_reopening() {
    let (database, db) = things().await;
    let id = Uuid::new_v4();
    let mut tx = db.begin().await.unwrap();
    on!(tx, conn => sqlx::query("insert into things (id, uuid) values (1, $1)").bind(id).execute(conn).await.map(drop))
        .unwrap();
    tx.commit().await.unwrap();
    db.close().await;

    let db = Db::open(&database.url(), &migrations(&[SQLITE], &[POSTGRES]))
        .await
        .unwrap();
    let mut reader = db.read().await.unwrap();
    let read: Uuid =
        on!(reader, conn => sqlx::query_scalar("select uuid from things").fetch_one(conn).await).unwrap();
    assert_eq!(read, id);
}
