//! Links between the files. Those to other sites are not followed: a test uses loopback only.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::root;

/// Where no documentation is.
const NOT_OURS: [&str; 3] = [".git", "target", "node_modules"];

fn pages(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| !NOT_OURS.iter().any(|name| path.ends_with(name));
    let found = entries.filter(ours).flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// What a page leads to, and the places in it that can be led to.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: HashSet<String>,
}

/// The anchor that GitHub gives to a heading; the `earlier` ones are taken.
fn anchor(heading: &str, earlier: &HashSet<String>) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter(|&letter| letter.is_alphanumeric() || " -_".contains(letter));
    let slug: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
    let numbered = (1..).map(|number| format!("{slug}-{number}"));
    std::iter::once(slug.clone()).chain(numbered).find(|slug| !earlier.contains(slug)).unwrap()
}

fn parse(text: &str) -> Page {
    let (mut page, mut heading) = (Page::default(), None::<String>);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => heading.iter_mut().for_each(|heading| heading.push_str(&part)),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap(), &page.anchors);
                page.anchors.insert(anchor);
            }
            _ => {}
        }
    }
    page
}

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leads out of the project", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with a link of the page at `path`.
fn problem(path: &Path, link: &str, pages: &HashMap<PathBuf, Page>) -> Option<&'static str> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { path.to_owned() } else { plain(&path.parent().unwrap().join(file)) };
    if !target.starts_with(root()) || !target.exists() {
        return Some("there is no such file");
    }
    let anchor = anchor?;
    match pages.get(&target) {
        Some(page) if page.anchors.contains(anchor) => None,
        Some(_) => Some("there is no such heading"),
        None => Some("only pages have headings"),
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages: HashMap<_, _> =
        pages(root()).into_iter().map(|path| (path.clone(), parse(&fs::read_to_string(&path).unwrap()))).collect();
    let mut broken = Vec::new();
    let mut count = 0;
    for (path, page) in &pages {
        for link in &page.links {
            count += 1;
            if let Some(problem) = problem(path, link, &pages) {
                broken.push(format!("{}: {link}: {problem}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    broken.sort();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 300, "the pages were not read: {count} links");
}

/// The pages that the index in `dir` links to.
fn listed(dir: &Path) -> HashSet<PathBuf> {
    let index = parse(&fs::read_to_string(dir.join("README.md")).unwrap());
    index.links.iter().map(|link| plain(&dir.join(link))).collect()
}

/// The architecture decisions have an index of their own, which is itself in the index.
#[test]
fn every_page_of_the_documentation_is_in_its_index() {
    let docs = root().join("docs");
    let decisions = docs.join("adr");
    let (pages_listed, decisions_listed) = (listed(&docs), listed(&decisions));
    let is_missing = |page: &PathBuf| {
        let is_decision = page.parent() == Some(&decisions) && !page.ends_with("README.md");
        let index = if is_decision { &decisions_listed } else { &pages_listed };
        page != &docs.join("README.md") && !index.contains(page)
    };
    let missing: Vec<_> = pages(&docs).into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "docs/README.md, or docs/adr/README.md, does not name {missing:?}");
}

#[test]
fn headings_have_the_anchors_that_github_gives_them() {
    let page = parse("# Who may\n## By `kubectl`: *really*?\n## Who may\n[a](b.md#c) ![d](e.png)\n");
    let anchors = ["who-may", "by-kubectl-really", "who-may-1"].map(str::to_owned);
    assert_eq!(page.anchors, HashSet::from(anchors));
    assert_eq!(page.links, ["b.md#c", "e.png"]);
}

#[test]
fn a_link_to_nowhere_is_found() {
    let path = root().join("docs/README.md");
    let pages = HashMap::from([(path.clone(), parse("# One\n"))]);
    for (link, found) in [
        ("https://example.com/nowhere", None),
        ("#one", None),
        ("../README.md", None),
        ("nowhere.md", Some("there is no such file")),
        ("#two", Some("there is no such heading")),
        ("../Makefile#one", Some("only pages have headings")),
    ] {
        assert_eq!(problem(&path, link, &pages), found, "{link}");
    }
}
