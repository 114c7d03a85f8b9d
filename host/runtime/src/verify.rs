//! Nothing that a guest says is believed before it was checked. Each check gives the sentence that is false.

use bytes::Bytes;

use crate::limits::Limits;
use crate::types::{Document, Receipt, Tally};

/// Checks the size of a part, which may be true and yet more than is allowed.
pub(crate) fn size(bytes: usize, documents: usize, limits: &Limits) -> Result<(), String> {
    if bytes > limits.part {
        return Err(format!("a part has {bytes} bytes, {} are allowed", limits.part));
    }
    if documents > limits.documents {
        return Err(format!("a part has {documents} documents, {} are allowed", limits.documents));
    }
    Ok(())
}

/// Checks a part before anything of it is passed on.
pub(crate) fn part(ndjson: &[u8], documents: &[Document], payloads: usize, routes: usize) -> Result<(), String> {
    let mut rest = ndjson;
    for (number, document) in documents.iter().enumerate() {
        let line = rest.split_at_checked(document.length as usize);
        let Some(([line @ .., b'\n'], behind)) = line else {
            return Err(format!("document {number} of a part does not end where its length says"));
        };
        if line.contains(&b'\n') {
            return Err(format!("document {number} of a part is more than one line"));
        }
        if document.payload as usize >= payloads {
            return Err(format!(
                "document {number} of a part is of payload {}, there are {payloads}",
                document.payload
            ));
        }
        if document.route as usize >= routes {
            return Err(format!("document {number} of a part has route {}, there are {routes}", document.route));
        }
        rest = behind;
    }
    if !rest.is_empty() {
        let end = ndjson.len() - rest.len();
        return Err(format!("documents of a part have {end} bytes together, the part has {}", ndjson.len()));
    }
    Ok(())
}

/// Checks the receipt of a push. `written` are the documents that were written of each payload.
pub(crate) fn receipt(receipt: &Receipt, payloads: &[Bytes], written: &[u32]) -> Result<(), String> {
    if receipt.tallies.len() != payloads.len() {
        return Err(format!("{} tallies for {} payloads", receipt.tallies.len(), payloads.len()));
    }
    let mut rejected = vec![0_u32; payloads.len()];
    for reject in &receipt.rejects {
        let number = reject.payload as usize;
        let (Some(payload), Some(count)) = (payloads.get(number), rejected.get_mut(number)) else {
            return Err(format!("a reject is of payload {number}, there are {}", payloads.len()));
        };
        if reject.offset.checked_add(reject.length).is_none_or(|end| end > payload.len() as u64) {
            return Err(format!("a reject lies outside payload {number}"));
        }
        *count += 1;
    }
    for (number, ((tally, written), rejected)) in receipt.tallies.iter().zip(written).zip(rejected).enumerate() {
        balance(number, tally, *written)?;
        if tally.rejected != rejected {
            return Err(format!("payload {number} has {} rejected records and {rejected} rejects", tally.rejected));
        }
    }
    Ok(())
}

/// Checks the receipt of finishing. `written` are the documents that were written.
pub(crate) fn finished(receipt: &Receipt, written: &[u32]) -> Result<(), String> {
    match (receipt.tallies.as_slice(), written) {
        ([tally], [written]) if tally.records == 0 && receipt.rejects.is_empty() => balance(0, tally, *written),
        ([_], _) => Err("finishing read records or rejected some".to_owned()),
        (tallies, _) => Err(format!("finishing gave {} tallies", tallies.len())),
    }
}

fn balance(number: usize, tally: &Tally, written: u32) -> Result<(), String> {
    let Tally { records, mapped, held, dropped, rejected, documents, .. } = *tally;
    let fates = [mapped, held, dropped, rejected].into_iter().map(u64::from).sum::<u64>();
    if fates != u64::from(records) {
        return Err(format!("payload {number} has {records} records and {fates} fates"));
    }
    if documents != written {
        return Err(format!("payload {number} has {documents} documents in its tally, {written} were written"));
    }
    if documents < mapped {
        return Err(format!("payload {number} has {mapped} mapped records and {documents} documents"));
    }
    Ok(())
}
