//! `GET /v1.0/security/alerts_v2` and `/v1.0/security/alerts_v2/{id}`.

use std::cmp::Reverse;

use super::Call;
use super::error::Error;
use super::query::{Order, Query, Time, Token, continued};
use crate::answer::Answer;
use crate::generate::Outline;
use crate::options::NextLink;

const CONTEXT: &str = "https://graph.microsoft.com/v1.0/$metadata#security/alerts_v2";

/// A page of alerts.
pub(super) fn list(call: &Call<'_>) -> Result<Answer, Error> {
    let tenant = call.tenant;
    let options = &tenant.options.graph;
    let query = Query::parse(call.query, options)?;
    let late = query.token.map_or_else(|| tenant.shows_late(call.number), |token| token.late);
    let mut alerts: Vec<&Outline> =
        tenant.corpus.outlines().iter().filter(|alert| (late || !alert.late) && query.filter.holds(alert)).collect();
    match query.order {
        Some(Order { by: Time::Created, descending: false }) => alerts.sort_by_key(|alert| alert.created),
        Some(Order { by: Time::Updated, descending: false }) => alerts.sort_by_key(|alert| alert.updated),
        Some(Order { by: Time::Updated, descending: true }) => alerts.sort_by_key(|alert| Reverse(alert.updated)),
        // Newest first is the default.
        Some(Order { by: Time::Created, descending: true }) | None => {
            alerts.sort_by_key(|alert| Reverse(alert.created));
        }
    }
    let total = alerts.len();
    let passed = query.token.map_or(query.skip, |token| token.passed);
    let size = query.top.unwrap_or(options.page_size);
    let page: Vec<Outline> = alerts.into_iter().skip(passed).take(size).copied().collect();
    let next = passed + page.len();

    let mut head = format!(r#"{{"@odata.context":"{CONTEXT}","#);
    if query.count {
        head.push_str(&format!(r#""@odata.count":{total},"#));
    }
    head.push_str(r#""value":["#);
    let link = match options.next_link {
        _ if next >= total => None,
        NextLink::WithoutTop if query.top.is_some() => None,
        NextLink::Skip => Some(continued(call.query, "$skip", &next.to_string())),
        NextLink::WithoutTop | NextLink::Skiptoken => {
            Some(continued(call.query, "$skiptoken", &Token { passed: next, late }.text()))
        }
    };
    let tail = match link {
        None => "]}".to_owned(),
        Some(link) => {
            let link = serde_json::Value::from(format!("{}/v1.0/security/alerts_v2?{link}", tenant.url));
            format!(r#"],"@odata.nextLink":{link}}}"#)
        }
    };

    let (records, members, corpus) = (page.len(), call.members, tenant.corpus.clone());
    let mut first = true;
    let values = page.into_iter().map(move |alert| {
        let mut piece = if std::mem::take(&mut first) { Vec::new() } else { vec![b','] };
        corpus.write(&alert, members, &mut piece);
        piece
    });
    call.pieces(records, std::iter::once(head.into_bytes()).chain(values).chain(std::iter::once(tail.into_bytes())))
}

/// One alert.
pub(super) fn single(call: &Call<'_>, id: &str) -> Result<Answer, Error> {
    let corpus = &call.tenant.corpus;
    let late = call.tenant.shows_late(call.number);
    let alert = corpus
        .outlines()
        .iter()
        .find(|alert| (late || !alert.late) && corpus.id(alert) == id)
        .ok_or_else(|| Error::NotFound(id.to_owned()))?;
    let mut piece = format!(r#"{{"@odata.context":"{CONTEXT}/$entity","#).into_bytes();
    let start = piece.len();
    corpus.write(alert, call.members, &mut piece);
    // The alert's own brace was written with the context.
    piece.remove(start);
    call.pieces(1, std::iter::once(Vec::new()).chain(std::iter::once(piece)))
}
