//! The nodes: which one is asked next, and which one rests.

use std::sync::atomic::{AtomicUsize, Ordering};

use url::Url;

use crate::http::{Client, Error, RetrySettings, origin};
use crate::output::rest::{Rest, awake};

use super::ElasticsearchSettings;

/// The nodes in the order of the settings.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    turn: AtomicUsize,
    rest: RetrySettings,
}

/// One node.
#[derive(Debug)]
pub(super) struct Host {
    url: Url,
    client: Client,
    rest: Rest,
}

impl Hosts {
    /// Prepares connections to all nodes; opens none.
    pub(super) fn new(settings: &ElasticsearchSettings) -> Result<Self, Error> {
        let http = settings.http();
        let mut hosts = Vec::new();
        for url in settings.addresses()? {
            let client = Client::new(&http, &url)?;
            hosts.push(Host { url, client, rest: Rest::default() });
        }
        Ok(Self { hosts, turn: AtomicUsize::new(0), rest: settings.retry() })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// The nodes to try for one request, one after the other: those that do not rest, each time beginning with another one;
    /// where all rest, the one that has rested longest.
    pub(super) fn candidates(&self) -> Vec<&Host> {
        awake(&self.hosts, self.turn.fetch_add(1, Ordering::Relaxed), |host| &host.rest)
    }

    /// Lets a node rest, the longer the more often it failed in a row.
    pub(super) fn failed(&self, host: &Host, why: &dyn std::fmt::Display) {
        let rest_ms = host.rest.failed(&self.rest).as_millis() as u64;
        if self.hosts.len() > 1 {
            tracing::warn!(host = host.name(), rest_ms, %why, "output.elasticsearch: a host failed and rests; the others are asked");
        }
    }

    /// Notes that a node answers.
    pub(super) fn answered(&self, host: &Host) {
        if host.rest.answered() && self.hosts.len() > 1 {
            tracing::info!(host = host.name(), "output.elasticsearch: a host that had failed answers again");
        }
    }
}

impl Host {
    /// Scheme, host and port.
    pub(super) fn name(&self) -> String {
        origin(&self.url)
    }

    /// The address of a path, which may have a query, below the node's own.
    pub(super) fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    /// Connections to it.
    pub(super) fn client(&self) -> &reqwest::Client {
        self.client.inner()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::output::Backoff;

    fn hosts(count: usize) -> Hosts {
        let backoff = Backoff { init: Duration::from_secs(4), max: Duration::from_secs(60) };
        let hosts = (1..=count).map(|number| format!("http://127.0.0.{number}/es/")).collect();
        Hosts::new(&ElasticsearchSettings { hosts, backoff, ..Default::default() }).unwrap()
    }

    fn asked(hosts: &Hosts) -> Vec<String> {
        let name =
            |host: &&Host| host.name().trim_start_matches("http://127.0.0.").trim_end_matches(":9200").to_owned();
        hosts.candidates().iter().map(name).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_take_turns_and_one_that_failed_rests_and_returns() {
        let hosts = hosts(3);
        assert_eq!(asked(&hosts), ["1", "2", "3"]);
        assert_eq!(asked(&hosts), ["2", "3", "1"]);
        hosts.failed(&hosts.hosts[2], &"down");
        assert_eq!(asked(&hosts), ["1", "2"]);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(asked(&hosts), ["1", "2", "3"]);
        // The second failure in a row: at least 4 of 8 seconds.
        hosts.failed(&hosts.hosts[2], &"down");
        tokio::time::advance(Duration::from_millis(3_900)).await;
        assert_eq!(asked(&hosts), ["2", "1"]);
        hosts.answered(&hosts.hosts[2]);
        assert_eq!(asked(&hosts), ["3", "1", "2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_rest_the_one_that_is_back_first_is_asked() {
        let hosts = hosts(2);
        hosts.failed(&hosts.hosts[1], &"down");
        tokio::time::advance(Duration::from_millis(1_900)).await;
        hosts.failed(&hosts.hosts[0], &"down");
        hosts.failed(&hosts.hosts[0], &"down");
        assert_eq!(asked(&hosts), ["2"]);
    }

    #[test]
    fn paths_are_below_the_path_of_the_host() {
        let hosts = hosts(1);
        assert_eq!(hosts.hosts[0].url("/_bulk?timeout=1s").as_str(), "http://127.0.0.1:9200/es/_bulk?timeout=1s");
    }
}
