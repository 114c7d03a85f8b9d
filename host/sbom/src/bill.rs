//! The bill: files, the crates that they were built of, and Rust's own library.

use anyhow::{Context, Result, ensure};
use cargo_lock::Lockfile;
use cyclonedx_bom::models::component::{Classification, Cpe};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::prelude::{Bom, Component, Components, Metadata, Purl, SpdxExpression, SpecVersion, Validate as _};

use crate::tree::{Crate, Tree};

const SPECIFICATION: SpecVersion = SpecVersion::V1_5;

/// A file that was built of a package.
pub(crate) struct Product {
    pub(crate) package: String,
    pub(crate) name: String,
    /// Hexadecimal.
    pub(crate) sha256: String,
}

/// The bill in JSON. Crates of a registry have a package URL and the digest that Cargo.lock holds them to; those of this
/// repository have neither.
pub(crate) fn write(name: &str, rust: &str, tree: &Tree, lock: &Lockfile, products: &[Product]) -> Result<Vec<u8>> {
    let first = products.first().and_then(|product| tree.find(&product.package)).context("there is no such package")?;
    let whole = Component::new(Classification::Application, name, &first.version, Some(name.to_owned()));
    let library = standard_library(rust)?;
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    dependencies.push(depends(name.to_owned(), products.iter().map(|product| product.name.clone()).collect()));
    for Product { package, name, sha256 } in products {
        let root = tree.find(package).with_context(|| format!("there is no package {package}"))?;
        let mut file = Component::new(Classification::File, name, &root.version, Some(name.clone()));
        file.hashes = Some(hashes(sha256));
        components.push(file);
        dependencies
            .push(depends(name.clone(), [reference(root, lock)?].into_iter().chain(library.bom_ref.clone()).collect()));
    }
    for (one, licence) in &tree.licences {
        components.push(component(one, licence, lock)?);
        let others = tree.dependencies.get(one).into_iter().flatten();
        dependencies
            .push(depends(reference(one, lock)?, others.map(|other| reference(other, lock)).collect::<Result<_>>()?));
    }
    components.push(library);
    let bill = Bom {
        serial_number: None,
        metadata: Some(Metadata { component: Some(whole), ..Metadata::default() }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        spec_version: SPECIFICATION,
        ..Bom::default()
    };
    let validation = bill.validate_version(SPECIFICATION);
    ensure!(validation.passed(), "the bill is no CycloneDX {SPECIFICATION}: {validation:?}");
    let mut json = Vec::new();
    bill.output_as_json(&mut json, SPECIFICATION)?;
    json.push(b'\n');
    Ok(json)
}

fn component(one: &Crate, licence: &str, lock: &Lockfile) -> Result<Component> {
    let Crate { name, version } = one;
    let mut component = Component::new(Classification::Library, name, version, Some(reference(one, lock)?));
    if !licence.is_empty() {
        component.licenses = Some(licences(licence).with_context(|| format!("{name} {version}: `{licence}`"))?);
    }
    if let Some(sha256) = checksum(one, lock)? {
        component.purl = Some(purl(one)?);
        component.hashes = Some(hashes(&sha256));
    }
    Ok(component)
}

/// The compiler's library: no crate of Cargo.lock, but in each file, so advisories for it matter.
fn standard_library(version: &str) -> Result<Component> {
    let reference = format!("rust-std@{version}");
    let mut library = Component::new(Classification::Library, "rust-std", version, Some(reference));
    library.licenses = Some(licences("MIT OR Apache-2.0")?);
    library.cpe = Some(Cpe::from(format!("cpe:2.3:a:rust-lang:rust:{version}:*:*:*:*:*:*:*")));
    Ok(library)
}

/// How a crate is called within the bill.
fn reference(one: &Crate, lock: &Lockfile) -> Result<String> {
    Ok(match checksum(one, lock)? {
        Some(_) => purl(one)?.to_string(),
        None => format!("{}@{}", one.name, one.version),
    })
}

fn purl(Crate { name, version }: &Crate) -> Result<Purl> {
    Purl::new("cargo", name, version).with_context(|| format!("a package URL for {name} {version}"))
}

/// The SHA-256 of a crate's archive; none for one of this repository.
fn checksum(one: &Crate, lock: &Lockfile) -> Result<Option<String>> {
    let Crate { name, version } = one;
    let fits =
        |package: &&cargo_lock::Package| package.name.as_str() == name && package.version.to_string() == *version;
    let package = lock.packages.iter().find(fits).with_context(|| format!("Cargo.lock has no {name} {version}"))?;
    Ok(package.checksum.as_ref().map(ToString::to_string))
}

fn licences(expression: &str) -> Result<Licenses> {
    Ok(Licenses(vec![LicenseChoice::Expression(SpdxExpression::parse_lax(expression.to_owned())?)]))
}

fn hashes(sha256: &str) -> Hashes {
    Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(sha256.to_owned()) }])
}

fn depends(dependency_ref: String, dependencies: Vec<String>) -> Dependency {
    Dependency { dependency_ref, dependencies }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    const LOCK: &str = r#"version = 4

[[package]]
name = "mine"
version = "0.1.0"
dependencies = ["theirs"]

[[package]]
name = "theirs"
version = "2.0.1"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aec7d1d7f5d1e0a5f7c5c5e5b5a5958575655545352515049484746454443424"
"#;

    fn bill(licence: &str) -> Result<String> {
        let tree = Tree::read(&format!("0\tmine v0.1.0 (/a)\tApache-2.0\n1\ttheirs v2.0.1\t{licence}\n"))?;
        let product = Product { package: "mine".to_owned(), name: "mine.wasm".to_owned(), sha256: "00".repeat(32) };
        write("all", "1.95.0", &tree, &LOCK.parse()?, &[product]).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn a_bill_names_files_crates_and_library_and_is_the_same_each_time() {
        let text = bill("MIT/Apache-2.0").unwrap();
        assert_eq!(bill("MIT/Apache-2.0").unwrap(), text);
        let read = Bom::parse_from_json_v1_5(text.as_bytes()).unwrap();
        assert!(read.serial_number.is_none() && read.metadata.unwrap().timestamp.is_none());
        let names: Vec<String> =
            read.components.unwrap().0.iter().map(|component| component.name.to_string()).collect();
        assert_eq!(names, ["mine.wasm", "mine", "theirs", "rust-std"]);
        let edges: Vec<(String, Vec<String>)> =
            read.dependencies.unwrap().0.into_iter().map(|one| (one.dependency_ref, one.dependencies)).collect();
        assert!(edges.contains(&("mine.wasm".to_owned(), vec!["mine@0.1.0".to_owned(), "rust-std@1.95.0".to_owned()])));
        assert!(edges.contains(&("mine@0.1.0".to_owned(), vec!["pkg:cargo/theirs@2.0.1".to_owned()])));
        for part in ["\"MIT OR Apache-2.0\"", "aec7d1d7f5d1", "\"pkg:cargo/theirs@2.0.1\"", "rust-lang:rust:1.95.0"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("pkg:cargo/mine"), "what is not published has no package URL");
    }

    #[test]
    fn a_licence_that_is_none_and_a_crate_that_is_not_locked_are_refused() {
        let error = bill("as you like").unwrap_err();
        assert!(format!("{error:#}").contains("theirs 2.0.1: `as you like`"), "{error:#}");
        let tree = Tree::read("0\tmine v0.2.0 (/a)\tMIT\n").unwrap();
        let product = Product { package: "mine".to_owned(), name: "f".to_owned(), sha256: "00".repeat(32) };
        let Err(error) = write("all", "1.95.0", &tree, &LOCK.parse().unwrap(), &[product]) else { panic!() };
        assert!(error.to_string().contains("Cargo.lock has no mine 0.2.0"), "{error}");
    }
}
