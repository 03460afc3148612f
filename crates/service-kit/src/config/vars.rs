//! The variables of the process: its environment, and below it the file `.env`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use super::errors::ConfigProblem;

/// Variables by name. `Debug` does not show them, because they hold secrets.
pub(super) struct Vars(HashMap<OsString, OsString>);

/// A value that is not UTF-8.
#[derive(Debug)]
pub(super) struct NotUtf8;

impl Vars {
    /// The environment of the process. The file `.env` of the working directory, if there is one, adds variables that the
    /// environment does not set.
    pub(super) fn load() -> (Self, Vec<ConfigProblem>) {
        let mut vars = HashMap::new();
        let mut problems = Vec::new();
        match dotenvy::from_path_iter(".env") {
            Err(error) if error.not_found() => {}
            Err(error) => problems.push(ConfigProblem::new(".env", format!("can't be read: {error}"))),
            Ok(lines) => {
                for line in lines {
                    match line {
                        Ok((name, value)) => drop(vars.insert(name.into(), value.into())),
                        // dotenvy's own message quotes the line, which may hold a secret.
                        Err(_) => {
                            problems.push(ConfigProblem::new(".env", "has a line that is not `NAME=value`"));
                        }
                    }
                }
            }
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "this module is where the environment is read"
        )]
        vars.extend(std::env::vars_os());
        (Self(vars), problems)
    }

    /// A variable's value. An empty value counts as absent.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, NotUtf8> {
        match self.0.get(OsStr::new(name)) {
            Some(value) if !value.is_empty() => value.to_str().map(Some).ok_or(NotUtf8),
            _ => Ok(None),
        }
    }

    /// The names of the variables that are set to a value that is not empty, if they are UTF-8.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let set = self.0.iter().filter(|(_, value)| !value.is_empty());
        set.filter_map(|(name, _)| name.to_str())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Vars {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(vars: I) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(vars.collect())
    }
}

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables", self.0.len())
    }
}
