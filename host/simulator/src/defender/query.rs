//! The parameters of a query.

use super::error::Error;

/// A query, as pairs of names and values.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query that may have these parameters and no others that begin with `$`: what is not simulated is refused
    /// rather than left out of account.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, Error> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        match pairs.iter().find(|(name, _)| name.starts_with('$') && !known.contains(&&**name)) {
            Some((name, _)) => Err(Error::Query(format!("The query option '{name}' is not allowed."))),
            None => Ok(Self(pairs)),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// A number from one to another.
    pub(super) fn number(&self, name: &str, from: u64, to: u64) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (from..=to).contains(number));
        number.map(Some).ok_or_else(|| {
            Error::Query(format!("Invalid value '{text}' for {name}. It must be a number from {from} to {to}."))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_encoded_or_not_and_limited() {
        let query = Query::parse("%24top=5&sinceTime=2025-01-01T00%3A00%3A00Z", &["$top"]).ok().unwrap();
        assert_eq!(query.number("$top", 1, 5), Ok(Some(5)));
        assert_eq!(query.number("$skip", 0, 5), Ok(None));
        assert!(matches!(query.number("$top", 1, 4), Err(Error::Query(message)) if message.contains("from 1 to 4")));
        assert_eq!(query.text("sinceTime"), Some("2025-01-01T00:00:00Z"));
        assert!(matches!(Query::parse("$orderby=id", &["$top"]), Err(Error::Query(_))));
    }
}
