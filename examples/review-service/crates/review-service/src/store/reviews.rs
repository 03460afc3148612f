//! The table `reviews`.

use db::{Conn, on};
use service_kit::{Cursor, Limit};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::domain::Review;

/// The table, seen through one connection or transaction.
pub(crate) struct Reviews<'c>(pub &'c mut Conn);

impl Reviews<'_> {
    /// The review with this id.
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Review>, sqlx::Error> {
        const SQL: &str = "
            select id, product_id, user_id, stars, text, created_at from reviews where id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// All reviews, or those of one product, newest first: ids are UUIDs of version 7, which sort by time.
    pub(crate) async fn list(
        &mut self,
        product_id: Option<Uuid>,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Review>, sqlx::Error> {
        const SQL: &str = "
            select id, product_id, user_id, stars, text, created_at from reviews where id < ";
        on!(self.0, conn => {
            let mut query = QueryBuilder::new(SQL);
            query.push_bind(cursor.below());
            if let Some(product_id) = product_id {
                query.push(" and product_id = ").push_bind(product_id);
            }
            query.push(" order by id desc limit ").push_bind(limit.rows());
            query.build_query_as().fetch_all(conn).await
        })
    }

    /// Inserts a review. Returns whether it is the user's first of this product: the table's unique key decides, so that one of
    /// several concurrent requests succeeds.
    pub(crate) async fn add(&mut self, review: &Review) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into reviews (id, product_id, user_id, stars, text, created_at) values ($1, $2, $3, $4, $5, $6)
            on conflict (user_id, product_id) do nothing";
        on!(self.0, conn => {
            let added = sqlx::query(SQL)
                .bind(review.id)
                .bind(review.product_id)
                .bind(review.user_id)
                .bind(review.stars)
                .bind(&review.text)
                .bind(review.created_at)
                .execute(conn)
                .await?;
            Ok(added.rows_affected() == 1)
        })
    }

    /// Deletes a review.
    pub(crate) async fn delete(&mut self, id: Uuid) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from reviews where id = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(id).execute(conn).await.map(drop))
    }
}
