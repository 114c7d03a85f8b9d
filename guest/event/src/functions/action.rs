//! What happened, as ECS names it.

use defenderbeat_mapping::{Arena, Args, Results, Value};

/// An action type as `event.action`: lower case, `-` for each space.
pub(crate) fn of<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(action) = args.text(0) {
        results.set(0, Value::from_text(slug(action, args.arena())));
    }
}

/// Lower case, `-` for each space.
pub(super) fn slug<'r>(text: &'r str, arena: &'r Arena) -> &'r str {
    let lower = arena.lowercase(text);
    if lower.contains(' ') { arena.text(&lower.replace(' ', "-")) } else { lower }
}
