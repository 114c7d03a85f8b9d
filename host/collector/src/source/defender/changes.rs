//! What changed since the cycle before, and when all findings are read instead.

use chrono::{DateTime, SecondsFormat};
use url::Url;

use super::Error;
use super::cycle::{Collector, RECORDS, Stop, millis};
use crate::checkpoint::unix_millis;
use crate::source::Position;

/// <https://learn.microsoft.com/defender-endpoint/api/get-assessment-software-vulnerabilities>.
const PATH: &str = "/api/machines/SoftwareVulnerabilityChangesByMachine";

/// Records of a page: what the API gives where it is not told. It accepts up to 200,000.
const PAGE: usize = 50_000;
const MAX_PAGE: usize = 200_000;

/// The API keeps changes for 14 days; an hour less, because the time it is asked takes its way.
const KEPT: i64 = (14 * 24 - 1) * HOUR;

/// Changes are made in slots of six hours, and one that is asked for is given whole. What is exported may be as old.
const SLOT: i64 = 6 * HOUR;

/// A cycle begins a little after it is due; a full export is not put forward by a whole cycle for that.
const LATE: i64 = HOUR / 12;

const HOUR: i64 = 3_600_000;
const TICKS_PER_MILLI: Position = 10_000;

impl Collector {
    /// Reads what changed, then all findings if that is due.
    pub(super) async fn changes_or_export(&mut self, start: i64) -> Result<(), Stop> {
        let cursor = self.shared.state().progress.cursor.clone();
        let since = cursor.since.filter(|since| *since >= unix_millis() - KEPT);
        if cursor.since.is_some() && since.is_none() {
            tracing::warn!(
                "the last change that was read is older than what the API keeps: all findings are read again"
            );
        }
        // A sync that was begun follows changes that were read.
        if let (None, Some(since)) = (cursor.sync, since) {
            self.changes(since, cursor.link).await?;
        }
        // The next cycle would be too late for it. A time to come is one of a clock that was wrong.
        let next = start.saturating_add(millis(self.settings.interval));
        let due = |full: i64| full > start || next - full > millis(self.settings.full_interval) + LATE;
        if cursor.sync.is_none() && since.is_some() && !cursor.full.is_none_or(due) {
            self.done(start);
            return self.give(RECORDS, Vec::new(), None).await;
        }
        self.begin(start).await?;
        let generated = self.export().await?;
        if since.is_none() {
            let cursor = &mut self.shared.state().progress.cursor;
            (cursor.since, cursor.link) = (Some(generated.unwrap_or(start).min(start) - SLOT), None);
        }
        self.end(start).await
    }

    /// Reads changes page by page, from a saved link on where there is one.
    async fn changes(&mut self, since: i64, link: Option<String>) -> Result<(), Stop> {
        self.all_mapped().await?;
        self.shared.state().highest = 0;
        // The slot of the newest change is given whole once more, whoever has delivered it since it was made.
        self.sent_since = Some(since - SLOT);
        let mut first = self.service.url(PATH);
        let time = DateTime::from_timestamp_millis(since).unwrap_or_default();
        first
            .query_pairs_mut()
            .append_pair("sinceTime", &time.to_rfc3339_opts(SecondsFormat::Millis, true))
            .append_pair("pageSize", &self.page_size().to_string());
        // It is a foreign one where url is another now.
        let saved = link.and_then(|link| self.service.link("the saved link", &first, &link).ok());
        let (mut url, mut resumed) = match saved {
            Some(link) => (link, true),
            None => (first.clone(), false),
        };
        loop {
            let page = match self.page(&url, RECORDS).await {
                Err(stop) if resumed && stop.status().is_some_and(|status| !matches!(status, 401 | 403 | 429)) => {
                    tracing::info!(
                        "where the list of changes went on is no longer known: it is read from its beginning"
                    );
                    (url, resumed) = (first.clone(), false);
                    continue;
                }
                page => page?,
            };
            self.all_mapped().await?;
            let circle = page.link.as_ref() == Some(&url);
            let link = page.link.filter(|_| !circle);
            self.shared.state().progress.cursor.link = link.as_ref().map(Url::to_string);
            (url, resumed) = match link {
                Some(link) => (link, false),
                None if circle && resumed => (first.clone(), false),
                None if circle => return Err(Error::Circle { path: PATH }.into()),
                None => break,
            };
        }
        let state = &mut *self.shared.state();
        let newest = i64::try_from(std::mem::take(&mut state.highest) / TICKS_PER_MILLI).unwrap_or(0);
        state.progress.cursor.since = Some(newest.clamp(since, unix_millis().max(since)));
        Ok(())
    }

    fn page_size(&self) -> usize {
        if self.settings.batch_size == 0 { PAGE } else { self.settings.batch_size.min(MAX_PAGE) }
    }
}
