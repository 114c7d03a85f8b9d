//! What breaks limits without a document.

use std::hint::black_box;

use crate::Command;

/// Does what a command asks for, if it needs no documents to do so.
#[expect(clippy::panic, reason = "a panic is what is asked for")]
pub(crate) fn silent(command: &Command) {
    match command {
        Command::Spin => loop {
            black_box(());
        },
        Command::Work { n } => (0..*n).for_each(|step| {
            black_box(step);
        }),
        Command::Grow { n } => drop(black_box(vec![1u8; *n])),
        Command::Leak { n } => {
            black_box(vec![1u8; *n].leak());
        }
        Command::Recurse { n } => {
            black_box(recurse(*n));
        }
        Command::Panic { text } => panic!("{text}"),
        Command::Trap => std::process::abort(),
        _ => {}
    }
}

/// Returns `n` by as many calls; what follows each call keeps it from becoming a loop.
#[inline(never)]
fn recurse(n: u64) -> u64 {
    match black_box(n) {
        0 => 0,
        n => black_box(recurse(n - 1)) + 1,
    }
}
