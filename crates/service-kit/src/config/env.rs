//! Reading variables. The form with the service's name in front wins, a secret may be given as a file, and nothing is found
//! wrong alone: all problems are told together.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

/// The variables that a service reads its configuration from.
///
/// ```
/// use service_kit::Env;
///
/// let vars = [("PORT", "80"), ("ORDER_SERVICE_PORT", "8083"), ("TTL", "soon")];
/// let mut env = Env::from_vars("order-service", vars);
/// assert_eq!(env.parse("PORT", 8080_u16, "a port"), 8083);
/// env.duration("TTL", std::time::Duration::from_secs(900));
/// assert_eq!(env.finish(()).unwrap_err().to_string(), "TTL must be a time such as `15m` or `7d`");
/// ```
#[derive(Debug)]
pub struct Env {
    prefix: String,
    vars: Vars,
    problems: Vec<ConfigProblem>,
}

/// Never printed: it holds whatever secrets the environment has. Nor is all of it UTF-8, which matters where it is asked for.
struct Vars(HashMap<OsString, OsString>);

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables", self.0.len())
    }
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The variable.
    pub variable: String,
    /// What would be right, as the end of a sentence that begins with the variable.
    pub message: String,
}

/// All that is wrong with the configuration, one problem a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{} {}", problem.variable, problem.message)?;
        }
        Ok(())
    }
}

impl Env {
    /// The process's environment, and below it the file `.env` of the working directory where there is one.
    #[must_use]
    pub fn load(service: &str) -> Self {
        let mut vars = HashMap::new();
        let mut problems = Vec::new();
        match dotenvy::from_path_iter(".env") {
            Err(error) if error.not_found() => {}
            Err(error) => problems.push(problem(".env", format!("can't be read: {error}"))),
            Ok(lines) => {
                for line in lines {
                    match line {
                        Ok((name, value)) => drop(vars.insert(name.into(), value.into())),
                        // dotenvy's own words quote the line, and with it whatever secret stands there.
                        Err(_) => problems.push(problem(".env", "has a line that is not `NAME=value`")),
                    }
                }
            }
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "this module is where the environment is read"
        )]
        vars.extend(std::env::vars_os());
        Self {
            prefix: prefix(service),
            vars: Vars(vars),
            problems,
        }
    }

    /// These variables and no others, for tests.
    #[must_use]
    pub fn from_vars<'v>(service: &str, vars: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            prefix: prefix(service),
            vars: Vars(vars),
            problems: Vec::new(),
        }
    }

    /// A variable's value. An empty one counts as absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let prefixed = format!("{}{name}", self.prefix);
        self.plain(&prefixed).or_else(|| self.plain(name))
    }

    /// A secret: a variable, or the file that the variable with `_FILE` behind its name points to.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let prefixed = format!("{}{name}", self.prefix);
        self.plain_or_file(&prefixed)
            .or_else(|| self.plain_or_file(name))
            .map(SecretString::from)
    }

    /// A variable that has a form, or what stands in for it. `form` says what would be right: "a port".
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T, form: &str) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.problem(name, format!("must be {form}"));
            default
        })
    }

    /// As [`parse`](Self::parse), of a variable with a secret in it, such as a URL with a password.
    pub fn parse_secret<T: FromStr>(&mut self, name: &str, default: T, form: &str) -> T {
        let Some(secret) = self.secret(name) else {
            return default;
        };
        secret.expose_secret().parse().unwrap_or_else(|_| {
            self.problem(name, format!("must be {form}"));
            default
        })
    }

    /// A stretch of time, such as `15m`, or what stands in for it.
    pub fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let Some(text) = self.text(name) else {
            return default;
        };
        humantime::parse_duration(&text).unwrap_or_else(|_| {
            self.problem(name, "must be a time such as `15m` or `7d`");
            default
        })
    }

    /// Notes what is wrong with a variable, as the end of a sentence that begins with its name.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(problem(name, message));
    }

    /// The configuration, unless anything was wrong.
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

    fn plain(&mut self, name: &str) -> Option<String> {
        let value = self
            .vars
            .0
            .get(OsStr::new(name))
            .filter(|value| !value.is_empty())?;
        let text = value.to_str().map(str::to_owned);
        if text.is_none() {
            self.problem(name, "is not UTF-8");
        }
        text
    }

    fn plain_or_file(&mut self, name: &str) -> Option<String> {
        let file_name = format!("{name}_FILE");
        match (self.plain(name), self.plain(&file_name)) {
            (Some(_), Some(_)) => {
                self.problem(name, format!("and {file_name} are both set: keep one"));
                None
            }
            (Some(value), None) => Some(value),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => {
                    Some(text.trim_end_matches(['\r', '\n']).to_owned()).filter(|text| !text.is_empty())
                }
                Err(error) => {
                    self.problem(&file_name, format!("names a file that can't be read: {error}"));
                    None
                }
            },
            (None, None) => None,
        }
    }
}

fn prefix(service: &str) -> String {
    format!("{}_", service.to_uppercase().replace('-', "_"))
}

fn problem(variable: &str, message: impl Into<String>) -> ConfigProblem {
    ConfigProblem {
        variable: variable.to_owned(),
        message: message.into(),
    }
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
    fn the_form_with_the_services_name_wins_and_an_empty_value_counts_as_none() {
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
    fn all_problems_are_told_together() {
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
                "TTL must be a time such as `15m` or `7d`",
                "OTHER is missing"
            ]
        );
    }

    #[test]
    fn a_secret_may_come_from_a_file_without_its_last_line_feed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " s3cret \n").unwrap();
        let path = file.path().to_str().unwrap();
        let mut env = Env::from_vars("user-service", [("KEY_FILE", path), ("PLAIN", "p")]);
        assert_eq!(env.secret("KEY").unwrap().expose_secret(), " s3cret ");
        assert_eq!(env.secret("PLAIN").unwrap().expose_secret(), "p");
        assert!(problems(env).is_empty());
    }

    #[test]
    fn what_has_a_form_and_a_secret_in_it_may_come_from_a_file_too() {
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
    fn a_secret_given_twice_or_in_a_file_that_is_not_there_is_a_problem() {
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
    fn a_value_that_is_not_utf8_is_a_problem_where_it_is_asked_for() {
        use std::os::unix::ffi::OsStrExt as _;

        let mut env = Env::from_vars("user-service", [("PORT", "1")]);
        for name in ["ODD", "USER_SERVICE_PORT", "KEY_FILE"] {
            env.vars
                .0
                .insert(name.into(), OsStr::from_bytes(b"\xff").to_owned());
        }
        env.vars
            .0
            .insert(OsStr::from_bytes(b"\xff").to_owned(), "odd".into());
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
    fn the_environment_is_never_printed() {
        let env = Env::from_vars("user-service", [("JWT_SECRET", "hunter2")]);
        assert!(!format!("{env:?}").contains("hunter2"));
    }
}
