//! The page: its text, and how it differs from another version.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::callers::Caller;

const INTRODUCTION: &str = include_str!("introduction.md");

/// A table: a heading, and one row for each route.
#[derive(Clone)]
pub struct Table {
    pub heading: String,
    pub rows: Vec<Row>,
}

/// A route, and what the platform answers to each caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Method and path.
    pub route: String,
    pub policy: String,
    pub cells: Vec<String>,
}

impl Row {
    pub fn new(route: String, policy: &str, cells: Vec<String>) -> Self {
        Self {
            route,
            policy: policy.to_owned(),
            cells,
        }
    }
}

/// The same tables, with one more: the rows that all of them had.
pub fn with_common_table(tables: &[Table]) -> Vec<Table> {
    let (first, others) = tables.split_first().expect("a table");
    let in_all = |row: &&Row| others.iter().all(|table| table.rows.contains(row));
    let rows: Vec<_> = first.rows.iter().filter(in_all).cloned().collect();
    let mut tables = tables.to_vec();
    for table in &mut tables {
        table.rows.retain(|row| !rows.contains(row));
    }
    tables.retain(|table| !table.rows.is_empty());
    let heading = "Every service, and the inner port of the gateway".to_owned();
    tables.push(Table { heading, rows });
    tables
}

/// Compares the page with these tables, or rewrites it if documents are to be written.
pub fn check(tables: &[Table]) {
    let current = text(tables);
    if test_kit::contract::writes_documents() {
        std::fs::write(path(), &current).unwrap();
        return;
    }
    let page = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        page == current,
        "docs/authorization.md is not what the platform does:\n\n{}\n\nIf the change is intended, update the page:\n\n    \
         scripts/write-documents\n",
        differences(&page, &current)
    );
}

fn path() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    root.join("docs/authorization.md")
}

fn text(tables: &[Table]) -> String {
    let mut text = INTRODUCTION.to_owned();
    for Table { heading, rows } in tables {
        let callers = Caller::ALL.map(Caller::name).join(" | ");
        let columns = "| --- ".repeat(2 + Caller::ALL.len());
        write!(
            text,
            "\n## {heading}\n\n| route | admits | {callers} |\n{columns}|\n"
        )
        .unwrap();
        for Row { route, policy, cells } in rows {
            writeln!(text, "| {route} | {policy} | {} |", cells.join(" | ")).unwrap();
        }
    }
    text
}

/// One line for each cell that differs.
fn differences(page: &str, platform: &str) -> String {
    let (page, platform) = (cells(page), cells(platform));
    let all: BTreeMap<_, _> = page.iter().chain(&platform).collect();
    let nothing = "nothing".to_owned();
    let lines = all.keys().filter_map(|place| {
        let says = page.get(*place).unwrap_or(&nothing);
        let does = platform.get(*place).unwrap_or(&nothing);
        let (heading, route, column) = place;
        (says != does)
            .then(|| format!("{heading}: {route}, {column}: the page says {says}, the platform does {does}"))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return "the text around the tables differs".to_owned();
    }
    lines.join("\n")
}

/// The cells of all tables, by heading, route and column.
fn cells(page: &str) -> BTreeMap<(String, String, String), String> {
    let (mut heading, mut columns, mut found) = (String::new(), Vec::new(), BTreeMap::new());
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("## ") {
            text.clone_into(&mut heading);
        }
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            continue;
        };
        let row: Vec<_> = row.split(" | ").map(str::to_owned).collect();
        if row[0] == "route" {
            columns = row;
        } else if row.len() == columns.len() && row[0] != "---" {
            for (column, cell) in columns.iter().zip(&row).skip(1) {
                found.insert((heading.clone(), row[0].clone(), column.clone()), cell.clone());
            }
        }
    }
    found
}

#[test]
fn a_changed_cell_is_named() {
    let row = |cell: &str| Row {
        route: "`GET /things`".to_owned(),
        policy: "any user".to_owned(),
        cells: vec![cell.to_owned(); Caller::ALL.len()],
    };
    let page = |cell: &str| {
        text(&[Table {
            heading: "things".to_owned(),
            rows: vec![row(cell)],
        }])
    };
    let found = differences(&page("200"), &page("403 forbidden"));
    let expected = "things: `GET /things`, user: the page says 200, the platform does 403 forbidden";
    assert!(found.lines().any(|line| line == expected), "{found}");
    assert_eq!(found.lines().count(), Caller::ALL.len());
}
