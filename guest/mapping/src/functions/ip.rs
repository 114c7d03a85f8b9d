//! Functions of addresses.

use crate::args::{Args, Results};
use crate::convert::Converter;
use crate::table::Op;
use crate::value::Value;

/// An IP address that some records give as text (first argument), others as a member of an object in its place (second
/// argument). Every result is the address.
pub fn address<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let value = match args.value(1) {
        Value::Missing if args.value(0).raw().is_some_and(|json| json.starts_with('{')) => return,
        Value::Missing => args.value(0),
        member => member,
    };
    let mut converter = Converter::new(&[], args.arena());
    let address = converter.convert(Op::Ip, value);
    for (value, cause) in converter.failures {
        results.fail(value, cause);
    }
    results.set(0, address);
    results.set(1, address);
}
