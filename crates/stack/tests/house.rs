//! What holds of the repository as a whole, and no compiler checks: who may depend on whom, who can sign, and that
//! what is written down in two places is the same in both.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at what can't be"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use service_kit::Register;

#[test]
fn dependencies_run_one_way() {
    for dependency in dependencies().iter().filter(|dependency| !dependency.is_dev) {
        let Dependency { from, to, .. } = dependency;
        assert!(
            !["auth", "db"].contains(&from.as_str()),
            "{from} stands alone, and depends on {to}"
        );
        assert_ne!(to, "stack", "{from} depends on the program that runs everything");
        assert!(
            from == "stack" || !to.ends_with("-service"),
            "{from} depends on {to}"
        );
    }
}

#[test]
fn services_share_http_and_no_code_not_even_in_their_tests() {
    for Dependency { from, to, .. } in dependencies() {
        assert!(
            !(from.ends_with("-service") && to.ends_with("-service")),
            "{from} depends on {to}"
        );
    }
}

#[test]
fn what_is_for_tests_is_in_no_program() {
    let dependencies = dependencies();
    assert!(dependencies.iter().any(|dependency| dependency.to == "test-kit"));
    assert!(dependencies.iter().any(Dependency::can_forge));
    for dependency in dependencies.iter().filter(|dependency| !dependency.is_dev) {
        let from = &dependency.from;
        assert_ne!(dependency.to, "test-kit", "{from} has test-kit in its program");
        assert!(
            from == "test-kit" || !dependency.can_forge(),
            "{from} has auth's test issuer in its program"
        );
    }
}

#[test]
fn only_user_service_can_sign() {
    let signs = ["EncodingKey", "jsonwebtoken::encode", "crypto::sign", "KeyPair"];
    let signing: BTreeSet<_> = sources()
        .into_iter()
        .filter(|file| signs.iter().any(|sign| code_of(file).contains(sign)))
        .map(|file| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    // Besides it, the issuer that only tests can have, and benchmarks, whose keys nobody else believes.
    let others = [
        "crates/auth/src/testing/signing_key.rs",
        "crates/bench/src/tokens.rs",
    ];
    assert!(
        signing.contains("crates/auth/src/testing/signing_key.rs"),
        "{signing:?}"
    );
    assert!(
        signing.contains("crates/user-service/src/keys/signing.rs"),
        "{signing:?}"
    );
    for file in signing {
        let may = file.starts_with("crates/user-service/src/") || others.contains(&file.as_str());
        assert!(may, "{file} can sign");
    }
}

#[test]
fn each_migration_is_written_for_both_engines() {
    let mut services = BTreeSet::new();
    for service in entries(&root().join("migrations")) {
        let numbers = |engine: &str| -> BTreeSet<String> {
            entries(&service.join(engine))
                .iter()
                .map(|file| name_of(file).to_owned())
                .collect()
        };
        let (sqlite, postgres) = (numbers("sqlite"), numbers("postgres"));
        assert!(!sqlite.is_empty(), "{} has none", service.display());
        assert_eq!(
            sqlite,
            postgres,
            "left: sqlite, right: postgres, of {}",
            service.display()
        );
        let distinct: BTreeSet<_> = sqlite.iter().filter_map(|name| name.split('_').next()).collect();
        assert_eq!(distinct.len(), sqlite.len(), "a number twice: {sqlite:?}");
        services.insert(name_of(&service).to_owned());
    }
    let crates: BTreeSet<_> = packages().iter().map(|package| text(&package["name"])).collect();
    assert!(
        services.is_subset(&crates),
        "{services:?} have migrations, {crates:?} are crates"
    );
}

#[test]
fn every_variable_is_explained_and_every_explained_one_is_read() {
    let example = fs::read_to_string(root().join(".env.example")).expect(".env.example");
    let explained: BTreeSet<String> = example
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix('#').unwrap_or(line);
            let (name, _) = line.strip_prefix(' ').unwrap_or(line).split_once('=')?;
            is_a_variable(name).then(|| name.to_owned())
        })
        .collect();
    let mut read: BTreeSet<String> = sources()
        .iter()
        .flat_map(|file| variables_in(&code_of(file)))
        .collect();
    // Where a neighbour is, and as whom it is called: these are put together from the register.
    for caller in Register::built_in()
        .iter()
        .filter(|service| !service.calls.is_empty())
    {
        let urls = caller
            .calls
            .iter()
            .map(|called| format!("{}_URL", called.to_uppercase().replace('-', "_")));
        read.extend(urls.chain([format!("{}_SECRET", caller.variable_prefix())]));
    }
    assert!(read.len() > 10, "the variables can't be found any more: {read:?}");
    let missing: Vec<_> = read.difference(&explained).collect();
    let dead: Vec<_> = explained.difference(&read).collect();
    assert!(
        missing.is_empty() && dead.is_empty(),
        ".env.example lacks {missing:?} and explains {dead:?} for nothing"
    );
}

#[test]
fn whatever_a_page_links_to_is_there() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            let file = page.parent().unwrap().join(target);
            let file = file
                .canonicalize()
                .unwrap_or_else(|error| panic!("{}: {target}: {error}", page.display()));
            let root = root().canonicalize().unwrap();
            assert!(
                file.starts_with(root),
                "{}: {target} is somewhere else",
                page.display()
            );
        }
    }
    assert!(links > 20, "{links} links");
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for directory in ["", "docs", "docs/decisions"] {
        let files = entries(&root().join(directory)).into_iter();
        pages.extend(files.filter(|file| file.extension().is_some_and(|extension| extension == "md")));
    }
    pages
}

/// One crate of ours that another depends on.
struct Dependency {
    from: String,
    to: String,
    is_dev: bool,
    features: Vec<String>,
}

impl Dependency {
    /// Whether it brings an issuer that signs whatever it is asked to.
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
    assert!(all.len() > 5, "the crates depend on each other");
    all
}

fn packages() -> Vec<Value> {
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
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
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

/// All that is compiled into programs and libraries.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories: Vec<_> = entries(&root().join("crates"))
        .iter()
        .map(|member| member.join("src"))
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

/// The variables that this code reads: what it calls `env.text` and the like with, or a function that it hands `env`
/// to, or one that reads for it.
fn variables_in(code: &str) -> BTreeSet<String> {
    let code: String = code.chars().filter(|char| !char.is_whitespace()).collect();
    let calls = [
        "env.text(\"",
        "secret(\"",
        "env.parse(\"",
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
        .filter(|name| is_a_variable(name))
        .map(str::to_owned)
        .collect()
}

fn is_a_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name
            .chars()
            .all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
}
