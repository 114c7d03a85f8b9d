//! `GET /v1.0/security/alerts_v2` and `/v1.0/security/alerts_v2/{id}`.

use std::borrow::Cow;

use super::Call;
use super::error::Error;
use super::filter::{Entity, Resource, Text};
use super::page::{CONTEXT, Page};
use super::query::Query;
use crate::answer::Answer;
use crate::generate::{Outline, incident_of};
use crate::options::AlertOptions;
use crate::time::Ticks;

const PATH: &str = "alerts_v2";

/// An alert in its tenant.
pub(super) struct Alert<'a> {
    pub(super) outline: &'a Outline,
    pub(super) options: &'a AlertOptions,
}

impl Entity for Alert<'_> {
    fn created(&self) -> Ticks {
        self.outline.created
    }

    fn updated(&self) -> Ticks {
        self.outline.updated
    }

    fn late(&self) -> bool {
        self.outline.late
    }

    fn text(&self, property: Text) -> Option<Cow<'_, str>> {
        let alert = self.outline;
        match property {
            Text::AssignedTo => alert.assigned_to(),
            Text::Classification => alert.classification,
            Text::Determination => alert.determination,
            Text::IncidentId => return Some(Cow::Owned(incident_of(alert.index, self.options))),
            Text::ServiceSource => Some(alert.template().service),
            Text::Severity => Some(alert.severity),
            Text::Status => Some(alert.status),
        }
        .map(Cow::Borrowed)
    }
}

/// A page of alerts.
pub(super) fn list(call: &Call<'_>) -> Result<Answer, Error> {
    let options = &call.tenant.options.graph;
    let query = Query::parse(call.query, options, Resource::Alerts { by_incident: !options.no_incident_filter })?;
    let corpus = call.tenant.corpus.clone();
    let all = corpus.outlines().iter().map(|outline| Alert { outline, options: &call.tenant.options.alerts });
    let Page { values, head, tail } = Page::of(call, &query, PATH, all);
    let (records, members) = (values.len(), call.members);
    let page: Vec<Outline> = values.into_iter().map(|alert| *alert.outline).collect();
    let mut first = true;
    let corpus = call.tenant.corpus.clone();
    let values = page.into_iter().map(move |alert| {
        let mut piece = if std::mem::take(&mut first) { Vec::new() } else { vec![b','] };
        corpus.write(&alert, members, &mut piece);
        piece
    });
    call.pieces(records, std::iter::once(head).chain(values).chain(std::iter::once(tail)))
}

/// One alert.
pub(super) fn single(call: &Call<'_>, id: &str) -> Result<Answer, Error> {
    let corpus = &call.tenant.corpus;
    let late = call.tenant.shows_late(call.number);
    let alert = corpus
        .outlines()
        .iter()
        .find(|alert| (late || !alert.late) && corpus.id(alert) == id)
        .ok_or_else(|| Error::NotFound("Alert", id.to_owned()))?;
    let mut piece = format!(r#"{{"@odata.context":"{CONTEXT}{PATH}/$entity","#).into_bytes();
    let start = piece.len();
    corpus.write(alert, call.members, &mut piece);
    // The alert's own brace was written with the context.
    piece.remove(start);
    call.pieces(1, std::iter::once(Vec::new()).chain(std::iter::once(piece)))
}
