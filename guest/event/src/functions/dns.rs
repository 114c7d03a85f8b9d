//! Answers of the domain name system.

use defenderbeat_mapping::{Args, Results, Value};

/// `dns.answers` from the answers and their lifetimes, which lie in two lists.
pub(crate) fn answers<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let (Value::List(answers), Value::List(lifetimes)) = (args.value(0), args.value(1)) else { return };
    if answers.len() != lifetimes.len() {
        results.failure("DNS answers and TTLs have a different length");
        return;
    }
    let pairs = answers.iter().zip(lifetimes).filter_map(|(data, lifetime)| {
        let members: Vec<String> = [("data", data), ("ttl", lifetime)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("\"{name}\":{}", value.to_json()?)))
            .collect();
        (!members.is_empty()).then(|| Value::Json(args.arena().text(&format!("{{{}}}", members.join(",")))))
    });
    results.set(0, Value::List(args.arena().list(&pairs.collect::<Vec<_>>())));
}
