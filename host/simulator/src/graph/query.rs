//! The query options of a list: `$top`, `$skip`, `$skiptoken`, `$filter`, `$orderby`, `$count`.

use super::error::Error;
use super::filter::{Filter, Resource};
use crate::options::GraphOptions;

/// The largest `$top` of incidents.
const MAX_INCIDENTS: usize = 50;

/// A query, checked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Query {
    pub(super) top: Option<usize>,
    pub(super) skip: usize,
    pub(super) token: Option<Token>,
    pub(super) filter: Filter,
    pub(super) order: Option<Order>,
    pub(super) count: bool,
    /// Incidents come with their alerts.
    pub(super) expand: bool,
}

/// Where a chain of linked pages goes on. Alerts that became visible meanwhile are not in it, so that nothing moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) passed: usize,
    pub(super) late: bool,
}

/// By which time records are ordered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) by: Time,
    pub(super) descending: bool,
}

/// A time that orders records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Time {
    Created,
    Updated,
}

impl Query {
    /// Reads a query; the error says what is wrong with it.
    pub(super) fn parse(text: &str, options: &GraphOptions, resource: Resource) -> Result<Self, Error> {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "$top" => {
                    let top = number(&name, &value)?;
                    // Incidents are the one resource that refuses what is too much.
                    if resource == Resource::Incidents && top > MAX_INCIDENTS {
                        let message = format!("The limit of '{MAX_INCIDENTS}' for Top query has been exceeded.");
                        return Err(Error::Query(message));
                    }
                    query.top = Some(top.min(options.max_top));
                }
                "$expand" if resource == Resource::Incidents => {
                    if value != "alerts" {
                        let name = resource.name();
                        return Err(Error::Query(format!(
                            "Could not find a property named '{value}' on type '{name}'."
                        )));
                    }
                    query.expand = true;
                }
                "$skip" => {
                    query.skip = number(&name, &value)?;
                    if query.skip > options.max_skip {
                        let limit = options.max_skip;
                        return Err(Error::Query(format!("The limit of '{limit}' for Skip query has been exceeded.")));
                    }
                }
                "$skiptoken" => query.token = Some(Token::parse(&value)?),
                "$filter" => query.filter = Filter::parse(&value, resource).map_err(Error::Query)?,
                "$orderby" if options.unordered => {
                    return Err(Error::Query("The query option '$orderby' is not allowed.".into()));
                }
                "$orderby" => query.order = Some(Order::parse(&value, resource)?),
                "$count" => {
                    query.count = value
                        .parse()
                        .map_err(|_| Error::Query(format!("Invalid value '{value}' for $count query option found.")))?;
                }
                option if option.starts_with('$') => {
                    return Err(Error::Query(format!("The query option '{option}' is not allowed.")));
                }
                _ => {}
            }
        }
        if query.top == Some(0) {
            return Err(Error::Query("The limit of $top must be at least 1.".into()));
        }
        Ok(query)
    }
}

fn number(name: &str, value: &str) -> Result<usize, Error> {
    value.parse().map_err(|_| {
        Error::Query(format!(
            "Invalid value '{value}' for {name} query option found. It must be a non-negative integer."
        ))
    })
}

impl Token {
    fn parse(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('-').and_then(|(passed, late)| Some((passed.parse().ok()?, late)));
        match parts {
            Some((passed, late @ ("0" | "1"))) => Ok(Self { passed, late: late == "1" }),
            _ => Err(Error::Query("The $skiptoken is not valid.".into())),
        }
    }

    /// As it is in a link.
    pub(super) fn text(self) -> String {
        format!("{}-{}", self.passed, u8::from(self.late))
    }
}

impl Order {
    fn parse(text: &str, resource: Resource) -> Result<Self, Error> {
        let mut words = text.split_whitespace();
        let by = match words.next() {
            Some("createdDateTime") => Time::Created,
            Some("lastUpdateDateTime") => Time::Updated,
            other => {
                let name = other.unwrap_or_default();
                let of = resource.name();
                return Err(Error::Query(format!("Could not find a property named '{name}' on type '{of}'.")));
            }
        };
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(Error::Query(format!("Syntax error in '$orderby': '{text}'."))),
        };
        Ok(Self { by, descending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERTS: Resource = Resource::Alerts { by_incident: true };

    fn refusal(text: &str, options: &GraphOptions) -> String {
        match Query::parse(text, options, ALERTS) {
            Err(Error::Query(message)) => message,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn options_are_read_encoded_or_not() {
        let query = Query::parse(
            "%24top=5000&$skip=500&$orderby=createdDateTime+desc&$count=true",
            &Default::default(),
            ALERTS,
        );
        let order = Some(Order { by: Time::Created, descending: true });
        assert_eq!(query, Ok(Query { top: Some(1000), skip: 500, order, count: true, ..Query::default() }));
    }

    #[test]
    fn what_graph_refuses_is_refused() {
        let options = GraphOptions::default();
        assert!(refusal("$skip=501", &options).contains("limit of '500'"));
        assert!(refusal("$top=-1", &options).contains("$top"));
        assert!(refusal("$orderby=severity", &options).contains("Could not find a property named 'severity'"));
        assert!(refusal("$select=id", &options).contains("$select"));
        assert!(refusal("$skiptoken=x", &options).contains("$skiptoken"));
        let unordered = GraphOptions { unordered: true, ..options };
        assert!(refusal("$orderby=createdDateTime", &unordered).contains("$orderby"));
    }
}
