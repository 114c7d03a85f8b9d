//! Writes what files were built of, as a CycloneDX 1.5 bill of materials in JSON.
//!
//! What it lists is what is linked: crates of the kind `normal` for the target, with the features that the packages have when they
//! are built together; no build scripts, no procedural macros, no tests. The same Cargo.lock, files and compiler give the same
//! bytes: there is no time in it, and no serial number.

mod bill;
mod tree;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use cargo_lock::Lockfile;
use clap::Parser;
use sha2::{Digest, Sha256};

use crate::bill::Product;
use crate::tree::Tree;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// What the files are together.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// For which target they were built; this machine's where it is not given.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// The version of the compiler, whose library is part of each file.
    #[arg(long, value_name = "VERSION")]
    rust: String,
    /// Files and the packages of which they were built.
    #[arg(required = true, value_name = "PACKAGE=FILE")]
    products: Vec<Source>,
}

#[derive(Clone)]
struct Source {
    package: String,
    file: PathBuf,
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (package, file) = text.split_once('=').ok_or("has the form PACKAGE=FILE")?;
        Ok(Self { package: package.to_owned(), file: file.into() })
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let tree = Tree::read(&cargo_tree(&arguments)?)?;
    let lock = Lockfile::load("Cargo.lock").context("reading Cargo.lock of this folder")?;
    let products = arguments.products.iter().map(product).collect::<Result<Vec<_>>>()?;
    let json = bill::write(&arguments.name, &arguments.rust, &tree, &lock, &products)?;
    io::stdout().write_all(&json).context("writing the bill")
}

/// What cargo says of the packages and what they depend on.
fn cargo_tree(arguments: &Arguments) -> Result<String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--locked", "--quiet", "--edges", "normal,no-proc-macro"]);
    cargo.args(["--prefix", "depth", "--format", tree::FORMAT]);
    if let Some(target) = &arguments.target {
        cargo.args(["--target", target]);
    }
    for Source { package, .. } in &arguments.products {
        cargo.args(["--package", package]);
    }
    let output = cargo.output().context("running cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("what cargo tree says is no UTF-8")
}

fn product(source: &Source) -> Result<Product> {
    let Source { package, file } = source;
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let name = file.file_name().unwrap_or(Path::new(package).as_os_str()).to_string_lossy().into_owned();
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Product { package: package.clone(), name, sha256 })
}
