//! Tables of alerts and behaviors.

use defenderbeat_mapping::{Args, Results};

use super::{table, word};

/// `event.kind`: an alert, or for behaviors an event.
pub(crate) fn kind<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(0, word(if table::name(args, 0).starts_with("Alert") { "alert" } else { "event" }));
}

/// `categorized` where the record has a category.
pub(crate) fn kinds<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if category(args, 1).is_some() {
        results.set(0, word("categorized"));
    }
}

/// `event.category` from the alert's category and the type of the entity.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(category) = category(args, 0) {
        results.set(0, word(category));
    }
}

fn category(args: &Args<'_, '_>, at: usize) -> Option<&'static str> {
    let is = |index: usize, name: &str| args.text(index).is_some_and(|text| text.eq_ignore_ascii_case(name));
    if is(at, "Malware") || is(at, "Ransomware") {
        return Some("malware");
    }
    [("File", "file"), ("Process", "process"), ("Device", "host"), ("User", "iam")]
        .into_iter()
        .find(|(name, _)| is(at + 1, name))
        .map(|(_, category)| category)
}
