//! The three lists whose records are joined, one after the other.

use reqwest::header::HeaderMap;
use tokio::time::sleep;
use url::Url;

use super::Error;
use super::cycle::{Collector, Stop};
use super::patience::Patience;
use super::read::{Prefix, Read};
use crate::source::records::{Form, Records};

/// A list of the API, and where its records go.
struct List {
    feed: &'static str,
    path: &'static str,
    /// The largest `$top` that the API accepts.
    max_top: usize,
}

/// In the order in which the component joins them:
/// <https://learn.microsoft.com/defender-endpoint/api/get-machines>,
/// <https://learn.microsoft.com/defender-endpoint/api/get-all-vulnerabilities>,
/// <https://learn.microsoft.com/defender-endpoint/api/get-all-vulnerabilities-by-machines>.
static LISTS: [List; 3] = [
    List { feed: "machines", path: "/api/machines", max_top: 10_000 },
    List { feed: "vulnerabilities", path: "/api/vulnerabilities", max_top: 8_000 },
    List { feed: "products", path: "/api/vulnerabilities/machinesVulnerabilities", max_top: 10_000 },
];

/// What came of a page.
pub(super) struct Page {
    pub(super) records: Prefix,
    /// Where the list goes on.
    pub(super) link: Option<Url>,
}

impl Collector {
    /// Reads machines, vulnerabilities and findings.
    pub(super) async fn correlated(&mut self) -> Result<(), Stop> {
        for list in &LISTS {
            self.list(list).await?;
        }
        Ok(())
    }

    /// Reads a list: by its links where it has some, else by counting until a page is empty, because a page may be shorter
    /// than it was asked for.
    async fn list(&mut self, list: &'static List) -> Result<(), Stop> {
        let top = self.settings.top(list.max_top);
        let mut url = self.service.url(list.path);
        url.query_pairs_mut().append_pair("$top", &top.to_string());
        let first = url.clone();
        let (mut skip, mut before, mut linked) = (0, None, false);
        loop {
            let page = match self.page(&url, list.feed).await {
                // That is how it says that there are no machines.
                Err(stop) if stop.status() == Some(404) && list.feed == "machines" && !linked => return Ok(()),
                page => page?,
            };
            let records = page.records.records;
            tracing::debug!(path = list.path, records, "page read");
            if records > 0 && before.replace(page.records.digest()) == Some(page.records.digest()) {
                return Err(Error::Circle { path: list.path }.into());
            }
            skip += records;
            match page.link {
                Some(link) => (url, linked) = (link, true),
                None if linked || records == 0 => return Ok(()),
                None => {
                    url = first.clone();
                    url.query_pairs_mut().append_pair("$skip", &skip.to_string());
                }
            }
        }
    }

    /// Reads a page, again where it breaks off.
    pub(super) async fn page(&mut self, url: &Url, feed: &'static str) -> Result<Page, Stop> {
        let settings = self.settings.retry.clone();
        let mut patience = Patience::new(&settings, self.patience());
        let (mut handed_on, mut furthest) = (Prefix::default(), 0);
        loop {
            let body = match self.service.get(url, &HeaderMap::new()).await {
                Ok(body) => body,
                Err(error) => {
                    let wait = if error.is_transient() { patience.outlast(None) } else { None };
                    let Some(wait) = wait else { return Err(error.into()) };
                    tracing::warn!(feed, %error, "a page is asked for again, so that the sync need not begin again");
                    sleep(wait).await;
                    continue;
                }
            };
            let letters = self.dead_letters.clone();
            let records = Records::new(body, Form::Page, feed, self.max_record_size, letters);
            match self.read(records, &mut handed_on, feed).await? {
                Read::Whole(link) => {
                    let link = link.map(|link| self.service.link("@odata.nextLink", url, &link)).transpose()?;
                    return Ok(Page { records: handed_on, link });
                }
                Read::Differs => tracing::info!(feed, "a page has changed since it broke off: all of it is read again"),
                Read::Broken(error) => {
                    if handed_on.records > furthest {
                        furthest = handed_on.records;
                        patience.renew();
                    }
                    let Some(wait) = patience.failed(None) else { return Err(error.into()) };
                    tracing::debug!(feed, %error, handed_on = handed_on.records, "a page is asked for again");
                    sleep(wait).await;
                }
            }
        }
    }
}
