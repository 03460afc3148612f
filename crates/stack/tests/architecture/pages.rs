//! Checks the documents: links, the reading order, quoted code, and the names of tests and variables. `scripts/docs-test` runs their
//! commands.

use super::*;

/// A document.
struct Page {
    /// Its path from the root of the repository.
    path: String,
    text: String,
}

impl Page {
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// Its lines outside of code blocks.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
    }

    /// The targets of its links inside the repository.
    fn links(&self) -> impl Iterator<Item = &str> {
        let links = self.prose().flat_map(|line| line.split("](").skip(1));
        let targets = links.filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.contains("://"))
    }

    /// The path from the root of the repository that a link refers to.
    fn target(&self, link: &str) -> String {
        let file = link.split('#').next().unwrap();
        if file.is_empty() {
            return self.path.clone();
        }
        let file = root().join(&self.path).with_file_name(file);
        let file = file
            .canonicalize()
            .unwrap_or_else(|error| panic!("{}: {link}: {error}", self.path));
        let inside = file.strip_prefix(root().canonicalize().unwrap());
        let inside = inside.unwrap_or_else(|_| panic!("{}: {link} is outside the repository", self.path));
        inside.to_str().unwrap().to_owned()
    }

    fn title(&self) -> &str {
        self.text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("# ")
            .expect("a title")
    }

    /// The anchors of its headings, as GitHub makes them. No page has two equal headings.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        let anchors: Vec<_> = headings
            .map(|line| anchor(line.trim_start_matches('#').trim()))
            .collect();
        let distinct: BTreeSet<_> = anchors.iter().cloned().collect();
        assert_eq!(distinct.len(), anchors.len(), "{}: equal headings", self.path);
        distinct
    }

    /// Its code blocks in these languages, each with the text of the comment on the line after it.
    fn blocks(&self, languages: &[&str]) -> Vec<(Vec<&str>, Option<&str>)> {
        let mut lines = self.text.lines().peekable();
        let mut blocks = Vec::new();
        while let Some(line) = lines.next() {
            let Some(language) = line.strip_prefix("```") else {
                continue;
            };
            let code: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if languages.contains(&language) {
                let comment = lines.peek().and_then(|line| line.strip_prefix("<!-- "));
                blocks.push((code, comment.and_then(|comment| comment.strip_suffix(" -->"))));
            }
        }
        blocks
    }

    /// The last cells of the rows in tables with this last heading.
    fn column(&self, heading: &str) -> Vec<&str> {
        let mut is_wanted = false;
        let mut cells = Vec::new();
        for line in self.prose() {
            let Some(cell) = line.strip_suffix(" |").and_then(|row| row.rsplit("| ").next()) else {
                is_wanted = false;
                continue;
            };
            if is_wanted && !cell.starts_with("---") {
                cells.push(cell);
            }
            is_wanted |= cell == heading;
        }
        cells
    }
}

fn anchor(heading: &str) -> String {
    let kept = |char: &char| char.is_alphanumeric() || [' ', '-', '_'].contains(char);
    let lower = heading.to_lowercase();
    lower.chars().filter(kept).collect::<String>().replace(' ', "-")
}

/// The documents.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for directory in ["", "docs", "docs/decisions"] {
        for file in entries(&root().join(directory)) {
            if file.extension().is_some_and(|extension| extension == "md") {
                pages.push(Page::read(file.strip_prefix(root()).unwrap().to_str().unwrap()));
            }
        }
    }
    assert!(pages.len() > 20, "{} pages", pages.len());
    pages
}

#[test]
fn links_between_pages_are_valid() {
    let mut links = 0;
    for page in pages() {
        for link in page.links() {
            links += 1;
            let target = page.target(link);
            if let Some((_, anchor)) = link.split_once('#') {
                let anchors = Page::read(&target).anchors();
                assert!(anchors.contains(anchor), "{}: {link}: {anchors:?}", page.path);
            }
        }
    }
    assert!(links > 100, "{links} links");
}

#[test]
fn each_page_leads_to_the_next_one_in_the_reading_order() {
    let readme = Page::read("README.md");
    let linked: BTreeSet<_> = readme.links().map(|link| readme.target(link)).collect();
    for page in pages() {
        let is_numbered = page.path.starts_with("docs/decisions/0");
        assert!(
            is_numbered || page.path == "README.md" || linked.contains(&page.path),
            "README.md has no link to {}",
            page.path
        );
    }

    let items = readme
        .prose()
        .skip_while(|line| *line != "## Read on")
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    let order: Vec<_> = items
        .map(|item| {
            let (title, link) = item.split_once('[').unwrap().1.split_once("](").unwrap();
            let page = Page::read(&readme.target(link.split(')').next().unwrap()));
            assert_eq!(title, page.title(), "in README.md");
            page
        })
        .collect();
    assert!(order.len() > 5, "{} pages", order.len());
    for (page, next) in order.iter().zip(order.iter().skip(1)) {
        let file = next.path.strip_prefix("docs/").unwrap();
        let pointer = format!("\nNext: [{}]({file})\n", next.title());
        assert!(
            page.text.ends_with(&pointer),
            "{} must end with{pointer}",
            page.path
        );
    }
}

#[test]
fn tests_that_pages_name_exist() {
    let mut sources = sources();
    sources.extend(rust_files(|member| member.join("tests")));
    let code: String = sources
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    for page in ["docs/revocation.md", "docs/security.md"].map(Page::read) {
        let cells = page.column("test");
        assert!(
            cells.len() > 15,
            "the search finds too few tests in {}: {cells:?}",
            page.path
        );
        for cell in cells {
            let names: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "{}: `{cell}` names no test", page.path);
            for name in names {
                assert!(
                    code.contains(&format!("fn {name}(")),
                    "{} names {name}",
                    page.path
                );
            }
        }
    }
}

#[test]
fn code_in_pages_is_quoted_from_the_repository() {
    let mut quoted = 0;
    for page in pages() {
        for (code, comment) in page.blocks(&["rust", "toml"]) {
            let source = comment.and_then(|comment| comment.strip_prefix("from: "));
            let source = source.unwrap_or_else(|| {
                panic!(
                    "{}: a block needs a comment `from`: {}",
                    page.path,
                    code.join("\n")
                )
            });
            let text = fs::read_to_string(root().join(source))
                .unwrap_or_else(|error| panic!("{}: {source}: {error}", page.path));
            let mut lines: Vec<_> = text.lines().collect();
            for part in code.split(|line| line.trim() == "…") {
                let found = lines
                    .windows(part.len())
                    .position(|lines| lines.iter().zip(part).all(|(line, part)| is_quoted(line, part)));
                let found =
                    found.unwrap_or_else(|| panic!("{}: not in {source}: {}", page.path, part.join("\n")));
                lines.drain(..found + part.len());
            }
            quoted += 1;
        }
    }
    assert!(quoted > 10, "{quoted} blocks");
}

/// Whether a line of a page is this line of a file, at any indentation. Also if it is code in a comment.
fn is_quoted(line: &str, quoted: &str) -> bool {
    let (line, quoted) = (line.trim(), quoted.trim());
    let code = ["//!", "///"]
        .into_iter()
        .find_map(|comment| line.strip_prefix(comment));
    line == quoted || code.is_some_and(|code| code.trim() == quoted)
}

#[test]
fn variables_that_pages_name_exist() {
    let mut files = [".env.example", "docker-compose.yml", "Dockerfile"]
        .map(|file| root().join(file))
        .to_vec();
    files.extend(entries(&root().join("scripts")));
    let mut known: BTreeSet<String> = files
        .iter()
        .flat_map(|file| variable_names(&fs::read_to_string(file).unwrap()))
        .collect();
    // Those that only tests read.
    for file in rust_files(|member| member.join("tests")).iter().chain(&sources()) {
        let code = fs::read_to_string(file).unwrap();
        let quoted = code.split('"').filter(|text| is_variable_name(text));
        known.extend(quoted.map(str::to_owned));
    }
    // Of rustls.
    known.insert("SSL_CERT_FILE".to_owned());
    let registry = Registry::built_in();
    let prefixes: Vec<_> = registry
        .iter()
        .map(|service| format!("{}_", service.variable_prefix()))
        .collect();
    let mut count = 0;
    // The history may name what no longer exists.
    for page in pages().iter().filter(|page| page.path != "CHANGELOG.md") {
        let names = page.prose().flat_map(variable_names);
        for name in names.filter(|name| name.trim_matches('_').contains('_')) {
            count += 1;
            let common = prefixes
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix.as_str()));
            let of_file = name.strip_suffix("_FILE");
            let is_known = [Some(name.as_str()), common, of_file]
                .into_iter()
                .flatten()
                .any(|name| known.contains(name));
            assert!(is_known, "{}: no program reads {name}", page.path);
        }
    }
    assert!(count > 100, "{count} names");
}

/// The words in capitals.
fn variable_names(text: &str) -> Vec<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words
        .filter(|word| is_variable_name(word))
        .map(str::to_owned)
        .collect()
}
