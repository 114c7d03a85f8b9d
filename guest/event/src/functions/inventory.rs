//! What the inventory knows of devices and files.

use defenderbeat_mapping::{Args, Results, Value};

use crate::inventory::{DEVICE, SIGNATURE};

/// Operating system type, full name, platform and version, and the name of a device.
pub(crate) fn device<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(known) = args.text(0).and_then(|id| args.lookup(DEVICE, id)) else { return };
    let Ok(known) = serde_json::from_str::<[String; 5]>(&known) else { return };
    for (index, text) in known.into_iter().enumerate() {
        results.set(index, Value::from_text(args.arena().text(&text)));
    }
}

/// Signer of the file with a SHA-1, whether it is signed and whether the signature is trusted.
pub(crate) fn signature<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(known) = args.text(0).and_then(|sha1| args.lookup(SIGNATURE, sha1)) else { return };
    let Ok((signer, signed, trusted)) = serde_json::from_str::<(String, Option<bool>, Option<bool>)>(&known) else {
        return;
    };
    results.set(0, Value::from_text(args.arena().text(&signer)));
    results.set(1, signed.map_or(Value::Missing, Value::Bool));
    results.set(2, trusted.map_or(Value::Missing, Value::Bool));
}
