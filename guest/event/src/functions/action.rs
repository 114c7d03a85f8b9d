//! What happened, as ECS names it.

use std::borrow::Cow;

use defenderbeat_mapping::{Args, Results, Value};

/// An action type as `event.action`: lower case, `-` for each space.
pub(crate) fn of<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(action) = args.text(0) {
        results.set(0, Value::from_text(slug(&action)));
    }
}

/// Lower case, `-` for each space.
pub(super) fn slug(text: &str) -> Cow<'static, str> {
    let lower = text.to_lowercase();
    Cow::Owned(if lower.contains(' ') { lower.replace(' ', "-") } else { lower })
}
