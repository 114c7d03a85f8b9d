//! What the inventory knows of devices and files.

use defenderbeat_mapping::{Args, Results, Value};
use defenderbeat_records::Cursor;

use crate::inventory::{DEVICE, SIGNATURE};

/// Operating system type, full name, platform and version, and the name of a device.
pub(crate) fn device<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(known) = known::<5>(args, DEVICE) else { return };
    for (index, text) in known.into_iter().enumerate() {
        results.set(index, text);
    }
}

/// Signer of the file with a SHA-1, whether it is signed and whether the signature is trusted.
pub(crate) fn signature<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some([signer, signed, trusted]) = known(args, SIGNATURE) else { return };
    let truth = |value: Value<'r>| value.text().map_or(Value::Missing, |text| Value::Bool(text == "true"));
    results.set(0, signer);
    results.set(1, truth(signed));
    results.set(2, truth(trusted));
}

/// What the inventory has of the first argument: the scalars of a list.
fn known<'r, const N: usize>(args: &Args<'_, 'r>, kind: &str) -> Option<[Value<'r>; N]> {
    let known = args.arena().text(&args.lookup(kind, args.text(0)?)?);
    let mut cursor = Cursor::new(known);
    if cursor.peek() != Some(b'[') {
        return None;
    }
    cursor.open();
    let mut values = [Value::Missing; N];
    for value in &mut values {
        if !cursor.element().ok()? {
            return None;
        }
        let text = args.text_of(Value::read(cursor.value().ok()?));
        *value = Value::from_text(text.unwrap_or_default());
    }
    Some(values)
}
