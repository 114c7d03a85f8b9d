//! User agents.

use defenderbeat_mapping::{Args, Results, Value};

/// `user_agent` from the first argument that is there: the text, and what the host knows of it.
pub(crate) fn parts<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(text) = args.text(0).or_else(|| args.text(1)) else { return };
    let known = args.lookup("user-agent", text).unwrap_or_default();
    let inner = known.trim().strip_prefix('{').and_then(|known| known.strip_suffix('}')).unwrap_or_default();
    let original = Value::from_text(text).to_json().unwrap_or_default();
    let comma = if inner.is_empty() { "" } else { "," };
    results.set(0, Value::pruned(&format!("{{\"original\":{original}{comma}{inner}}}"), args.arena()));
}
