//! What `cargo tree` says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

/// How `cargo tree` has to write a line, behind its depth: package and licence.
pub(crate) const FORMAT: &str = "\t{p}\t{l}";
/// How a line ends whose dependencies are listed elsewhere.
const LISTED: &str = " (*)";

/// A crate in one version.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// Crates, each with its licence as an SPDX expression, and on what it depends.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) licences: BTreeMap<Crate, String>,
    pub(crate) dependencies: BTreeMap<Crate, BTreeSet<Crate>>,
}

impl Tree {
    /// Reads lines in [`FORMAT`] with `--prefix depth`.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let mut tree = Self::default();
        // The crates above the line, from the root on.
        let mut above: Vec<Crate> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (depth, found, licence) = read(line).with_context(|| format!("cargo tree says `{line}`"))?;
            above.truncate(depth);
            if let Some(parent) = above.last() {
                tree.dependencies.entry(parent.clone()).or_default().insert(found.clone());
            }
            tree.licences.insert(found.clone(), licence);
            above.push(found);
        }
        Ok(tree)
    }

    /// The crate that a package is.
    pub(crate) fn find(&self, package: &str) -> Option<&Crate> {
        self.licences.keys().find(|one| one.name == package)
    }
}

fn read(line: &str) -> Option<(usize, Crate, String)> {
    let mut parts = line.strip_suffix(LISTED).unwrap_or(line).splitn(3, '\t');
    let depth = parts.next()?.parse().ok()?;
    let mut package = parts.next()?.split(' ');
    let (name, version) = (package.next()?.to_owned(), package.next()?.strip_prefix('v')?.to_owned());
    Some((depth, Crate { name, version }, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn of(name: &str) -> Crate {
        Crate { name: name.to_owned(), version: "1.0.0".to_owned() }
    }

    #[test]
    fn a_crate_that_is_listed_twice_keeps_its_dependencies() {
        let text = "0\ta v1.0.0 (/somewhere/a)\tMIT\n1\tb v1.0.0\tMIT OR Apache-2.0\n2\tc v1.0.0\tISC\n1\td v1.0.0\tMIT\n2\tb v1.0.0\tMIT OR Apache-2.0 (*)\n\n0\te v1.0.0\t\n1\td v1.0.0\tMIT (*)\n";
        let tree = Tree::read(text).unwrap();
        let of_each: Vec<(Crate, Vec<Crate>)> =
            tree.dependencies.iter().map(|(one, others)| (one.clone(), others.iter().cloned().collect())).collect();
        let expected = [
            (of("a"), vec![of("b"), of("d")]),
            (of("b"), vec![of("c")]),
            (of("d"), vec![of("b")]),
            (of("e"), vec![of("d")]),
        ];
        assert_eq!(of_each, expected);
        assert_eq!(tree.licences.get(&of("b")).map(String::as_str), Some("MIT OR Apache-2.0"));
        assert_eq!(tree.find("e"), Some(&of("e")));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert!(Tree::read("a v1.0.0 MIT").unwrap_err().to_string().contains("`a v1.0.0 MIT`"));
    }
}
