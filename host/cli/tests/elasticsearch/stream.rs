//! What the server holds.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::comparison::{Digest, digest};
use crate::server::Server;

/// Documents that are asked for at a time.
const PAGE: usize = 2_000;

/// The data stream of a dataset in a namespace.
pub(crate) fn name(dataset: &str, namespace: &str) -> String {
    format!("logs-m365_defender.{dataset}-{namespace}")
}

/// All documents of a data stream, over all of its backing indices.
#[derive(Default)]
pub(crate) struct Held {
    /// By id; an id that is there twice has both.
    pub(crate) documents: HashMap<u128, Vec<Digest>>,
    /// The starts of the syncs that documents are of.
    pub(crate) sync_starts: Vec<String>,
}

impl Held {
    /// How many documents there are.
    pub(crate) fn count(&self) -> usize {
        self.documents.values().map(Vec::len).sum()
    }
}

impl Server {
    /// How many documents a data stream has; 0 where there is none.
    pub(crate) fn count(&self, stream: &str) -> u64 {
        let refreshed =
            self.runtime.block_on(self.elasticsearch.request(Method::POST, &format!("/{stream}/_refresh"), ""));
        if refreshed.unwrap().status.as_u16() == 404 {
            return 0;
        }
        self.ask(Method::GET, &format!("/{stream}/_count"), "")["count"].as_u64().unwrap()
    }

    /// Begins a new backing index.
    pub(crate) fn roll_over(&self, stream: &str) {
        let said = self.ask(Method::POST, &format!("/{stream}/_rollover"), "");
        assert_eq!(said["rolled_over"], true, "{said}");
    }

    /// One document, as it was sent.
    pub(crate) fn one(&self, stream: &str) -> Value {
        self.ask(Method::POST, &format!("/{stream}/_search?size=1"), "")["hits"]["hits"][0]["_source"].clone()
    }

    /// Reads all of a data stream.
    pub(crate) fn held(&self, stream: &str) -> Held {
        let mut held = Held::default();
        if self.count(stream) == 0 {
            return held;
        }
        let query = json!({"size": PAGE, "sort": ["_doc"]}).to_string();
        let mut page = self.ask(Method::POST, &format!("/{stream}/_search?scroll=5m"), &query);
        loop {
            let hits = page["hits"]["hits"].as_array().unwrap();
            if hits.is_empty() {
                return held;
            }
            for hit in hits {
                let id = u128::from_str_radix(hit["_id"].as_str().unwrap(), 16).unwrap();
                held.documents.entry(id).or_default().push(digest(hit["_source"].clone()));
                let start = &hit["_source"]["m365_defender"]["vulnerability"]["sync"]["start"];
                if let Some(start) = start.as_str()
                    && !held.sync_starts.iter().any(|known| known == start)
                {
                    held.sync_starts.push(start.to_owned());
                }
            }
            let next = json!({"scroll": "5m", "scroll_id": page["_scroll_id"]}).to_string();
            page = self.ask(Method::POST, "/_search/scroll", &next);
        }
    }
}
