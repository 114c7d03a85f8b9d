//! Functions of times.

use crate::args::{Args, Results};
use crate::time::{parse, to_millis};
use crate::value::Value;

/// Nanoseconds from the first time to the second, from their milliseconds: `event.duration`. Nothing where they are more
/// than 64 bits hold, 292 years: one of the times is a placeholder then, such as the year 1.
pub fn duration<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let instant = |index| args.text(index).and_then(parse).map(to_millis);
    if let (Some(start), Some(end)) = (instant(0), instant(1))
        && let Some(nanoseconds) = (end - start).checked_mul(1_000_000)
    {
        results.set(0, Value::Long(nanoseconds));
    }
}
