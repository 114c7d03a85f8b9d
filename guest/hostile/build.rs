//! Makes other contracts out of ours, for the components that are built against them.
//!
//! They are made and not kept, so that they differ from `wit/pipeline.wit` in what their name says and in nothing else.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const WIT: &str = "../../wit/pipeline.wit";

/// A name, and what to replace in the contract by what.
const VARIANTS: &[(&str, &[(&str, &str)])] = &[
    // A newer patch, which may add functions.
    (
        "patch",
        &[
            ("package defenderbeat:pipeline@0.1.0;", "package defenderbeat:pipeline@0.1.1;"),
            ("interface diagnostics {", "interface diagnostics {\n    enabled: func() -> bool;"),
            ("    describe: func() -> descriptor;", "    describe: func() -> descriptor;\n    ready: func() -> bool;"),
        ],
    ),
    // A record that goes in has a field more.
    ("changed", &[("    record batch {", "    record batch {\n        source: string,")]),
    // A record that comes out has a field more.
    ("changed_import", &[("    record document {", "    record document {\n        source: u32,")]),
    // An import that is none of ours.
    (
        "import",
        &[(
            "world transform {",
            "package wasi:clocks@0.2.3 { interface wall-clock { seconds: func() -> u64; } }\n\
             world transform {\n    import wasi:clocks/wall-clock@0.2.3;",
        )],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={WIT}");
    println!("cargo::rerun-if-changed=build.rs");
    let ours = fs::read_to_string(WIT).map_err(|error| format!("reading {WIT}: {error}"))?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run by cargo only")?;
    for (name, edits) in VARIANTS {
        let mut wit = ours.clone();
        for (from, to) in *edits {
            if wit.matches(from).count() != 1 {
                return Err(format!("{WIT} has no single {from:?}: adapt variant {name} in build.rs").into());
            }
            wit = wit.replace(from, to);
        }
        let code =
            format!("wit_bindgen::generate!({{ inline: r####\"{wit}\"####, world: \"transform\", generate_all }});\n");
        fs::write(Path::new(&out).join(format!("{name}.rs")), code)?;
    }
    Ok(())
}
