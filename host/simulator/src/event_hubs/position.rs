//! Where a receiver begins: the selector filter of its source.

use fe2o3_amqp::types::messaging::Source;
use fe2o3_amqp::types::primitives::Value;

use super::refusal::Refusal;

/// The name of the filter.
const FILTER: &str = "apache.org:selector-filter:string";

/// Where a receiver begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// With the first message.
    Earliest,
    /// With the first that comes from now on.
    Latest,
    /// With the first message whose offset is at least this.
    Offset(i64),
    /// With the first message whose sequence number is at least this.
    Sequence(i64),
    /// With the first message enqueued at this time or later, in milliseconds since 1970.
    Enqueued(i64),
}

impl Position {
    /// Without a filter, a receiver begins with the first message.
    pub(super) fn of(source: &Source) -> Result<Self, Refusal> {
        let filters = source.filter.iter().flat_map(|filters| filters.iter());
        match filters.into_iter().find(|(name, _)| name.as_str() == FILTER) {
            Some((_, filter)) => {
                let text = match filter {
                    Value::Described(described) => &described.value,
                    other => other,
                };
                match text {
                    Value::String(text) => Self::parse(text),
                    _ => Err(Refusal::invalid(format!("The filter '{FILTER}' is no text."))),
                }
            }
            None => Ok(Self::Earliest),
        }
    }

    fn parse(expression: &str) -> Result<Self, Refusal> {
        let refuse = || Refusal::invalid(format!("The filter expression '{expression}' is not understood."));
        let (name, rest) = expression.trim().split_once('>').ok_or_else(refuse)?;
        let (inclusive, value) = rest.strip_prefix('=').map_or((false, rest), |rest| (true, rest));
        let value = value.trim().trim_matches('\'');
        // A position after a value is a position at the next one.
        let number = || value.parse::<i64>().map(|number| number.saturating_add(i64::from(!inclusive)));
        match (name.trim(), value) {
            ("amqp.annotation.x-opt-offset", "-1") => Ok(Self::Earliest),
            ("amqp.annotation.x-opt-offset", "@latest") => Ok(Self::Latest),
            ("amqp.annotation.x-opt-offset", _) => number().map(Self::Offset).map_err(|_| refuse()),
            ("amqp.annotation.x-opt-sequence-number", _) => number().map(Self::Sequence).map_err(|_| refuse()),
            ("amqp.annotation.x-opt-enqueued-time", _) => number().map(Self::Enqueued).map_err(|_| refuse()),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_all_clients_are_understood() {
        for (expression, position) in [
            ("amqp.annotation.x-opt-offset > '-1'", Position::Earliest),
            ("amqp.annotation.x-opt-offset > '@latest'", Position::Latest),
            ("amqp.annotation.x-opt-offset >'4000'", Position::Offset(4001)),
            ("amqp.annotation.x-opt-offset >= '4000'", Position::Offset(4000)),
            ("amqp.annotation.x-opt-sequence-number > '7'", Position::Sequence(8)),
            ("amqp.annotation.x-opt-sequence-number >= 7", Position::Sequence(7)),
            ("amqp.annotation.x-opt-enqueued-time > '1700000000000'", Position::Enqueued(1_700_000_000_001)),
        ] {
            assert_eq!(Position::parse(expression), Ok(position), "{expression}");
        }
        for wrong in ["", "x > '1'", "amqp.annotation.x-opt-offset < '1'", "amqp.annotation.x-opt-offset > 'now'"] {
            assert_eq!(Position::parse(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
