//! Reading variables. One that begins with the service's name wins over the plain one, a secret may be in a file, and all
//! problems are reported together.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::errors::{ConfigErrors, ConfigNotes, ConfigProblem};
use super::vars::{NotUtf8, Vars};

/// The variables that a service reads its configuration from.
///
/// ```
/// use service_kit::Env;
///
/// let vars = [("PORT", "80"), ("ORDER_SERVICE_PORT", "8083"), ("ORDER_SERVICE_TTL", "soon")];
/// let mut env = Env::from_vars("order-service", vars);
/// assert_eq!(env.parse("PORT", 8080_u16, "a port"), 8083);
/// env.duration("TTL", std::time::Duration::from_secs(900));
/// let problems = env.finish(()).unwrap_err().to_string();
/// assert_eq!(problems, "ORDER_SERVICE_TTL must be a duration such as `15m` or `7d`");
/// ```
#[derive(Debug)]
pub struct Env {
    prefix: String,
    vars: Vars,
    /// The variable that was set, by the name that it was read by: `ORDER_SERVICE_PORT` by `PORT`.
    sources: HashMap<String, String>,
    problems: Vec<ConfigProblem>,
    notes: ConfigNotes,
}

impl Env {
    /// The environment of the process. The file `.env` of the working directory, if there is one, adds variables that the
    /// environment does not set.
    #[must_use]
    pub fn load(service: &str) -> Self {
        let (vars, problems) = Vars::load();
        Self::new(service, vars, problems)
    }

    /// These variables and no others, for tests.
    #[must_use]
    pub fn from_vars<'v>(service: &str, vars: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        Self::new(service, vars.into_iter().collect(), Vec::new())
    }

    fn new(service: &str, vars: Vars, problems: Vec<ConfigProblem>) -> Self {
        let mut env = Self {
            prefix: variable_prefix(service),
            vars,
            sources: HashMap::new(),
            problems,
            notes: ConfigNotes::default(),
        };
        env.ignore_service_link();
        env
    }

    /// Kubernetes describes each Service to the containers beside it. For one that is named as this program it sets
    /// `USER_SERVICE_PORT=tcp://10.0.0.11:8081`, which is not the port to listen on.
    fn ignore_service_link(&mut self) {
        let variable = self.prefixed("PORT");
        let value = self.vars.get(&variable).unwrap_or_default();
        if let Some(link) = value.filter(|value| value.starts_with("tcp://")) {
            self.notes.0.push(format!(
                "{variable}={link} is ignored: Kubernetes sets it for a Service of that name"
            ));
            self.vars.remove(&variable);
        }
    }

    /// A variable's value. An empty value counts as absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let variables = [self.prefixed(name), name.to_owned()];
        variables.into_iter().find_map(|variable| {
            let value = self.plain(&variable)?;
            self.sources.insert(name.to_owned(), variable);
            Some(value)
        })
    }

    /// A secret: the value of a variable, or the content of the file that the variable with the suffix `_FILE` names.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let variables = [self.prefixed(name), name.to_owned()];
        variables.into_iter().find_map(|variable| {
            let (variable, value) = self.plain_or_file(variable)?;
            self.sources.insert(name.to_owned(), variable);
            Some(value.into())
        })
    }

    /// The texts between `prefix` and one of `suffixes` in the names of the variables that are set, in alphabetical order. With the prefix
    /// `OIDC_` and the suffix `_ISSUER`, `OIDC_SSO_ISSUER` gives `SSO`. Variables of this service alone
    /// (`USER_SERVICE_OIDC_SSO_ISSUER`) and variables that name files (`…_FILE`) count, too.
    #[must_use]
    pub fn names_between(&self, prefix: &str, suffixes: &[&str]) -> BTreeSet<String> {
        let own = self.prefixed("");
        let between = |name: &str| {
            let name = name.strip_prefix(&own).unwrap_or(name).strip_prefix(prefix)?;
            let name = name.strip_suffix("_FILE").unwrap_or(name);
            let found = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix))?;
            Some(found.to_owned())
        };
        self.vars.names().filter_map(between).collect()
    }

    /// A variable of a certain form, or the default. `form` is the end of "must be …": "a port".
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T, form: &str) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.problem(name, format!("must be {form}"));
            default
        })
    }

    /// A number in a range, or the default.
    pub fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Copy + Display,
    {
        let Some(text) = self.text(name) else {
            return default;
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (least, most) = (range.start(), range.end());
                self.problem(name, format!("must be a number from {least} to {most}"));
                default
            }
        }
    }

    /// As [`parse`](Self::parse), of a variable that contains a secret, such as a URL with a password.
    pub fn parse_secret<T: FromStr>(&mut self, name: &str, default: T, form: &str) -> T {
        let Some(secret) = self.secret(name) else {
            return default;
        };
        secret.expose_secret().parse().unwrap_or_else(|_| {
            self.problem(name, format!("must be {form}"));
            default
        })
    }

    /// A duration, such as `15m`, or the default.
    pub fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let Some(text) = self.text(name) else {
            return default;
        };
        humantime::parse_duration(&text).unwrap_or_else(|_| {
            self.problem(name, "must be a duration such as `15m` or `7d`");
            default
        })
    }

    /// The variable that this name was read from: `ORDER_SERVICE_PORT`, `PORT` or `PORT_FILE`. The name itself if the
    /// variable is not set.
    #[must_use]
    pub fn variable<'n>(&'n self, name: &'n str) -> &'n str {
        self.sources.get(name).map_or(name, String::as_str)
    }

    /// Adds a problem with a variable. The message is the rest of a sentence that begins with the variable. A problem that is
    /// added again, because a variable is read twice, is reported once.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        let problem = ConfigProblem::new(self.variable(name), message);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Adds the problem that a variable is missing although this other variable is set.
    pub fn missing(&mut self, missing: &str, given: &str) {
        self.problem(missing, format!("is missing, but {given} is set"));
    }

    /// Remarks that should be logged once the log has started.
    #[must_use]
    pub fn notes(&self) -> ConfigNotes {
        self.notes.clone()
    }

    /// The configuration, if there was no problem.
    ///
    /// # Errors
    /// All problems together.
    pub fn finish<T>(self, config: T) -> Result<T, ConfigErrors> {
        if self.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(self.problems))
        }
    }

    fn prefixed(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    fn plain(&mut self, variable: &str) -> Option<String> {
        let value = self.vars.get(variable).map(|value| value.map(str::to_owned));
        value.unwrap_or_else(|NotUtf8| {
            self.problem(variable, "is not UTF-8");
            None
        })
    }

    /// The variable that is set, of this one and the one with `_FILE`, and the value.
    fn plain_or_file(&mut self, variable: String) -> Option<(String, String)> {
        let file_variable = format!("{variable}_FILE");
        match (self.plain(&variable), self.plain(&file_variable)) {
            (Some(_), Some(_)) => {
                self.problem(&variable, format!("and {file_variable} are both set: keep one"));
                None
            }
            (Some(value), None) => Some((variable, value)),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => {
                    let text = text.trim_end_matches(['\r', '\n']);
                    (!text.is_empty()).then(|| (file_variable, text.to_owned()))
                }
                Err(error) => {
                    self.problem(
                        &file_variable,
                        format!("names a file that can't be read: {error}"),
                    );
                    None
                }
            },
            (None, None) => None,
        }
    }
}

/// The beginning of a service's own variables: `ORDER_SERVICE`.
pub(super) fn variable_prefix(service: &str) -> String {
    service.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests;
