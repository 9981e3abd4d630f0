//! The files of the checkout in memory. It reads once and judges nothing.

use super::code;
use crate::Result;
use crate::tidy::Fault;
use std::path::Path;

/// One file.
#[derive(Debug)]
pub(in crate::tidy) struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
    /// The text with comments and literals blanked; empty unless it is Rust.
    pub code: String,
    /// The same without what only tests see; empty in a module that only tests see.
    pub shipped: String,
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let code = if path.ends_with(".rs") { code::blank(&text) } else { String::new() };
        let shipped = code::without_tests(&code);
        Self { path, text, code, shipped }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(in crate::tidy) fn fault(&self, line: usize, what: impl Into<String>) -> Fault {
        Fault { path: self.path.clone(), line, what: what.into() }
    }
}

/// All of them, in order of path.
#[derive(Debug)]
pub(in crate::tidy) struct Tree {
    pub sources: Vec<Source>,
}

impl Tree {
    /// Reads every text file below `root` but for what tools leave there.
    pub(in crate::tidy) fn read(root: &Path) -> Result<Self> {
        let mut sources = Vec::new();
        collect(root, "", &mut sources)?;
        Ok(Self::marked(sources))
    }

    /// A tree of samples.
    #[cfg(test)]
    pub(in crate::tidy) fn of(files: &[(&str, &str)]) -> Self {
        let source = |(path, text): &(&str, &str)| Source::new((*path).to_owned(), (*text).to_owned());
        Self::marked(files.iter().map(source).collect())
    }

    pub(in crate::tidy) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_rust())
    }

    /// The Rust files below a folder, e.g. `supervisor/src/pool/`, or the one file of the same name, `pool.rs`.
    pub(in crate::tidy) fn module(&self, folder: &str) -> impl Iterator<Item = &Source> {
        let file = format!("{}.rs", folder.trim_end_matches('/'));
        self.rust().filter(move |source| source.path.starts_with(folder) || source.path == file)
    }

    pub(in crate::tidy) fn get(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// Empties `shipped` of the modules that are declared under `#[cfg(test)]`.
    fn marked(mut sources: Vec<Source>) -> Self {
        let of_tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
        for source in &mut sources {
            let stem = source.path.trim_end_matches(".rs");
            if of_tests.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/"))) {
                source.shipped.clear();
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Self { sources }
    }
}

/// Paths without `.rs` of the modules that this file declares for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let mut modules = Vec::new();
    let folder = match source.path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
        _ => source.path.trim_end_matches(".rs").to_owned(),
    };
    for (at, mark) in source.code.match_indices("#[cfg(test)]") {
        let item = source.code[at + mark.len()..].split([';', '{']).next().unwrap_or_default();
        let mut words = item.split_whitespace().skip_while(|word| *word != "mod");
        if let (Some("mod"), Some(name)) = (words.next(), words.next()) {
            modules.push(format!("{folder}/{name}"));
        }
    }
    modules
}

fn collect(root: &Path, below: &str, sources: &mut Vec<Source>) -> Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !is_a_tools(&name, &entry.path()) {
                collect(root, &path, sources)?;
            }
        } else if kind.is_file() && name != "Cargo.lock" && name != ".git" {
            // What is not text has no words and no lines. (In a linked work tree `.git` is a file of git's own.)
            if let Ok(text) = String::from_utf8(std::fs::read(entry.path())?) {
                sources.push(Source::new(path, text));
            }
        }
    }
    Ok(())
}

/// Folders that hold what tools made: cargo marks its own by a tag.
fn is_a_tools(name: &str, path: &Path) -> bool {
    const NAMES: [&str; 7] =
        [".git", "target", "node_modules", "corpus", "artifacts", "__pycache__", ".venv"];
    NAMES.contains(&name) || path.join("CACHEDIR.TAG").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_for_tests_ship_nothing() {
        let tree = Tree::of(&[
            ("a/src/pool/mod.rs", "mod pool;\n#[cfg(test)]\nmod sim;\n"),
            ("a/src/pool/pool.rs", "fn f() {}\n#[cfg(test)]\nmod tests;\n"),
            ("a/src/pool/pool/tests.rs", "fn t() {}\n"),
            ("a/src/pool/sim.rs", "fn s() {}\n"),
        ]);
        let shipped = |path: &str| tree.get(path).map(|source| source.shipped.trim().to_owned());
        assert_eq!(shipped("a/src/pool/pool.rs").as_deref(), Some("fn f() {}"));
        assert_eq!(shipped("a/src/pool/pool/tests.rs").as_deref(), Some(""));
        assert_eq!(shipped("a/src/pool/sim.rs").as_deref(), Some(""));
    }
}
