//! The table `products`.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::text::fold;
use service_kit::{Cursor, Limit};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::{Product, ProductChange, Search};

pub(crate) struct Products<'c>(pub &'c mut Conn);

impl Products<'_> {
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Product>, sqlx::Error> {
        const SQL: &str = "
            select id, name, description, price_cents, currency, owner_id, created_at, updated_at, version
            from products where id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    pub(crate) async fn list(
        &mut self,
        search: &Search,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Product>, sqlx::Error> {
        const SQL: &str = r"
            select id, name, description, price_cents, currency, owner_id, created_at, updated_at, version
            from products
            where id < $1
              and ($2 is null or owner_id = $2)
              and (name_folded like $3 escape '\' or description_folded like $3 escape '\')";
        let ids = search.ids.as_deref().unwrap_or_default();
        if search.ids.is_some() && ids.is_empty() {
            return Ok(Vec::new());
        }
        let among = if ids.is_empty() {
            String::new()
        } else {
            format!("and id in ({})", placeholders(5, ids.len()))
        };
        let sql = format!("{SQL} {among} order by id desc limit $4");
        on!(self.0, conn => {
            // Safe: besides the constant there is nothing in it but numbered placeholders.
            let mut query = sqlx::query_as(AssertSqlSafe(sql))
                .bind(cursor.below())
                .bind(search.owner_id)
                .bind(search.pattern())
                .bind(limit.rows());
            for id in ids {
                query = query.bind(id);
            }
            query.fetch_all(conn).await
        })
    }

    pub(crate) async fn add(&mut self, product: &Product) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into products (id, name, description, name_folded, description_folded, price_cents, currency,
                                  owner_id, created_at, updated_at, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(product.id)
            .bind(&product.name)
            .bind(&product.description)
            .bind(fold(&product.name))
            .bind(fold(&product.description))
            .bind(product.price_cents)
            .bind(&product.currency)
            .bind(product.owner_id)
            .bind(product.created_at)
            .bind(product.updated_at)
            .bind(product.version)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Changes what is named, and returns the product as it is then; `None` where it is gone, or not of this version.
    pub(crate) async fn change(
        &mut self,
        id: Uuid,
        version: Option<i64>,
        change: &ProductChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Product>, sqlx::Error> {
        const SQL: &str = "
            update products
            set name = coalesce($3, name), name_folded = coalesce($4, name_folded),
                description = coalesce($5, description), description_folded = coalesce($6, description_folded),
                price_cents = coalesce($7, price_cents), currency = coalesce($8, currency),
                updated_at = $9, version = version + 1
            where id = $1 and ($2 is null or version = $2)
            returning id, name, description, price_cents, currency, owner_id, created_at, updated_at, version";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(id)
            .bind(version)
            .bind(change.name.as_deref())
            .bind(change.name.as_deref().map(fold))
            .bind(change.description.as_deref())
            .bind(change.description.as_deref().map(fold))
            .bind(change.price_cents)
            .bind(change.currency.as_deref())
            .bind(now)
            .fetch_optional(conn)
            .await)
    }

    /// Deletes this version, and says whether it was there.
    pub(crate) async fn delete(&mut self, id: Uuid, version: i64) -> Result<bool, sqlx::Error> {
        const SQL: &str = "delete from products where id = $1 and version = $2";
        on!(self.0, conn => Ok(sqlx::query(SQL).bind(id).bind(version).execute(conn).await?.rows_affected() == 1))
    }
}

/// `$5, $6, $7` for `first` 5 and `count` 3.
fn placeholders(first: usize, count: usize) -> String {
    (first..first + count)
        .map(|number| format!("${number}"))
        .collect::<Vec<_>>()
        .join(", ")
}
