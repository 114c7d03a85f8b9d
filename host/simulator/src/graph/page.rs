//! A page of a list: which entities are on it, and what surrounds them.

use std::cmp::Reverse;

use super::Call;
use super::filter::Entity;
use super::query::{Order, Query, Time, Token};
use crate::answer::continued;
use crate::options::NextLink;

/// Where the description of an answer is.
pub(super) const CONTEXT: &str = "https://graph.microsoft.com/v1.0/$metadata#security/";

pub(super) struct Page<E> {
    pub(super) values: Vec<E>,
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
}

impl<E: Entity> Page<E> {
    /// The page of all entities below `/v1.0/security/` that a query asks for.
    pub(super) fn of(call: &Call<'_>, query: &Query, path: &str, all: impl Iterator<Item = E>) -> Self {
        let tenant = call.tenant;
        let options = &tenant.options.graph;
        let late = query.token.map_or_else(|| tenant.shows_late(call.number), |token| token.late);
        let present = tenant.present();
        let is_there = |entity: &E| entity.updated() <= present && (late || !entity.late());
        let mut values: Vec<E> = all.filter(|entity| is_there(entity) && query.filter.holds(entity)).collect();
        match query.order {
            Some(Order { by: Time::Created, descending: false }) => values.sort_by_key(Entity::created),
            Some(Order { by: Time::Updated, descending: false }) => values.sort_by_key(Entity::updated),
            Some(Order { by: Time::Updated, descending: true }) => values.sort_by_key(|one| Reverse(one.updated())),
            // Newest first is the default.
            Some(Order { by: Time::Created, descending: true }) | None => {
                values.sort_by_key(|one| Reverse(one.created()));
            }
        }
        let total = values.len();
        let passed = query.token.map_or(query.skip, |token| token.passed);
        let size = query.top.unwrap_or(options.page_size);
        values.truncate(passed.saturating_add(size));
        values.drain(..passed.min(values.len()));
        let next = passed + values.len();

        let mut head = format!(r#"{{"@odata.context":"{CONTEXT}{path}","#);
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
                let link = serde_json::Value::from(format!("{}/v1.0/security/{path}?{link}", tenant.url));
                format!(r#"],"@odata.nextLink":{link}}}"#)
            }
        };
        Self { values, head: head.into_bytes(), tail: tail.into_bytes() }
    }
}
