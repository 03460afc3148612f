//! What somebody wants to order, and what it comes to.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::order::Line;

const MAX_LINES: usize = 50;

/// What somebody wants to order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basket {
    #[garde(length(min = 1, max = MAX_LINES), dive, custom(each_once))]
    #[schema(min_items = 1, max_items = 50)]
    #[serde(deserialize_with = "service_kit::object_list")]
    items: Vec<Wanted>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[garde(skip)]
    product_id: Uuid,
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000)]
    quantity: i64,
}

/// What product-service says of a product.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Product {
    pub id: Uuid,
    pub name: String,
    pub price_cents: i64,
    pub currency: String,
}

/// What a basket comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    pub lines: Vec<Line>,
    pub total_cents: i64,
    pub currency: String,
}

/// Why a basket can't be ordered. Lines are counted from 0.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BasketError {
    #[error("is no product")]
    UnknownProduct { line: usize },
    #[error("is in another currency than the first item")]
    OtherCurrency { line: usize },
    #[error("come to more than can be counted")]
    TooMuch,
}

impl Product {
    /// Whether it can be one at all.
    pub(crate) fn is_sensible(&self) -> bool {
        let is_currency =
            self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        self.price_cents >= 0 && is_currency && !self.name.contains(char::is_control)
    }
}

impl Basket {
    pub(crate) fn product_ids(&self) -> impl Iterator<Item = Uuid> {
        self.items.iter().map(|wanted| wanted.product_id)
    }

    /// Tells this basket from others, by what was asked for and in which order.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for Wanted { product_id, quantity } in &self.items {
            context.update(product_id.as_bytes());
            context.update(&quantity.to_be_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }

    /// Puts names and prices to it.
    pub(crate) fn priced(&self, products: &HashMap<Uuid, Product>) -> Result<Priced, BasketError> {
        let mut priced = Priced {
            lines: Vec::new(),
            total_cents: 0,
            currency: String::new(),
        };
        for (line, &Wanted { product_id, quantity }) in self.items.iter().enumerate() {
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
            priced.total_cents = total.ok_or(BasketError::TooMuch)?;
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
    /// The member of the body that is wrong.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::UnknownProduct { line } | Self::OtherCurrency { line } => {
                format!("items[{line}].product_id")
            }
            Self::TooMuch => "items".to_owned(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that garde calls")]
fn each_once(items: &[Wanted], _: &()) -> garde::Result {
    let mut seen = HashSet::new();
    if items.iter().all(|wanted| seen.insert(wanted.product_id)) {
        return Ok(());
    }
    Err(garde::Error::new("must name each product once"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basket(items: &[(u128, i64)]) -> Basket {
        let wanted = |&(id, quantity): &(u128, i64)| Wanted {
            product_id: Uuid::from_u128(id),
            quantity,
        };
        Basket {
            items: items.iter().map(wanted).collect(),
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
    fn a_basket_comes_to_the_sum_of_its_lines() {
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
    fn what_is_unknown_or_in_another_currency_is_named() {
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
    fn baskets_that_differ_in_anything_have_different_hashes() {
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
        fn a_total_is_right_or_refused(prices in prop::collection::vec((0..=i64::MAX, 1..=10_000_i64), 1..=50)) {
            let numbered = || prices.iter().zip(1_u128..);
            let basket = basket(&numbered().map(|((_, quantity), id)| (id, *quantity)).collect::<Vec<_>>());
            let products = products(&numbered().map(|((price, _), id)| (id, *price, "EUR")).collect::<Vec<_>>());
            let exact: i128 = prices.iter().map(|(price, quantity)| i128::from(*price) * i128::from(*quantity)).sum();
            match basket.priced(&products) {
                Ok(priced) => prop_assert_eq!(i128::from(priced.total_cents), exact),
                Err(error) => {
                    prop_assert_eq!(error, BasketError::TooMuch);
                    prop_assert!(exact > i128::from(i64::MAX));
                }
            }
        }
    }
}
