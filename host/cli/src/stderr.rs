//! What is said beside the output.

use std::fmt::Arguments;
use std::io::{self, Write as _};

/// Says a line on standard error. That nobody listens any more is no reason to end, so unlike `eprintln!` it does not panic.
pub(crate) fn say(line: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
