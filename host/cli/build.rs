//! Embeds the components, and says what to do where they are missing; lists the fields of documents for `golden`.

use std::path::Path;

/// Components that are part of the program, by the name of their data stream.
const COMPONENTS: [&str; 4] = ["alert", "incident", "event", "vulnerability"];

fn main() -> Result<(), String> {
    defenderbeat_tables::build_fields(&COMPONENTS)?;
    let folder = Path::new("../../target/components");
    let folder = std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut entries = String::new();
    for name in COMPONENTS {
        let mut entry = format!("    Embedded {{ dataset: {name:?}");
        for (field, extension) in [("wasm", "wasm"), ("code", "cwasm")] {
            let file = folder.join(name).with_extension(extension);
            println!("cargo::rerun-if-changed={}", file.display());
            if !file.exists() {
                return Err(format!("{} is missing: run `make components` first", file.display()));
            }
            entry += &format!(", {field}: include_bytes!({:?})", file.display().to_string());
        }
        entries += &format!("{entry} }},\n");
    }
    let out = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run by cargo only")?;
    let code =
        format!("/// Components that are part of this program.\nstatic EMBEDDED: &[Embedded] = &[\n{entries}];\n");
    std::fs::write(Path::new(&out).join("embedded.rs"), code).map_err(|error| format!("embedded.rs: {error}"))
}
