//! `GET /v1.0/security/incidents` and `/v1.0/security/incidents/{id}`, with `$expand=alerts` as far as the tenant
//! bears it.

use std::borrow::Cow;

use super::Call;
use super::error::Error;
use super::filter::{Entity, Resource, Text};
use super::page::{CONTEXT, Page};
use super::query::Query;
use crate::answer::Answer;
use crate::generate::Incident;
use crate::time::Ticks;

const PATH: &str = "incidents";

impl Entity for &Incident {
    fn created(&self) -> Ticks {
        self.created
    }

    fn updated(&self) -> Ticks {
        self.updated
    }

    fn late(&self) -> bool {
        self.late
    }

    fn text(&self, property: Text) -> Option<Cow<'_, str>> {
        match property {
            Text::AssignedTo => self.assigned_to,
            Text::Classification => self.classification,
            Text::Determination => self.determination,
            Text::Severity => Some(self.severity),
            Text::Status => Some(self.status),
            Text::IncidentId | Text::ServiceSource => None,
        }
        .map(Cow::Borrowed)
    }
}

/// A page of incidents.
pub(super) fn list(call: &Call<'_>) -> Result<Answer, Error> {
    let options = &call.tenant.options.graph;
    let query = Query::parse(call.query, options, Resource::Incidents)?;
    let corpus = call.tenant.corpus.clone();
    let Page { values, head, tail } = Page::of(call, &query, PATH, corpus.incidents().iter());
    let alerts: usize = values.iter().map(|incident| incident.alerts.len()).sum();
    if query.expand && options.max_expanded.is_some_and(|most| alerts > most) {
        return Err(Error::Overloaded);
    }
    let (records, members) = (values.len(), call.members);
    let page: Vec<Incident> = values.into_iter().cloned().collect();
    let corpus = call.tenant.corpus.clone();
    let mut first = true;
    let values = page.into_iter().flat_map(move |incident| {
        let comma = if std::mem::take(&mut first) { Vec::new() } else { vec![b','] };
        std::iter::once(comma).chain(corpus.incident(&incident, query.expand, members))
    });
    call.pieces(records, std::iter::once(head).chain(values).chain(std::iter::once(tail)))
}

/// One incident.
pub(super) fn single(call: &Call<'_>, id: &str) -> Result<Answer, Error> {
    let options = &call.tenant.options.graph;
    let query = Query::parse(call.query, options, Resource::Incidents)?;
    let corpus = &call.tenant.corpus;
    let late = call.tenant.shows_late(call.number);
    let incident = corpus
        .incidents()
        .iter()
        .find(|incident| (late || !incident.late) && incident.id() == id)
        .ok_or_else(|| Error::NotFound("Incident", id.to_owned()))?;
    let most = options.max_expanded_single.or(options.max_expanded);
    if query.expand && most.is_some_and(|most| incident.alerts.len() > most) {
        return Err(Error::Overloaded);
    }
    let head = format!(r#"{{"@odata.context":"{CONTEXT}{PATH}/$entity","#).into_bytes();
    let mut begun = false;
    let pieces = corpus.incident(incident, query.expand, call.members).map(move |mut piece| {
        if !std::mem::replace(&mut begun, true) {
            // The incident's own brace was written with the context.
            piece.remove(0);
        }
        piece
    });
    call.pieces(1, std::iter::once(head).chain(pieces))
}
