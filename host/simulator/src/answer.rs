//! What the APIs answer with, and the links from one page to the next.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::stream::{Broken, Manner, Streamed};
use crate::tenant::{Tally, count};

/// What the server sends.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Broken>>;

/// A short answer of JSON.
pub(crate) fn json(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let body = Full::new(text.into()).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    set(&mut answer, CONTENT_TYPE, "application/json; charset=utf-8");
    answer
}

/// Sets a header; a value that cannot be one is left out.
pub(crate) fn set(answer: &mut Answer, name: HeaderName, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        answer.headers_mut().insert(name, value);
    }
}

/// An answer in pieces, a head, records and a tail, that are made while they are sent; broken off after a part, from 0 to
/// 1, of its records where that is asked for.
pub(crate) fn pieces(
    tally: &Tally,
    mut manner: Manner,
    broken: Option<f64>,
    records: u64,
    pieces: impl Iterator<Item = Vec<u8>> + Unpin + Send + 'static,
) -> Answer {
    if let Some(part) = broken {
        count(&tally.broken);
        // The head is the first piece.
        manner.cut_at = Some((part * records as f64) as usize + 1);
    }
    tally.records.fetch_add(records, Ordering::Relaxed);
    let mut answer = Response::new(Streamed::new(pieces, manner).boxed_unsync());
    if manner.gzip {
        set(&mut answer, CONTENT_ENCODING, "gzip");
    }
    answer
}

/// Whether a header with a list of values has this one. Parameters are not looked at.
pub(crate) fn accepts(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted))
}

/// The query of the next page: as it was sent, but for where it goes on.
pub(crate) fn continued(text: &str, name: &str, value: &str) -> String {
    let mut next: String = text
        .split('&')
        .filter(|pair| {
            let names = url::form_urlencoded::parse(pair.as_bytes()).next();
            names.is_some_and(|(name, _)| name != "$skip" && name != "$skiptoken")
        })
        .flat_map(|pair| [pair, "&"])
        .collect();
    next.push_str(name);
    next.push('=');
    next.push_str(value);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_repeats_the_query() {
        let query = "%24top=2&%24filter=status+eq+%27new%27&%24skip=2";
        assert_eq!(continued(query, "$skip", "4"), "%24top=2&%24filter=status+eq+%27new%27&$skip=4");
        assert_eq!(continued("", "$skiptoken", "4-0"), "$skiptoken=4-0");
    }
}
