//! `GET /api/machines/SoftwareVulnerabilityChangesByMachine`.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Call;
use super::error::Error;
use super::query::Query;
use crate::answer::{Answer, continued};
use crate::generate::vulnerability::{Vulnerabilities, VulnerabilityRecords};
use crate::time::{self, DAY, HOUR, Ticks};

/// Changes are produced, and asked for, in slots of this length.
const SLOT: Ticks = 6 * HOUR;
/// How far back they are kept.
const KEPT: Ticks = 14 * DAY;
/// Rows of a page.
const PAGE: u64 = 50_000;
const MAX_PAGE: u64 = 200_000;

/// Changes that came after the start.
#[derive(Debug, Default)]
pub(crate) struct Published(Mutex<Vec<Batch>>);

/// Changes that were found together.
#[derive(Clone, Copy, Debug)]
struct Batch {
    /// How many there were before them.
    first: u64,
    /// How many there are with them.
    end: u64,
    time: Ticks,
}

impl Published {
    /// So many more, found at a time.
    pub(crate) fn add(&self, all: &Vulnerabilities, count: u64, time: Ticks) {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = batches.last().map_or(all.count(VulnerabilityRecords::Changes), |batch| batch.end);
        batches.push(Batch { first, end: first.saturating_add(count), time });
    }

    /// All changes that there are at the moment.
    fn known(&self, all: &Vulnerabilities) -> Known {
        Known { all: all.clone(), batches: self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }
}

/// Changes in the order in which they were found.
struct Known {
    all: Vulnerabilities,
    batches: Vec<Batch>,
}

impl Known {
    fn count(&self) -> u64 {
        self.batches.last().map_or(self.all.count(VulnerabilityRecords::Changes), |batch| batch.end)
    }

    fn time(&self, number: u64) -> Ticks {
        let batch = self.batches.iter().find(|batch| (batch.first..batch.end).contains(&number));
        batch.map_or_else(|| self.all.changed_at(number), |batch| batch.time)
    }

    /// The first that was found at this time or later.
    fn since(&self, time: Ticks) -> u64 {
        let (mut from, mut to) = (0, self.count());
        while from < to {
            let middle = from + (to - from) / 2;
            if self.time(middle) < time { from = middle + 1 } else { to = middle }
        }
        from
    }

    fn write(&self, number: u64, json: &mut Vec<u8>) {
        self.all.write_change(number, self.time(number), json);
    }
}

/// Where a chain of linked pages goes on, and where it ends: what is found meanwhile is not in it.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    from: u64,
    to: u64,
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// A page of changes.
pub(super) fn list(call: &Call<'_>) -> Result<Answer, Error> {
    let query = Query::parse(call.query, &["$top", "$skiptoken"])?;
    let time = query.text("sinceTime").ok_or(Error::Parameter("sinceTime"))?;
    let since = time::parse(time).ok_or_else(|| Error::Query(format!("Invalid value '{time}' for sinceTime.")))?;
    if since < call.tenant.present() - KEPT {
        return Err(Error::Query("sinceTime must not be more than 14 days ago.".into()));
    }
    let top = query.number("$top", 1, MAX_PAGE)?;
    let size = query.number("pageSize", 1, MAX_PAGE)?;
    let known = call.tenant.published.known(&call.tenant.vulnerabilities);
    let token = match query.text("$skiptoken") {
        Some(text) => Token::parse(text).ok_or_else(|| Error::Query("The $skiptoken is not valid.".into()))?,
        None => Token { from: known.since(since.div_euclid(SLOT) * SLOT), to: known.count() },
    };
    let end = token.to.min(known.count());
    let from = token.from.min(end);
    let to = from.saturating_add(top.or(size).unwrap_or(PAGE)).min(end);
    let link =
        (to < end && top.is_none()).then(|| continued(call.query, "$skiptoken", &Token { from: to, to: end }.text()));
    let context = "Collection(microsoft.windowsDefenderATP.api.DeltaAssetVulnerability)";
    Ok(call.page(context, from..to, move |number, json| known.write(number, json), link))
}
