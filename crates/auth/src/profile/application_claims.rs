//! The application's own claims, read into a type that the application chose.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::error::TokenFault;

/// How the application's claims are read, if it has any.
#[derive(Clone)]
pub(super) struct ApplicationClaims {
    read: fn(&str) -> Result<ReadClaims, TokenFault>,
    type_name: &'static str,
}

/// The application's claims of one token.
#[derive(Clone, Default)]
pub(crate) struct ReadClaims(Option<Arc<dyn Any + Send + Sync>>);

impl ApplicationClaims {
    pub fn none() -> Self {
        Self {
            read: |_| Ok(ReadClaims(None)),
            type_name: "none",
        }
    }

    pub fn of<T: DeserializeOwned + Send + Sync + 'static>() -> Self {
        Self {
            read: |payload| match serde_json::from_str::<T>(payload) {
                Ok(claims) => Ok(ReadClaims(Some(Arc::new(claims)))),
                Err(error) => {
                    // Not the error's text, which may quote a value of the token.
                    let claims = type_name::<T>();
                    tracing::debug!(
                        claims,
                        column = error.column(),
                        "the payload does not fit the application's claims"
                    );
                    Err(TokenFault::Claims)
                }
            },
            type_name: type_name::<T>(),
        }
    }

    pub fn read(&self, payload: &str) -> Result<ReadClaims, TokenFault> {
        (self.read)(payload)
    }
}

impl fmt::Debug for ApplicationClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name)
    }
}

impl ReadClaims {
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

impl PartialEq for ReadClaims {
    /// Whether both are the same claims, read once.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Eq for ReadClaims {}
