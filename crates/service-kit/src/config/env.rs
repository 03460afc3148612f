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
mod tests {
    use super::*;

    fn problems(env: Env) -> Vec<String> {
        match env.finish(()) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn a_prefixed_variable_wins_and_an_empty_value_counts_as_absent() {
        let vars = [
            ("PORT", "1"),
            ("USER_SERVICE_PORT", "2"),
            ("BIND", "here"),
            ("USER_SERVICE_BIND", ""),
        ];
        let mut env = Env::from_vars("user-service", vars);
        assert_eq!(env.text("PORT").as_deref(), Some("2"));
        assert_eq!(env.text("BIND").as_deref(), Some("here"));
        assert_eq!(env.text("ABSENT"), None);
        assert!(problems(env).is_empty());
    }

    #[test]
    fn all_problems_are_reported_together() {
        let mut env = Env::from_vars("user-service", [("PORT", "http"), ("TTL", "-1s")]);
        assert_eq!(env.parse("PORT", 8081_u16, "a port"), 8081);
        assert_eq!(
            env.duration("TTL", Duration::from_secs(9)),
            Duration::from_secs(9)
        );
        env.problem("OTHER", "is missing");
        assert_eq!(
            problems(env),
            [
                "PORT must be a port",
                "TTL must be a duration such as `15m` or `7d`",
                "OTHER is missing"
            ]
        );
    }

    #[test]
    fn names_are_found_between_prefix_and_suffix() {
        let vars = [
            ("OIDC_SSO_ISSUER", "a"),
            ("OIDC_SSO_CLIENT_ID", "a"),
            ("USER_SERVICE_OIDC_B_ISSUER", "a"),
            ("ORDER_SERVICE_OIDC_C_ISSUER", "a"),
            ("OIDC_D_CLIENT_SECRET_FILE", "a"),
            ("OIDC_E_ISSUER", ""),
            ("OIDC_F_OTHER", "a"),
            ("OIDC__ISSUER", "a"),
        ];
        let env = Env::from_vars("user-service", vars);
        let names = env.names_between("OIDC_", &["_ISSUER", "_CLIENT_ID", "_CLIENT_SECRET"]);
        assert_eq!(Vec::from_iter(names), ["", "B", "D", "SSO"]);
    }

    #[test]
    fn a_problem_names_the_variable_as_it_was_set() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "weak").unwrap();
        let path = file.path().to_str().unwrap();
        let vars = [
            ("ORDER_SERVICE_PORT", "http"),
            ("PORT", "8083"),
            ("TTL", "soon"),
            ("ORDER_SERVICE_DATABASE_URL", "mysql:"),
            ("KEY_FILE", path),
            ("ORDER_SERVICE_SECRET_FILE", path),
        ];
        let mut env = Env::from_vars("order-service", vars);
        env.parse("PORT", 0_u16, "a port");
        env.duration("TTL", Duration::ZERO);
        env.parse_secret("DATABASE_URL", 0_u16, "a database");
        for name in ["KEY", "SECRET", "ABSENT"] {
            env.secret(name);
            env.problem(name, "is wrong");
        }
        assert_eq!(env.variable("PORT"), "ORDER_SERVICE_PORT");
        assert_eq!(
            problems(env),
            [
                "ORDER_SERVICE_PORT must be a port",
                "TTL must be a duration such as `15m` or `7d`",
                "ORDER_SERVICE_DATABASE_URL must be a database",
                "KEY_FILE is wrong",
                "ORDER_SERVICE_SECRET_FILE is wrong",
                "ABSENT is wrong",
            ]
        );
    }

    #[test]
    fn a_port_that_kubernetes_describes_is_ignored_and_noted() {
        let link = ("USER_SERVICE_PORT", "tcp://10.0.0.11:8081");
        for (vars, port) in [(&[link][..], 8081), (&[link, ("PORT", "80")], 80)] {
            let mut env = Env::from_vars("user-service", vars.iter().copied());
            assert_eq!(env.parse("PORT", 8081_u16, "a port"), port);
            let ConfigNotes(notes) = env.notes();
            assert_eq!(notes.len(), 1);
            assert!(
                notes[0].starts_with("USER_SERVICE_PORT=tcp://10.0.0.11:8081 is ignored"),
                "{notes:?}"
            );
            assert!(problems(env).is_empty());
        }

        // Another service's link is not read, and this program's own variables must be right.
        let mut env = Env::from_vars("order-service", [link, ("PORT", "tcp://10.0.0.11:8081")]);
        env.parse("PORT", 0_u16, "a port");
        assert_eq!(env.notes(), ConfigNotes::default());
        assert_eq!(problems(env), ["PORT must be a port"]);
    }

    #[test]
    fn a_secret_may_be_in_a_file_without_its_last_line_feed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " s3cret \n").unwrap();
        let path = file.path().to_str().unwrap();
        let mut env = Env::from_vars("user-service", [("KEY_FILE", path), ("PLAIN", "p")]);
        assert_eq!(env.secret("KEY").unwrap().expose_secret(), " s3cret ");
        assert_eq!(env.secret("PLAIN").unwrap().expose_secret(), "p");
        assert!(problems(env).is_empty());
    }

    #[test]
    fn a_value_that_contains_a_secret_may_be_in_a_file_too() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "8083\n").unwrap();
        let vars = [
            ("A_FILE", file.path().to_str().unwrap()),
            ("B", "8084"),
            ("C", "hunter2"),
        ];
        let mut env = Env::from_vars("user-service", vars);
        assert_eq!(env.parse_secret("A", 0_u16, "a port"), 8083);
        assert_eq!(env.parse_secret("B", 0_u16, "a port"), 8084);
        assert_eq!(env.parse_secret("C", 1_u16, "a port"), 1);
        assert_eq!(env.parse_secret("D", 2_u16, "a port"), 2);
        assert_eq!(problems(env), ["C must be a port"]);
    }

    #[test]
    fn a_secret_that_is_set_twice_or_whose_file_is_missing_is_a_problem() {
        let mut env = Env::from_vars(
            "user-service",
            [("A", "x"), ("A_FILE", "/nowhere"), ("B_FILE", "/nowhere/b")],
        );
        assert!(env.secret("A").is_none());
        assert!(env.secret("B").is_none());
        let problems = problems(env);
        assert_eq!(problems[0], "A and A_FILE are both set: keep one");
        assert!(
            problems[1].starts_with("B_FILE names a file that can't be read"),
            "{problems:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf8_is_a_problem_only_when_it_is_read() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;

        let invalid = OsStr::from_bytes(b"\xff");
        let names = ["ODD", "USER_SERVICE_PORT", "KEY_FILE"].map(OsStr::new);
        let vars = names.into_iter().chain([invalid]).map(|name| (name, invalid));
        let mut env = Env::new("user-service", vars.collect(), Vec::new());
        assert_eq!(env.text("BIND"), None);
        assert!(env.problems.is_empty(), "{:?}", env.problems);
        env.text("PORT");
        assert!(env.secret("KEY").is_none());
        assert_eq!(
            problems(env),
            ["USER_SERVICE_PORT is not UTF-8", "KEY_FILE is not UTF-8"]
        );
    }

    #[test]
    fn debug_does_not_show_the_environment() {
        let env = Env::from_vars("user-service", [("JWT_SECRET", "hunter2")]);
        assert!(!format!("{env:?}").contains("hunter2"));
    }
}
