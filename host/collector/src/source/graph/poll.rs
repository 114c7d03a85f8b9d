//! The cycles: which pages are asked for, and in which order.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use super::cursor::Mode;
use super::expand::{Owner, TRIES};
use super::feed::{Expand, Feed};
use super::pace::Pace;
use super::page::Order;
use super::window::{Window, timestamp};
use super::{Error, GraphSettings, Shared, now};
use crate::http::{self, Retry, RetrySettings, Service};
use crate::metrics::Metrics;
use crate::source::records::{Batch, error_record};
use crate::source::{Budget, DeadLetters, Delivery, Position, Start};

/// The largest `$skip` that Graph accepts.
const MAX_SKIP: usize = 500;

/// Why a cycle ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed.
    Failed(Error),
    /// Nobody takes records any more.
    Gone,
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Stop {
    /// Whether less may be had where so much could not.
    fn is_overload(&self) -> bool {
        matches!(self, Self::Failed(Error::Http(error)) if error.is_overload())
    }

    /// Whether Graph says that the request itself is wrong.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed(Error::Http(error)) if error.status() == Some(400))
    }
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) feed: &'static Feed,
    /// What comes with each record.
    pub(super) expand: Option<&'static Expand>,
    /// The record to which all of it belongs.
    pub(super) owner: Option<Owner>,
}

/// The task behind a source.
#[derive(Debug)]
pub(super) struct Poller {
    pub(super) ask: Ask,
    pub(super) pace: Pace,
    pub(super) service: Service,
    pub(super) headers: HeaderMap,
    pub(super) budget: Budget,
    pub(super) max_record_size: usize,
    pub(super) dead_letters: Arc<dyn DeadLetters>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shared: Arc<Shared>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) sequence: u64,
    /// How far our clock is ahead of Graph's.
    pub(super) ahead: Position,
    /// Since when records may have been delivered by an earlier run; until a whole cycle was read.
    pub(super) sent_since: Option<i64>,
    retry: RetrySettings,
    interval: std::time::Duration,
    once: bool,
}

/// Whether all of a window could be fetched.
#[derive(Debug)]
enum Fits {
    /// All of it.
    Whole,
    /// There is more; and the one instant that all records shared, if they did.
    Partly(Option<Position>),
}

/// What came of a page and those that it links to.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) order: Order,
    /// Records of the last page.
    pub(super) records: usize,
    /// Nothing of what was asked for is missing.
    pub(super) complete: bool,
    /// Why it ended too early.
    pub(super) broken: Option<http::Error>,
}

impl Poller {
    pub(super) fn new(
        feed: &'static Feed,
        settings: &GraphSettings,
        start: Start,
        service: Service,
        shared: Arc<Shared>,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        if settings.include_unknown_enum_members {
            let value = HeaderValue::from_static("include-unknown-enum-members");
            headers.insert(HeaderName::from_static("prefer"), value);
        }
        Self {
            ask: Ask { feed, expand: feed.expand.as_ref().filter(|_| settings.include_alerts), owner: None },
            pace: Pace::new(settings.top(feed)),
            service,
            headers,
            budget: start.budget,
            max_record_size: start.max_record_size,
            dead_letters: start.dead_letters,
            metrics: start.metrics,
            shared,
            deliveries,
            sequence: 0,
            ahead: 0,
            sent_since: start.sent_since,
            retry: settings.retry.clone(),
            interval: settings.interval,
            once: start.once,
        }
    }

    /// Runs cycles until nobody takes records any more, or one with `once`.
    pub(super) async fn run(mut self) {
        loop {
            let (began, next) = (now(), Instant::now() + self.interval);
            let result = match self.cycle(next).await {
                Ok(()) => Ok(()),
                Err(Stop::Failed(error)) => Err(error),
                Err(Stop::Gone) => return,
            };
            match &result {
                Ok(()) => {
                    self.shared.state().read = began;
                    self.metrics.cycle_ended();
                }
                Err(error) => self.metrics.cycle_failed(error),
            }
            if self.report(&result).await.is_err() {
                return;
            }
            if result.is_ok() && !self.shared.state().progress.asks_again() {
                // What an earlier run may have delivered is known by now.
                self.sent_since = None;
            }
            if self.once {
                self.shared.state().ended = Some(result);
                return;
            }
            sleep_until(next).await;
        }
    }

    /// Says how a cycle ended: a record for a failure, an empty delivery for progress that no other saves.
    async fn report(&mut self, result: &Result<(), Error>) -> Result<(), Stop> {
        if let Err(error) = result {
            tracing::error!(feed = self.ask.feed.name, %error, "cycle failed; the next one begins at the same place");
            self.deliver_record(failure(error)).await?;
        } else if self.shared.state().progress.is_unsaved() {
            self.deliver(&mut Batch::default()).await?;
        }
        Ok(())
    }

    /// Reads all there is, and what could not be had before.
    async fn cycle(&mut self, next: Instant) -> Result<(), Stop> {
        let again = self.to_ask_again();
        self.all().await?;
        self.ask_again(again, next).await
    }

    async fn all(&mut self) -> Result<(), Stop> {
        let (start, mode) = {
            let state = self.shared.state();
            (state.progress.start(), state.progress.mode())
        };
        if mode == Mode::Ordered {
            let refusal = match self.ordered(start).await {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(stop) if stop.is_refusal() => Some(stop),
                Err(stop) => return Err(stop),
            };
            // Whether it was the order that was refused shows when the same is asked for without.
            return match (self.windows(start).await, refusal) {
                (Err(stop), Some(refusal)) if stop.is_refusal() => Err(refusal),
                (Err(stop), _) => Err(stop),
                (Ok(()), _) => {
                    tracing::info!(
                        feed = self.ask.feed.name,
                        "Graph does not order this feed; it is read in closed windows from now on"
                    );
                    Ok(())
                }
            };
        }
        self.windows(start).await
    }

    /// Reads from a position on in ascending order. False: what came was in another order.
    async fn ordered(&mut self, mut from: Position) -> Result<bool, Stop> {
        let began = now();
        let retry_settings = self.page_retry();
        let mut retry = Retry::new(&retry_settings);
        loop {
            let chain = match self.chain(&self.url(&Window::from(from), true, 0), Some(Mode::Ordered)).await {
                Err(stop) if stop.is_overload() && self.shrink() => {
                    // Pages before the one that was too much count.
                    let order = self.shared.state().order;
                    if !order.descends {
                        from = from.max(order.highest);
                    }
                    continue;
                }
                chain => chain?,
            };
            if chain.order.descends {
                return Ok(false);
            }
            let advanced = chain.order.highest > from;
            if advanced {
                // Records before a break count: it goes on from the last of them.
                from = chain.order.highest;
                retry = Retry::new(&retry_settings);
            }
            if let Some(error) = chain.broken {
                if !advanced {
                    match retry.failed(None) {
                        Some(wait) => sleep(wait).await,
                        None if self.shrink() => retry = Retry::new(&retry_settings),
                        // Something came: the instant may come through in parts.
                        None if chain.records > 0 => {
                            self.whole(Window::between(from, from + 1), Some(Mode::Ordered)).await?;
                            from += 1;
                            retry = Retry::new(&retry_settings);
                        }
                        None => return Err(error.into()),
                    }
                }
                continue;
            }
            self.pace.grow(chain.records);
            if chain.complete && (!advanced || from >= began) {
                // What was updated after the beginning is for the next cycle, or a busy tenant would be asked without
                // end. Otherwise one more page shows that there is no more.
                return Ok(true);
            } else if chain.order.highest == 0 {
                // A full page of records that have no place, such as ones that are too long: what lies behind them is found by
                // time.
                let to = now();
                if from < to {
                    self.whole(Window::between(from, to), Some(Mode::Ordered)).await?;
                }
                return Ok(true);
            } else if !advanced {
                // One instant fills the page.
                self.whole(Window::between(from, from + 1), Some(Mode::Ordered)).await?;
                from += 1;
            }
        }
    }

    /// Reads from a position up to the present, in closed windows.
    async fn windows(&mut self, from: Position) -> Result<(), Stop> {
        let to = now();
        if from < to {
            self.whole(Window::between(from, to), Some(Mode::Windows)).await?;
        }
        Ok(())
    }

    /// Reads everything in a window, in parts that can be fetched. With `mode` the boundary follows, part by part.
    pub(super) async fn whole(&mut self, window: Window, mode: Option<Mode>) -> Result<(), Stop> {
        let reach = |poller: &Self, end: Option<Position>| {
            if let (Some(end), Some(mode)) = (end, mode) {
                poller.reach(end, mode);
            }
        };
        let end = window.end();
        let mut parts = vec![window];
        while let Some(window) = parts.pop() {
            let full = match self.fits(&window).await? {
                Fits::Whole => {
                    reach(self, window.end());
                    continue;
                }
                Fits::Partly(full) => full,
            };
            let Some(divided) = window.split(self.ask.feed, full) else {
                let time = window.start().map(timestamp).unwrap_or_default();
                return Err(Error::Indivisible {
                    feed: self.ask.feed.name,
                    fetched: self.pace.size().unwrap_or(0) + MAX_SKIP,
                    time,
                }
                .into());
            };
            parts.extend(divided.into_iter().rev());
        }
        reach(self, end);
        Ok(())
    }

    /// Reads all there is in one list; false where that does not lead to its end.
    pub(super) async fn fits_all(&mut self) -> Result<bool, Stop> {
        Ok(matches!(self.fits(&Window::all()).await?, Fits::Whole))
    }

    /// Reads a window, or as much of it as can be fetched.
    async fn fits(&mut self, window: &Window) -> Result<Fits, Stop> {
        let retry_settings = self.page_retry();
        let mut retry = Retry::new(&retry_settings);
        let mut skip = 0;
        loop {
            let chain = match self.chain(&self.url(window, false, skip), None).await {
                Err(stop) if stop.is_overload() && self.shrink() => {
                    if !window.is_instant() && !self.pace.is_singly() {
                        return Ok(Fits::Partly(None));
                    }
                    skip = 0;
                    continue;
                }
                chain => chain?,
            };
            if let Some(error) = chain.broken {
                match retry.failed(None) {
                    Some(wait) => sleep(wait).await,
                    // A shorter answer may come through, if anything does.
                    None if chain.records > 0 && window.split(self.ask.feed, None).is_some() => {
                        return Ok(Fits::Partly(None));
                    }
                    None if self.shrink() => (skip, retry) = (0, Retry::new(&retry_settings)),
                    None => return Err(error.into()),
                }
            } else if chain.complete {
                self.pace.grow(chain.records);
                return Ok(Fits::Whole);
            } else if !window.is_instant() || skip == MAX_SKIP {
                self.pace.grow(chain.records);
                return Ok(Fits::Partly(chain.order.instant()));
            } else {
                // Pages overlap by a tenth, because a record that is updated meanwhile leaves the instant and moves the
                // others up.
                skip = (skip + (chain.records - chain.records / 10).max(1)).min(MAX_SKIP);
            }
        }
    }

    /// Reads a page and those that it links to. With `mode` the records ascend, and the boundary follows page by page.
    async fn chain(&mut self, url: &Url, mode: Option<Mode>) -> Result<Chain, Stop> {
        // What a failed cycle left behind must not count as this one's.
        self.all_mapped().await?;
        // All that belongs to one record has its position, however many pages it takes.
        if self.ask.owner.is_none() {
            self.shared.state().order = Order::default();
        }
        if self.pace.is_singly() {
            return self.one_by_one(url, mode).await;
        }
        let mut url = url.clone();
        let mut linked = false;
        loop {
            let page = match self.page(&url).await {
                // A link that is refused only says that there is more, which is asked for by time.
                Err(stop) if linked && stop.is_refusal() => {
                    let order = self.shared.state().order;
                    return Ok(Chain { order, records: 0, complete: false, broken: None });
                }
                page => page?,
            };
            let order = self.shared.state().order;
            if let Some(mode) = mode.filter(|_| !order.descends) {
                self.reach(order.highest, mode);
            }
            let link = page.link.map(|link| self.service.link("@odata.nextLink", &url, &link)).transpose()?;
            match link.filter(|_| page.broken.is_none()) {
                // A record that is updated meanwhile leaves its place and moves the rest up, so counting would miss
                // one. It is asked for by time instead.
                Some(link) if counts(&link) => {
                    return Ok(Chain { order, records: page.records, complete: false, broken: None });
                }
                Some(link) => (url, linked) = (link, true),
                None => {
                    let complete =
                        page.broken.is_none() && (linked || self.pace.size().is_none_or(|size| page.records < size));
                    return Ok(Chain { order, records: page.records, complete, broken: page.broken });
                }
            }
        }
    }

    /// Everything below a position was read. The present is the limit, by the slower of both clocks: a boundary in the
    /// future would hide what comes.
    pub(super) fn reach(&self, position: Position, mode: Mode) {
        let present = now().saturating_sub(self.ahead);
        self.shared.state().progress.reach(self.sequence, position.min(present), mode);
    }

    /// Tries of the next request. Where less can be asked for, patience only costs time.
    pub(super) fn tries(&self) -> u32 {
        if self.ask.expand.is_some() && !self.pace.is_singly() { TRIES } else { u32::MAX }
    }

    /// How often a page that breaks off is asked for again.
    fn page_retry(&self) -> RetrySettings {
        let mut retry = self.retry.clone();
        if self.tries() == TRIES {
            retry.max_attempts = retry.max_attempts.min(TRIES);
        }
        retry
    }

    fn url(&self, window: &Window, ordered: bool, skip: usize) -> Url {
        let mut url = self.service.url(self.ask.feed.path);
        let owner = self.ask.owner.as_ref().map(|owner| owner.filter.clone());
        let terms = [Some(window.filter(self.ask.feed)).filter(|terms| !terms.is_empty()), owner];
        {
            let mut query = url.query_pairs_mut();
            if let Some(size) = self.pace.size() {
                query.append_pair("$top", &size.to_string());
            }
            query.append_pair("$filter", &terms.into_iter().flatten().collect::<Vec<_>>().join(" and "));
            if let Some(expand) = self.ask.expand.filter(|_| !self.pace.is_singly()) {
                query.append_pair("$expand", expand.property);
            }
            if ordered {
                query.append_pair("$orderby", &format!("{} asc", self.ask.feed.updated));
            }
            if skip > 0 {
                query.append_pair("$skip", &skip.to_string());
            }
        }
        url
    }
}

/// Whether a link goes on by counting records.
fn counts(link: &Url) -> bool {
    link.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("$skip"))
}

/// The record that says how a cycle failed.
fn failure(error: &Error) -> Bytes {
    let (code, id) = match error {
        Error::Http(error) => (error.code(), error.id()),
        Error::Cursor(_) => ("cursor".into(), None),
        Error::Stopped => ("stopped".into(), None),
        Error::DeadLetter(_) => ("dead_letter".into(), None),
        Error::Indivisible { .. } => ("indivisible".into(), None),
    };
    error_record(&code, id, &error.to_string())
}
