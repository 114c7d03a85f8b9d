//! The page that maps in the browser (`docs/playground`), in a headless Chromium.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use crate::{root, run_or_skip, text};

/// The folder of the page, with the component for tests of limits beside the others, or why there is none.
static PAGE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let browser = env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
    Command::new(browser).arg("--version").output().map_err(|error| format!("Chromium does not run: {error}"))?;
    let folder = root().join("target/playground/page");
    let components = ["alert", "incident", "event", "vulnerability", "hostile"];
    let built = Command::new(root().join("docs/playground/build.sh"))
        .arg(&folder)
        .args(components.map(|component| root().join(format!("target/components/{component}.wasm"))))
        .output()
        .map_err(|error| format!("docs/playground/build.sh does not run: {error}"))?;
    if built.status.success() { Ok(folder) } else { Err(format!("the playground cannot be built: {}", text(&built))) }
});

#[test]
fn the_page_gives_what_is_expected() {
    let Some(page) = run_or_skip(&PAGE) else { return };
    // What the browser does not answer at all ends after ten minutes.
    let output = Command::new("node")
        .args(["--test", "--test-timeout=600000", "--test-reporter=spec"])
        .arg(root().join("docs/playground/test/playground.test.mjs"))
        .env("PLAYGROUND", page.join("index.html"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
