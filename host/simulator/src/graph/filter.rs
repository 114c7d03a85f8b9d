//! `$filter`: comparisons of the filterable properties, joined by `and`.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::generate::enums;
use crate::time::{self, Ticks};

/// What is listed.
pub(super) trait Entity {
    /// `createdDateTime`.
    fn created(&self) -> Ticks;
    /// `lastUpdateDateTime`.
    fn updated(&self) -> Ticks;
    /// Whether it becomes visible late.
    fn late(&self) -> bool;
    /// A text that can be filtered by.
    fn text(&self, property: Text) -> Option<Cow<'_, str>>;
}

/// Which entities are listed, and so what can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Resource {
    /// Alerts, by their incident too.
    Alerts {
        by_incident: bool,
    },
    Incidents,
}

impl Resource {
    /// The type that messages name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alerts { .. } => "microsoft.graph.security.alert",
            Self::Incidents => "microsoft.graph.security.incident",
        }
    }
}

/// Comparisons that all have to hold.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filter(Vec<Term>);

#[derive(Debug, PartialEq)]
enum Term {
    Time(Time, Operator, Ticks),
    /// `eq` or, the other way, `ne`; a value or null.
    Text(Text, bool, Option<String>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Time {
    Created,
    Updated,
}

/// A text that can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Text {
    AssignedTo,
    Classification,
    Determination,
    IncidentId,
    ServiceSource,
    Severity,
    Status,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Reads a filter; the error says what is wrong with it.
    pub(super) fn parse(text: &str, resource: Resource) -> Result<Self, String> {
        let words = words(text)?;
        let mut terms = Vec::new();
        for (position, chunk) in words.chunks(4).enumerate() {
            let last = (position + 1) * 4 > words.len();
            match chunk {
                [property, operator, value] if last => terms.push(term(resource, property, operator, value)?),
                [property, operator, value, "and"] if !last && words.len() > (position + 1) * 4 => {
                    terms.push(term(resource, property, operator, value)?);
                }
                _ => return Err(syntax(text)),
            }
        }
        if terms.is_empty() { Err(syntax(text)) } else { Ok(Self(terms)) }
    }

    /// Whether an entity passes.
    pub(super) fn holds(&self, entity: &impl Entity) -> bool {
        self.0.iter().all(|term| match term {
            Term::Time(property, operator, value) => {
                let own = match property {
                    Time::Created => entity.created(),
                    Time::Updated => entity.updated(),
                };
                operator.holds(own.cmp(value))
            }
            Term::Text(property, equal, value) => (entity.text(*property).as_deref() == value.as_deref()) == *equal,
        })
    }
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            _ => return None,
        })
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

fn syntax(text: &str) -> String {
    format!("Invalid filter clause: '{text}'. Only comparisons joined by 'and' are supported.")
}

/// Words, and texts in single quotes with these quotes.
fn words(text: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut quoted = false;
        let end = rest.find(|character: char| {
            quoted ^= character == '\'';
            !quoted && character.is_whitespace()
        });
        if end.is_none() && quoted {
            return Err(format!("There is an unterminated string literal in '{text}'."));
        }
        let (word, tail) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word);
        rest = tail.trim_start();
    }
    Ok(words)
}

fn term(resource: Resource, property: &str, operator: &str, value: &str) -> Result<Term, String> {
    let comparison = Operator::parse(operator).ok_or_else(|| format!("Syntax error: '{operator}' is no operator."))?;
    let time = match property {
        "createdDateTime" => Some(Time::Created),
        "lastUpdateDateTime" => Some(Time::Updated),
        _ => None,
    };
    if let Some(time) = time {
        let ticks = time::parse(value).ok_or_else(|| incompatible(property, value))?;
        return Ok(Term::Time(time, comparison, ticks));
    }
    let (text, members): (_, &[&str]) = match property {
        "assignedTo" => (Text::AssignedTo, &[]),
        "classification" => (Text::Classification, &enums::CLASSIFICATIONS),
        "determination" => (Text::Determination, &enums::DETERMINATIONS),
        "severity" => (Text::Severity, &enums::SEVERITIES),
        "status" if resource == Resource::Incidents => (Text::Status, &enums::INCIDENT_STATUSES),
        "status" => (Text::Status, &enums::STATUSES),
        "serviceSource" if resource != Resource::Incidents => (Text::ServiceSource, &enums::SERVICES),
        "incidentId" if resource == (Resource::Alerts { by_incident: true }) => (Text::IncidentId, &[]),
        _ => return Err(format!("Could not find a property named '{property}' on type '{}'.", resource.name())),
    };
    let equal = match comparison {
        Operator::Equal => true,
        Operator::NotEqual => false,
        _ => return Err(incompatible(property, value)),
    };
    if value == "null" {
        return Ok(Term::Text(text, equal, None));
    }
    let value = value
        .strip_prefix('\'')
        .and_then(|value| value.strip_suffix('\''))
        .ok_or_else(|| incompatible(property, value))?
        .replace("''", "'");
    if !members.is_empty() && !members.contains(&value.as_str()) {
        return Err(format!("The string '{value}' is not a valid enumeration type constant of '{property}'."));
    }
    Ok(Term::Text(text, equal, Some(value)))
}

fn incompatible(property: &str, value: &str) -> String {
    format!("A binary operator with incompatible types was detected: '{property}' and {value}.")
}

#[cfg(test)]
mod tests {
    use super::super::alerts::Alert;
    use super::*;
    use crate::generate::{Corpus, Outline};
    use crate::options::AlertOptions;

    const ALERTS: Resource = Resource::Alerts { by_incident: true };

    fn options() -> AlertOptions {
        let now = Some("2025-03-04T05:06:07Z".parse().unwrap());
        AlertOptions { count: 500, now, ..AlertOptions::default() }
    }

    fn alerts() -> Vec<Outline> {
        Corpus::new(&options(), "tenant").outlines().to_vec()
    }

    fn passing(filter: &str) -> Vec<usize> {
        let (filter, options) = (Filter::parse(filter, ALERTS).unwrap(), options());
        let holds = |outline: &&Outline| filter.holds(&Alert { outline, options: &options });
        alerts().iter().filter(holds).map(|alert| alert.index).collect()
    }

    #[test]
    fn alerts_of_an_incident_follow_each_other() {
        assert_eq!(passing("incidentId eq '4002'"), [6, 7, 8]);
        let refused = Filter::parse("incidentId eq '4002'", Resource::Alerts { by_incident: false }).unwrap_err();
        assert!(refused.contains("Could not find a property named 'incidentId'"), "{refused}");
        assert!(Filter::parse("serviceSource eq 'microsoftSentinel'", Resource::Incidents).is_err());
        assert!(Filter::parse("status eq 'redirected'", Resource::Incidents).is_ok());
    }

    #[test]
    fn times_compare_to_the_tick() {
        let middle = &alerts()[250];
        let at = |operator: &str| passing(&format!("lastUpdateDateTime {operator} {}", time::text(middle.updated)));
        assert_eq!(at("eq"), [250]);
        let mut all = at("lt");
        all.extend(at("ge"));
        assert_eq!(all, (0..500).collect::<Vec<_>>());
        assert_eq!(at("le").len(), at("lt").len() + 1);
        assert_eq!(at("gt").len(), at("ge").len() - 1);
        assert_eq!(at("ne").len(), 499);
    }

    #[test]
    fn members_and_their_negations_divide_the_alerts() {
        let mut all: Vec<usize> = ["new", "inProgress", "resolved"]
            .iter()
            .flat_map(|status| passing(&format!("status eq '{status}'")))
            .chain(passing("status ne 'new' and status ne 'inProgress' and status ne 'resolved'"))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
        let assigned = passing("assignedTo ne null and createdDateTime gt 2001-01-01T00:00:00Z").len();
        assert!(assigned > 0 && assigned + passing("assignedTo eq null").len() == 500);
    }

    #[test]
    fn quoted_text_may_hold_anything() {
        assert_eq!(
            Filter::parse("assignedTo eq 'o''neil and co' and severity ne 'high'", ALERTS),
            Ok(Filter(vec![
                Term::Text(Text::AssignedTo, true, Some("o'neil and co".into())),
                Term::Text(Text::Severity, false, Some("high".into())),
            ]))
        );
    }

    #[test]
    fn what_graph_refuses_is_refused() {
        for (filter, reason) in [
            ("title eq 'x'", "Could not find a property named 'title'"),
            ("severity eq 'worst'", "not a valid enumeration"),
            ("severity eq high", "incompatible"),
            ("severity gt 'low'", "incompatible"),
            ("createdDateTime ge '2024-01-01T00:00:00Z'", "incompatible"),
            ("createdDateTime after 2024-01-01T00:00:00Z", "no operator"),
            ("severity eq 'low' or severity eq 'high'", "joined by 'and'"),
            ("severity eq 'low' and", "joined by 'and'"),
            ("severity eq", "joined by 'and'"),
            ("assignedTo eq 'x", "unterminated"),
            ("", "joined by 'and'"),
        ] {
            let message = Filter::parse(filter, ALERTS).unwrap_err();
            assert!(message.contains(reason), "{filter}: {message}");
        }
    }
}
