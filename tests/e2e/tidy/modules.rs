//! The files of a crate as modules: which take from which, and which types each defines and adds methods to.
//!
//! It reads the text and is no compiler: it knows `use`, paths written out in the code, and the way rustfmt indents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// `["aws", "s3"]` is `aws/s3.rs`; of `main.rs` and `lib.rs` it is empty.
pub type Name = Vec<String>;

pub struct Module {
    pub file: PathBuf,
    /// Lines without those of its tests.
    pub lines: usize,
    /// Its code without tests and comments.
    code: String,
}

/// The modules below a `main.rs` or a `lib.rs`, without those that are there for tests alone.
pub fn modules(root: &Path) -> BTreeMap<Name, Module> {
    let (mut found, mut unread) = (BTreeMap::new(), vec![(Name::new(), root.to_owned())]);
    while let Some((name, file)) = unread.pop() {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = without_tests(&text);
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let folder = root.parent().unwrap().join(name.iter().collect::<PathBuf>());
        for line in &code {
            let declared = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            let Some(child) = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) else {
                continue;
            };
            let file = folder.join(format!("{child}.rs"));
            if file.is_file() {
                unread.push((name.iter().cloned().chain([child.to_owned()]).collect(), file));
            }
        }
        let (lines, code) = (text.lines().count(), code.join("\n"));
        found.insert(name, Module { file, lines, code });
    }
    found
}

/// The text without the items that are there for tests alone: each goes on to a line that ends it, in the same column.
pub fn without_tests(text: &str) -> String {
    let (mut kept, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        // A feature may share them with the tests of another crate.
        if !(line.trim_start().starts_with("#[cfg(") && line.contains("test")) {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let column = line.len() - line.trim_start().len();
        for line in lines.by_ref() {
            let ends = line.len() - line.trim_start().len() == column && line.ends_with([';', '}', ',']);
            if ends {
                break;
            }
        }
    }
    kept
}

impl Module {
    /// The modules that this one, `name`, takes from. Those of the folders that it lies in do not count: it is a part
    /// of them, and what they hold for all their parts is there for it.
    pub fn takes_from(&self, name: &Name, all: &BTreeMap<Name, Module>) -> BTreeSet<Name> {
        let (mut taken, mut imported) = (BTreeSet::new(), BTreeMap::new());
        for statement in self.code.split(';') {
            let Some(tree) = used(statement) else { continue };
            for path in expand(tree) {
                let Some(found) = resolve(name, &path, all) else { continue };
                // What is imported may be a module, by whose name the code goes on.
                if let Some(last) = found.last().filter(|last| path.last() == Some(*last)) {
                    imported.insert(last.clone(), found.clone());
                }
                taken.insert(found);
            }
        }
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for path in self.code.split(|c| !is_path(c)).filter(|path| path.contains("::")) {
            let path: Vec<String> = path.split("::").map(str::to_owned).collect();
            let found = match imported.get(&path[0]) {
                Some(module) => Some(descend(module.clone(), &path[1..], all)),
                None => resolve(name, &path, all),
            };
            taken.extend(found);
        }
        taken.retain(|other| !name.starts_with(other));
        taken
    }

    /// The types that are defined here.
    pub fn defines(&self) -> impl Iterator<Item = &str> {
        let kinds = ["struct ", "enum ", "union ", "trait "];
        let words = self.code.lines().filter_map(move |line| {
            let line = line.trim_start();
            let item = line.split_once("pub(crate) ").or_else(|| line.split_once("pub(super) "));
            let item = item.map_or(line.trim_start_matches("pub "), |(_, item)| item);
            kinds.iter().find_map(|kind| item.strip_prefix(kind))
        });
        words.map(identifier)
    }

    /// The types that get methods here other than those of a trait.
    pub fn adds_to(&self) -> impl Iterator<Item = &str> {
        let heads = self.code.split("\nimpl").skip(1).filter(|rest| rest.starts_with([' ', '<']));
        let heads = heads.map(|rest| rest.split('{').next().unwrap_or(rest));
        heads.filter(|head| !head.contains(" for ")).map(|head| {
            let path = after_generics(head).split(|c: char| c == '<' || c.is_whitespace()).next();
            path.and_then(|path| path.rsplit("::").next()).unwrap_or_default()
        })
    }
}

fn identifier(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').find(|word| !word.is_empty()).unwrap_or_default()
}

/// What follows `<'a, T: From<U>>`.
fn after_generics(head: &str) -> &str {
    let mut depth = 0;
    for (at, c) in head.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ' ' => (),
            _ if depth == 0 => return &head[at..],
            _ => (),
        }
    }
    head
}

/// The tree of a statement that is a `use`.
fn used(statement: &str) -> Option<&str> {
    let (mut found, mut start) = (None, 0);
    for line in statement.split_inclusive('\n') {
        let words = line.trim_start();
        if words.starts_with("use ") || (words.starts_with("pub") && words.contains(" use ")) {
            found = Some(start);
        }
        start += line.len();
    }
    let (_, tree) = statement[found?..].split_once("use ")?;
    // A line of a text may begin with the word, too.
    let is_path = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_:{},*".contains(c);
    tree.chars().all(is_path).then_some(tree)
}

/// `a::{b, c::{self, d}}` is `a::b`, `a::c` and `a::c::d`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let segments = |path: &str| -> Vec<String> {
        let path = path.split(" as ").next().unwrap_or(path);
        let segments = path.split("::").map(str::trim);
        segments.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let tree = tree.trim();
    let (Some(open), Some(close)) = (tree.find('{'), tree.rfind('}')) else { return vec![segments(tree)] };
    let (before, inside) = (segments(&tree[..open]), &tree[open + 1..close]);
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => (),
        }
    }
    parts.push(&inside[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    let whole = |rest: Vec<String>| {
        let rest = rest.into_iter().filter(|part| part != "self");
        before.iter().cloned().chain(rest).collect()
    };
    parts.flat_map(expand).map(whole).collect()
}

/// The module that a path written in `name` leads into.
fn resolve(name: &Name, path: &[String], all: &BTreeMap<Name, Module>) -> Option<Name> {
    let first = path.first()?;
    let mut base = name.clone();
    let mut rest = path;
    match first.as_str() {
        "crate" => (base, rest) = (Name::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        child => {
            base.push(child.to_owned());
            if !all.contains_key(&base) {
                return None;
            }
            rest = &path[1..];
        }
    }
    Some(descend(base, rest, all))
}

fn descend(mut base: Name, rest: &[String], all: &BTreeMap<Name, Module>) -> Name {
    for part in rest {
        base.push(part.clone());
        if !all.contains_key(&base) {
            base.pop();
            break;
        }
    }
    base
}
