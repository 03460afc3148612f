//! A basket: the products that a user wants to order, and their total price.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::order::Line;

const MAX_LINES: usize = 50;

/// The body of a request that places an order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basket {
    /// The items. Each product may appear once, and all must have the same currency.
    #[garde(length(min = 1, max = MAX_LINES), dive, custom(no_product_twice))]
    #[schema(min_items = 1, max_items = 50)]
    #[serde(deserialize_with = "service_kit::object_list")]
    items: Vec<BasketItem>,
}

/// A product to order, and its quantity.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct BasketItem {
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    #[garde(skip)]
    #[serde(deserialize_with = "service_kit::canonical_uuid")]
    product_id: Uuid,
    /// How many to order.
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    quantity: i64,
}

/// A product as product-service describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Product {
    pub id: Uuid,
    pub name: String,
    pub price_cents: i64,
    pub currency: String,
}

/// The lines and the total price of a basket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PricedBasket {
    pub lines: Vec<Line>,
    pub total_cents: i64,
    pub currency: String,
}

/// Why a basket can't be ordered. `line` counts from 0.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BasketError {
    #[error("must be the id of a product")]
    UnknownProduct { line: usize },
    #[error("must have the same currency as the first item")]
    OtherCurrency { line: usize },
    #[error("must not cost more than 9223372036854775807 cents in total")]
    TotalTooLarge,
}

impl Product {
    /// Whether name, price and currency have the form that product-service guarantees.
    pub(crate) fn is_valid(&self) -> bool {
        let is_currency =
            self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        self.price_cents >= 0 && is_currency && !self.name.contains(char::is_control)
    }
}

impl Basket {
    /// The ids of the products in the basket.
    pub(crate) fn product_ids(&self) -> impl Iterator<Item = Uuid> {
        self.items.iter().map(|item| item.product_id)
    }

    /// Identifies the basket's content: two baskets have the same hash if they have the same items in the same order.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for BasketItem { product_id, quantity } in &self.items {
            context.update(product_id.as_bytes());
            context.update(&quantity.to_be_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }

    /// Adds names and prices, and computes the total.
    pub(crate) fn priced(&self, products: &HashMap<Uuid, Product>) -> Result<PricedBasket, BasketError> {
        let mut priced = PricedBasket {
            lines: Vec::new(),
            total_cents: 0,
            currency: String::new(),
        };
        for (line, &BasketItem { product_id, quantity }) in self.items.iter().enumerate() {
            let product = products
                .get(&product_id)
                .ok_or(BasketError::UnknownProduct { line })?;
            if line == 0 {
                priced.currency.clone_from(&product.currency);
            } else if priced.currency != product.currency {
                return Err(BasketError::OtherCurrency { line });
            }
            let price = product.price_cents.checked_mul(quantity);
            let total = price.and_then(|price| priced.total_cents.checked_add(price));
            priced.total_cents = total.ok_or(BasketError::TotalTooLarge)?;
            priced.lines.push(Line {
                product_id,
                name: product.name.clone(),
                unit_price_cents: product.price_cents,
                quantity,
                available: None,
            });
        }
        Ok(priced)
    }
}

impl BasketError {
    /// The path of the invalid member in the request body.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::UnknownProduct { line } | Self::OtherCurrency { line } => {
                format!("items[{line}].product_id")
            }
            Self::TotalTooLarge => "items".to_owned(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde expects this signature")]
fn no_product_twice(items: &[BasketItem], _: &()) -> garde::Result {
    let mut seen = HashSet::new();
    if items.iter().all(|item| seen.insert(item.product_id)) {
        return Ok(());
    }
    Err(garde::Error::new("must name each product once"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basket(items: &[(u128, i64)]) -> Basket {
        let item = |&(id, quantity): &(u128, i64)| BasketItem {
            product_id: Uuid::from_u128(id),
            quantity,
        };
        Basket {
            items: items.iter().map(item).collect(),
        }
    }

    fn products(products: &[(u128, i64, &str)]) -> HashMap<Uuid, Product> {
        let product = |&(id, price_cents, currency): &(u128, i64, &str)| {
            let id = Uuid::from_u128(id);
            (
                id,
                Product {
                    id,
                    name: format!("product {id}"),
                    price_cents,
                    currency: currency.to_owned(),
                },
            )
        };
        products.iter().map(product).collect()
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines() {
        let priced = basket(&[(1, 3), (2, 1)])
            .priced(&products(&[(1, 250, "EUR"), (2, 99, "EUR")]))
            .unwrap();
        assert_eq!((priced.total_cents, priced.currency.as_str()), (849, "EUR"));
        let lines: Vec<_> = priced
            .lines
            .iter()
            .map(|line| (line.unit_price_cents, line.quantity))
            .collect();
        assert_eq!(lines, [(250, 3), (99, 1)]);
    }

    #[test]
    fn an_unknown_product_and_another_currency_are_refused_by_line() {
        let known = products(&[(1, 1, "EUR"), (2, 1, "USD")]);
        assert_eq!(
            basket(&[(1, 1), (3, 1)]).priced(&known).unwrap_err().field(),
            "items[1].product_id"
        );
        assert_eq!(
            basket(&[(1, 1), (2, 1)]).priced(&known),
            Err(BasketError::OtherCurrency { line: 1 })
        );
    }

    #[test]
    fn different_baskets_have_different_hashes() {
        let hashes: HashSet<_> = [
            basket(&[(1, 1)]),
            basket(&[(1, 2)]),
            basket(&[(2, 1)]),
            basket(&[(1, 1), (2, 1)]),
            basket(&[(2, 1), (1, 1)]),
        ]
        .iter()
        .map(Basket::hash)
        .collect();
        assert_eq!(hashes.len(), 5);
        assert_eq!(basket(&[(1, 1)]).hash(), basket(&[(1, 1)]).hash());
    }

    proptest! {
        #[test]
        fn a_total_is_exact_or_refused(prices in prop::collection::vec((0..=i64::MAX, 1..=10_000_i64), 1..=50)) {
            let numbered = || prices.iter().zip(1_u128..);
            let basket = basket(&numbered().map(|((_, quantity), id)| (id, *quantity)).collect::<Vec<_>>());
            let products = products(&numbered().map(|((price, _), id)| (id, *price, "EUR")).collect::<Vec<_>>());
            let exact: i128 = prices.iter().map(|(price, quantity)| i128::from(*price) * i128::from(*quantity)).sum();
            match basket.priced(&products) {
                Ok(priced) => prop_assert_eq!(i128::from(priced.total_cents), exact),
                Err(error) => {
                    prop_assert_eq!(error, BasketError::TotalTooLarge);
                    prop_assert!(exact > i128::from(i64::MAX));
                }
            }
        }
    }
}
