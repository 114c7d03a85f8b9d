//! An incident's bytes and where its alerts are in them.

use defenderbeat_mapping::{Identity, Value, hash_bytes};
use defenderbeat_records::{Piece, member, split};

/// The member that holds the alerts.
const ALERTS: &str = "alerts";

/// For a list of alerts and for alerts one a line: objects after one another, or one list of them.
const NO_KEYS: &[&str] = &[];

/// An incident.
#[derive(Clone, Copy)]
pub(crate) struct Incident<'a> {
    /// All of it: a JSON object without white space around it.
    pub(crate) bytes: &'a [u8],
    /// The value of its `alerts`, if it has them.
    alerts: Option<&'a [u8]>,
}

impl<'a> Incident<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, alerts: member(bytes, ALERTS) }
    }

    /// The one alert that it came with, as an object.
    pub(crate) fn single(&self) -> Option<&'a [u8]> {
        self.alerts.filter(|alerts| alerts.starts_with(b"{"))
    }

    /// The elements of its list of alerts, whatever they are; nulls are none.
    pub(crate) fn list(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        pieces(self.alerts_list().unwrap_or_default())
    }

    /// Writes the incident without alerts. What stands in their place and is neither list nor object stays, to be
    /// mapped as an error.
    pub(crate) fn write_alone(&self, out: &mut Vec<u8>) {
        match self.alerts_list().or(self.single()) {
            Some(_) => self.write_with(b"[]", out),
            None => {
                out.clear();
                out.extend_from_slice(self.bytes);
            }
        }
    }

    fn alerts_list(&self) -> Option<&'a [u8]> {
        self.alerts.filter(|alerts| alerts.starts_with(b"["))
    }

    /// All its alerts.
    pub(crate) fn alerts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.single().into_iter().chain(self.list())
    }

    /// Writes the incident with another value of `alerts`; where it has none, at its end.
    pub(crate) fn write_with(&self, alerts: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let place = self.alerts.and_then(|value| {
            let from = value.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
            Some((self.bytes.get(..from)?, self.bytes.get(from + value.len()..)?))
        });
        match place {
            Some((before, after)) => [before, alerts, after].into_iter().for_each(|part| out.extend_from_slice(part)),
            None => {
                let members = self.bytes.strip_suffix(b"}").unwrap_or(self.bytes);
                let comma: &[u8] = if members.trim_ascii_end() == b"{" { b"" } else { b"," };
                let parts = [members, comma, b"\"", ALERTS.as_bytes(), b"\":", alerts, b"}"];
                parts.into_iter().for_each(|part| out.extend_from_slice(part));
            }
        }
    }
}

/// The values that follow each other in text, or the elements of the list that it is; nulls are left out.
pub(crate) fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let pieces = split(text, NO_KEYS, usize::MAX).map(|piece| match piece {
        Piece::Record { bytes, .. } | Piece::Malformed { bytes, .. } | Piece::Oversized { bytes, .. } => bytes,
    });
    pieces.filter(|bytes| *bytes != b"null")
}

/// The alerts of a line behind an incident: the line itself, or those that the same incident has there.
pub(crate) fn of_line(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let incident = Incident::new(line);
    incident.alerts().chain(incident.alerts.is_none().then_some(line))
}

/// Why the alerts of an incident could not be had: the message of a line `{"error":{..}}`, which the host writes in
/// their place.
pub(crate) fn failure(line: &[u8]) -> Option<String> {
    let error = member(line, "error").filter(|error| error.starts_with(b"{"))?;
    if member(line, "id").is_some() {
        return None;
    }
    Some(text(error, "message").unwrap_or_else(|| "the alerts of the incident could not be had".to_owned()))
}

/// The identity of the document of an alert within an incident. Inputs are the identity of the incident as 32
/// hexadecimal digits, and the alert's `id` and `lastUpdateDateTime`; for an alert without an id the hash of its bytes.
pub(crate) fn identity(incident: u128, alert: &[u8]) -> u128 {
    let mut identity = Identity::default();
    identity.add(0, &format!("{incident:032x}"));
    match text(alert, "id") {
        Some(id) => {
            identity.add(1, &id);
            if let Some(updated) = text(alert, "lastUpdateDateTime") {
                identity.add(2, &updated);
            }
        }
        None => identity.add(3, &format!("{:032x}", hash_bytes(alert))),
    }
    identity.finish()
}

/// The text of a scalar member of an object.
fn text(object: &[u8], key: &str) -> Option<String> {
    let json = std::str::from_utf8(member(object, key)?).ok()?;
    Value::from_json(json).text().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn with(incident: &str, alerts: &str) -> String {
        let mut out = b"what was there before".to_vec();
        Incident::new(incident.as_bytes()).write_with(alerts.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_alert_takes_the_place_of_all() {
        assert_eq!(
            with(r#"{"id":"1","alerts": [ {"a":1}, {"b":2} ] ,"z":3}"#, "{}"),
            r#"{"id":"1","alerts": {} ,"z":3}"#
        );
        assert_eq!(with(r#"{"a\u006certs":null}"#, "{}"), r#"{"a\u006certs":{}}"#);
        assert_eq!(with(r#"{"nested":{"alerts":[1]}}"#, "{}"), r#"{"nested":{"alerts":[1]},"alerts":{}}"#);
        assert_eq!(with("{ }", "{}"), r#"{ "alerts":{}}"#);
    }

    #[test]
    fn elements_are_whole_whatever_they_are() {
        let incident = br#"{"alerts":[{"a":"]"},null,1.5,"x,\"]y",[1,[2]],true,{"b":{}}]}"#;
        let elements: Vec<&str> =
            Incident::new(incident).list().map(|element| std::str::from_utf8(element).unwrap()).collect();
        assert_eq!(elements, [r#"{"a":"]"}"#, "1.5", r#""x,\"]y""#, "[1,[2]]", "true", r#"{"b":{}}"#]);
        for none in [r#"{"alerts":{}}"#, r#"{"alerts":"x"}"#, r#"{"alerts":null}"#, "{}"] {
            assert_eq!(Incident::new(none.as_bytes()).list().count(), 0, "{none}");
        }
    }

    /// A change of these values would deliver every document a second time.
    #[test]
    fn the_identity_is_frozen() {
        let of = |alert: &str| format!("{:032x}", identity(7, alert.as_bytes()));
        assert_eq!(
            of(r#"{"id":"a","lastUpdateDateTime":"2021-05-04T15:36:07.4066667Z"}"#),
            "756dbf5648b7706fa0cd473645f9e535"
        );
        assert_eq!(of(r#"{"title":"without an id"}"#), "314210e6aa0ea1217b3389ad1c1a230c");
    }

    #[test]
    fn an_error_is_told_from_an_alert() {
        assert_eq!(failure(br#"{"error":{"code":"500","message":"no \"luck\""}}"#).unwrap(), "no \"luck\"");
        assert!(failure(br#"{"error":{}}"#).is_some());
        assert_eq!(failure(br#"{"id":"1","error":{"message":"x"}}"#), None);
        assert_eq!(failure(br#"{"error":"x"}"#), None);
    }
}
