//! Tests of reading variables.

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
