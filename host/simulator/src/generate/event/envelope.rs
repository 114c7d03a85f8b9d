//! Envelopes: what one message of an Event Hub holds.

/// How an envelope begins and ends.
const BEGIN: &str = "{\"records\":[";
const END: &str = "]}";

/// Puts records into envelopes, `{"records":[..]}`, each as long as it can be without being longer than `size` bytes; a
/// record that is too long for that has one of its own.
pub fn envelopes(records: impl Iterator<Item = String>, size: usize) -> impl Iterator<Item = String> {
    let mut records = records.peekable();
    std::iter::from_fn(move || {
        let mut envelope = String::with_capacity(size.min(1 << 20));
        envelope.push_str(BEGIN);
        envelope.push_str(&records.next()?);
        while let Some(record) = records.next_if(|record| envelope.len() + 1 + record.len() + END.len() <= size) {
            envelope.push(',');
            envelope.push_str(&record);
        }
        envelope.push_str(END);
        Some(envelope)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_full_and_hold_every_record_once() {
        let records = || (0..100).map(|number| number.to_string().repeat(1 + number % 7));
        let all: Vec<String> = envelopes(records().map(|record| format!("\"{record}\"")), 60).collect();
        assert!(
            all.iter().all(|envelope| envelope.len() <= 60)
                && all.iter().rev().skip(1).all(|envelope| envelope.len() > 45)
        );
        let read: Vec<String> = all
            .iter()
            .flat_map(|envelope| {
                let value: serde_json::Value = serde_json::from_str(envelope).unwrap();
                value["records"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|record| record.as_str().unwrap().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(read.into_iter().eq(records()));
    }

    #[test]
    fn a_record_that_is_too_long_has_an_envelope_of_its_own() {
        let records = ["1", "2222222222222222222222222", "3"].map(str::to_owned).into_iter();
        let all: Vec<String> = envelopes(records, 20).collect();
        assert_eq!(all, [r#"{"records":[1]}"#, r#"{"records":[2222222222222222222222222]}"#, r#"{"records":[3]}"#]);
    }
}
