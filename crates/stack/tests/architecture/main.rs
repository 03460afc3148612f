//! Checks the repository as a whole, beyond what the compiler checks: the direction of dependencies, the crates that can sign,
//! and the consistency of facts that are written in two places.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use service_kit::Registry;

#[test]
fn dependencies_run_one_way() {
    for dependency in dependencies().iter().filter(|dependency| !dependency.is_dev) {
        let Dependency { from, to, .. } = dependency;
        assert!(
            !["auth", "db"].contains(&from.as_str()),
            "{from} must depend on no other crate, and depends on {to}"
        );
        assert_ne!(to, "stack", "{from} depends on the program that runs everything");
        assert!(
            from == "stack" || !to.ends_with("-service"),
            "{from} depends on {to}"
        );
    }
}

#[test]
fn services_do_not_depend_on_each_other_even_in_tests() {
    for Dependency { from, to, .. } in dependencies() {
        assert!(
            !(from.ends_with("-service") && to.ends_with("-service")),
            "{from} depends on {to}"
        );
    }
}

#[test]
fn test_code_is_in_no_program() {
    let dependencies = dependencies();
    assert!(dependencies.iter().any(|dependency| dependency.to == "test-kit"));
    assert!(dependencies.iter().any(Dependency::can_forge));
    for dependency in dependencies.iter().filter(|dependency| !dependency.is_dev) {
        let from = &dependency.from;
        assert_ne!(
            dependency.to, "test-kit",
            "{from} depends on test-kit outside tests"
        );
        assert!(
            from == "test-kit" || !dependency.can_forge(),
            "{from} has auth's test issuer outside tests"
        );
    }
}

#[test]
fn only_user_service_and_the_gateway_can_sign() {
    let signs = ["EncodingKey", "jsonwebtoken::encode", "crypto::sign", "KeyPair"];
    let signing: BTreeSet<_> = sources()
        .into_iter()
        .filter(|file| signs.iter().any(|sign| code_of(file).contains(sign)))
        .map(|file| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    // The gateway signs identity tokens, which no service accepts as access tokens. The only others are the issuers for tests and
    // fuzzing, and benchmarks, whose keys no service trusts.
    let test_issuer = "crates/auth/src/testing/signing_key.rs";
    let others = [
        test_issuer,
        "crates/auth/src/fuzzing/token/keys.rs",
        "crates/bench/src/tokens.rs",
        "crates/gateway/src/identity.rs",
    ];
    assert!(signing.contains(test_issuer), "{signing:?}");
    assert!(
        signing.contains("crates/user-service/src/tokens/signing.rs"),
        "{signing:?}"
    );
    for file in signing {
        let may = file.starts_with("crates/user-service/src/") || others.contains(&file.as_str());
        assert!(may, "{file} can sign");
    }
}

#[test]
fn each_migration_exists_for_both_engines() {
    let mut services = BTreeSet::new();
    for service in entries(&root().join("migrations")) {
        let numbers = |engine: &str| -> BTreeSet<String> {
            entries(&service.join(engine))
                .iter()
                .map(|file| name_of(file).to_owned())
                .collect()
        };
        let (sqlite, postgres) = (numbers("sqlite"), numbers("postgres"));
        assert!(!sqlite.is_empty(), "{} has no migrations", service.display());
        assert_eq!(
            sqlite,
            postgres,
            "left: sqlite, right: postgres, of {}",
            service.display()
        );
        let distinct: BTreeSet<_> = sqlite.iter().filter_map(|name| name.split('_').next()).collect();
        assert_eq!(distinct.len(), sqlite.len(), "a duplicate number: {sqlite:?}");
        services.insert(name_of(&service).to_owned());
    }
    let crates: BTreeSet<_> = packages().iter().map(|package| text(&package["name"])).collect();
    assert!(
        services.is_subset(&crates),
        "{services:?} have migrations, {crates:?} are crates"
    );
}

#[test]
fn each_line_of_env_example_is_valid_without_its_hash() {
    let example = fs::read_to_string(root().join(".env.example")).expect(".env.example");
    let mut count = 0;
    for line in example.lines().filter_map(|line| line.strip_prefix('#')) {
        if line
            .split_once('=')
            .is_some_and(|(name, _)| is_variable_name(name))
        {
            let parsed = dotenvy::from_read_iter(line.as_bytes()).next();
            assert!(matches!(parsed, Some(Ok(_))), "{line}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} variables");
}

#[test]
fn env_example_lists_exactly_the_variables_that_are_read() {
    let example = fs::read_to_string(root().join(".env.example")).expect(".env.example");
    let explained: BTreeSet<String> = example
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix('#').unwrap_or(line);
            let (name, _) = line.strip_prefix(' ').unwrap_or(line).split_once('=')?;
            is_variable_name(name).then(|| name.to_owned())
        })
        .collect();
    let mut read: BTreeSet<String> = sources()
        .iter()
        .filter(|file| name_of(file) != "tests.rs")
        .flat_map(|file| variables_in(&code_of(file)))
        .collect();
    // The names of URLs and client secrets are built from the registry.
    for caller in Registry::built_in()
        .iter()
        .filter(|service| !service.calls.is_empty())
    {
        let urls = caller
            .calls
            .iter()
            .map(|called| format!("{}_URL", called.to_uppercase().replace('-', "_")));
        read.extend(urls.chain([format!("{}_SECRET", caller.variable_prefix())]));
    }
    // The gateway reads the URL of each service that it forwards to.
    let registry = Registry::built_in();
    let upstreams = registry.iter().filter(|service| !service.routes.is_empty());
    read.extend(upstreams.map(|service| format!("{}_URL", service.variable_prefix())));
    // Operators name their OpenID providers. The example names one SSO.
    let of_provider = ["ISSUER", "CLIENT_ID", "CLIENT_SECRET", "TRUST_EMAIL"];
    read.extend(of_provider.map(|variable| format!("OIDC_SSO_{variable}")));
    assert!(read.len() > 10, "the search finds too few variables: {read:?}");
    let missing: Vec<_> = read.difference(&explained).collect();
    let dead: Vec<_> = explained.difference(&read).collect();
    assert!(
        missing.is_empty() && dead.is_empty(),
        ".env.example lacks {missing:?}; no program reads {dead:?}"
    );
}

#[test]
fn the_page_about_clients_names_the_versions_that_are_tested() {
    let page = fs::read_to_string(root().join("docs/clients.md")).unwrap();
    let script = fs::read_to_string(root().join("scripts/openapi-test")).unwrap();
    let mut versions = 0;
    for word in page.split_whitespace() {
        let Some((package, version)) = word.split_once("==").or_else(|| word.split_once('@')) else {
            continue;
        };
        versions += 1;
        let variable = package.trim_end_matches("-cli").replace('-', "_");
        // The script calls openapi-generator by its last word.
        let variable = variable.replace("openapi_generator", "generator");
        let line = format!("\n{variable}_version={version}\n");
        assert!(script.contains(&line), "docs/clients.md has {word}");
    }
    assert!(versions > 4, "the search finds too few versions: {versions}");
}

#[test]
fn all_crates_but_bench_are_default_members() {
    let metadata = metadata();
    let (mut members, mut default_members) = (BTreeSet::new(), BTreeSet::new());
    for (key, names) in [
        ("workspace_members", &mut members),
        ("workspace_default_members", &mut default_members),
    ] {
        for id in metadata[key].as_array().unwrap() {
            let mut packages = metadata["packages"].as_array().unwrap().iter();
            let package = packages.find(|package| package["id"] == *id).unwrap();
            names.insert(text(&package["name"]));
        }
    }
    let left_out: Vec<_> = members.difference(&default_members).collect();
    assert_eq!(left_out, ["bench"]);
}

/// A dependency between two crates of this workspace.
struct Dependency {
    from: String,
    to: String,
    is_dev: bool,
    features: Vec<String>,
}

impl Dependency {
    /// Whether it includes the issuer that signs any claims for tests.
    fn can_forge(&self) -> bool {
        self.to == "auth" && self.features.iter().any(|feature| feature == "testing")
    }
}

fn dependencies() -> Vec<Dependency> {
    let packages = packages();
    let ours: BTreeSet<_> = packages.iter().map(|package| text(&package["name"])).collect();
    let all = packages.iter().flat_map(|package| {
        let of_one = package["dependencies"].as_array().unwrap().iter();
        of_one.map(|dependency| Dependency {
            from: text(&package["name"]),
            to: text(&dependency["name"]),
            is_dev: dependency["kind"] == "dev",
            features: dependency["features"]
                .as_array()
                .unwrap()
                .iter()
                .map(text)
                .collect(),
        })
    });
    let all: Vec<_> = all.filter(|dependency| ours.contains(&dependency.to)).collect();
    assert!(all.len() > 5, "the search finds too few dependencies");
    all
}

fn packages() -> Vec<Value> {
    metadata()["packages"].as_array().unwrap().clone()
}

fn metadata() -> Value {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    serde_json::from_slice(&metadata.stdout).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut entries: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The source files of all programs and libraries.
fn sources() -> Vec<PathBuf> {
    rust_files(|member| member.join("src"))
}

/// The Rust files in one directory of each crate.
fn rust_files(directory: impl Fn(&PathBuf) -> PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories: Vec<_> = entries(&root().join("crates"))
        .iter()
        .map(directory)
        .filter(|directory| directory.is_dir())
        .collect();
    while let Some(directory) = directories.pop() {
        for entry in entries(&directory) {
            if entry.is_dir() {
                directories.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
    }
    found
}

/// A source without its comments and without its tests.
fn code_of(file: &Path) -> String {
    let source = fs::read_to_string(file).unwrap();
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The variables that this code reads: the names passed to `env.text` and similar methods, or to functions that take `env`.
fn variables_in(code: &str) -> BTreeSet<String> {
    let code: String = code.chars().filter(|char| !char.is_whitespace()).collect();
    let calls = [
        "env.text(\"",
        "secret(\"",
        "env.parse(\"",
        "env.number(\"",
        "env.duration(\"",
        "env,\"",
        "=read(\"",
        ":read(\"",
    ];
    let calls = calls
        .iter()
        .flat_map(|call| code.match_indices(call).map(|(at, call)| at + call.len()));
    let names = calls.filter_map(|from| code.get(from..)?.split('"').next());
    names
        .filter(|name| is_variable_name(name))
        .map(str::to_owned)
        .collect()
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name
            .chars()
            .all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
}
