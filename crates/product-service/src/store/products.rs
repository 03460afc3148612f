//! The table `products`.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::text::fold;
use service_kit::{Cursor, Limit};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::domain::{Product, ProductChange, Search};

/// The table, seen through one connection or transaction.
pub(crate) struct Products<'c>(pub &'c mut Conn);

impl Products<'_> {
    /// The product with this id.
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Product>, sqlx::Error> {
        const SQL: &str = "
            select id, name, description, price_cents, currency, owner_id, created_at, updated_at, version
            from products where id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// The products that match the search, newest first: ids are UUIDs of version 7, which sort by time.
    pub(crate) async fn list(
        &mut self,
        search: &Search,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Product>, sqlx::Error> {
        const SQL: &str = "
            select id, name, description, price_cents, currency, owner_id, created_at, updated_at, version
            from products where id < ";
        // `in ()` is not valid SQL on PostgreSQL.
        if search.ids.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }

        let pattern = search.pattern();
        on!(self.0, conn => {
            let mut query = QueryBuilder::new(SQL);
            query.push_bind(cursor.below());
            query.push(" and (name_folded like ").push_bind(&pattern).push(r" escape '\'");
            query.push(" or description_folded like ").push_bind(&pattern).push(r" escape '\')");
            if let Some(owner_id) = search.owner_id {
                query.push(" and owner_id = ").push_bind(owner_id);
            }
            if let Some(ids) = &search.ids {
                query.push(" and id in (");
                let mut list = query.separated(", ");
                for id in ids {
                    list.push_bind(*id);
                }
                query.push(")");
            }
            query.push(" order by id desc limit ").push_bind(limit.rows());
            query.build_query_as().fetch_all(conn).await
        })
    }

    /// Inserts a product.
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

    /// Changes the given fields and returns the product after the change. Returns `None` if the product does not exist, or if
    /// `version` is given and is not the current one.
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

    /// Deletes the product if this is still its version. Returns whether it was deleted.
    pub(crate) async fn delete(&mut self, id: Uuid, version: i64) -> Result<bool, sqlx::Error> {
        const SQL: &str = "delete from products where id = $1 and version = $2";
        on!(self.0, conn => Ok(sqlx::query(SQL).bind(id).bind(version).execute(conn).await?.rows_affected() == 1))
    }
}
