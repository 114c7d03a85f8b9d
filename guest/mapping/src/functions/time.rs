//! Functions of times.

use crate::args::{Args, Results};
use crate::time::{parse, to_millis};
use crate::value::Value;

/// Nanoseconds from the first time to the second, from their milliseconds: `event.duration`.
pub fn duration<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let instant = |index| args.text(index).and_then(|text| parse(&text)).map(to_millis);
    if let (Some(start), Some(end)) = (instant(0), instant(1)) {
        results.set(0, Value::Long((end - start).saturating_mul(1_000_000)));
    }
}
