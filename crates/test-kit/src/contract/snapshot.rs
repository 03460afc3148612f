//! The routes of a service and their policies, as a text file that reviewers read.

use std::path::{Path, PathBuf};

use auth::Routes;
use service_kit::docs;

/// Compares the routes with the snapshot, or rewrites it if documents are to be written.
pub(super) fn check(routes: &Routes, name: &str) {
    let (path, current) = (path(name), list(routes));
    if super::writes_documents() {
        std::fs::write(&path, &current).expect("the snapshot can be written");
        return;
    }
    let snapshot = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        snapshot == current,
        "The routes or policies of {name} differ from {}.\n\nIf the change is intended, update the file:\n\n    \
         scripts/write-documents {name}\n\nIn the file:\n{snapshot}\nIn the code:\n{current}",
        path.display()
    );
}

fn path(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates
        .expect("test-kit is beside the services")
        .join(name)
        .join("tests/api/routes.txt")
}

/// One line for each route: method, path, policy.
fn list(routes: &Routes) -> String {
    let width = routes.iter().map(|route| route.path.len()).max().unwrap_or(0);
    let line = |route: &auth::ListedRoute| {
        let policy = docs::describe(route.policy);
        format!("{:<6} {:<width$}  {policy}\n", route.method.as_str(), route.path)
    };
    routes.iter().map(line).collect()
}
