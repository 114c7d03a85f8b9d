//! What the modules say of the machine that built them: nothing. Two builds in different folders giving the same bytes is checked by
//! `make reproduce`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn no_component_has_a_path_of_this_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let root = root.to_str().unwrap();
    let mut paths = 0;
    for name in ["alert", "incident", "event", "vulnerability"] {
        for extension in ["wasm", "core.wasm"] {
            let file = format!("{root}/target/components/{name}.{extension}");
            let bytes = std::fs::read(&file).unwrap();
            for machine in [root, "registry/src/", "/.cargo/", "/.rustup/", "rustlib/src", "target/guest"] {
                assert!(!contains(&bytes, machine), "{file} has {machine}: guest/build.sh names what is mapped");
            }
            paths += usize::from(contains(&bytes, "/crates/regex-automata-"));
        }
    }
    assert_eq!(paths, 8, "messages of panics still say where");
}
