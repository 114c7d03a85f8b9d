//! A stand-in for servers: answers as Elasticsearch 8.19 was seen to answer, or as it is documented where the distribution for tests
//! lacks what is asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::setup::server::{Answer, Server};

/// A server that keeps what it is given.
#[derive(Default)]
pub(super) struct Fake {
    /// What is there, by path.
    pub(super) content: RefCell<BTreeMap<String, Json>>,
    /// Requests that change something.
    pub(super) writes: RefCell<Vec<String>>,
    /// Words that a simulated template must not have.
    pub(super) unknown: BTreeSet<&'static str>,
    /// APIs that are not there, by the beginning of their path.
    pub(super) absent: BTreeSet<&'static str>,
    /// Ends of paths that are refused.
    pub(super) refused: BTreeSet<&'static str>,
    /// The status of everything.
    pub(super) refuses: Option<u16>,
}

impl Fake {
    fn answer(&self, method: &Method, path: &str, body: Option<&Json>) -> (u16, Json) {
        if let Some(status) = self.refuses {
            return (status, json!({ "error": { "type": "security_exception", "reason": "action is unauthorized" } }));
        }
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        if self.absent.iter().any(|absent| path.starts_with(absent)) {
            return (405, json!({ "error": format!("Incorrect HTTP method for uri [/{path}]"), "status": 405 }));
        }
        if self.refused.iter().any(|refused| path.ends_with(refused)) {
            return (403, json!({ "error": { "type": "security_exception", "reason": "action is unauthorized" } }));
        }
        match (method.as_str(), path) {
            ("POST", "_index_template/_simulate") => {
                let text = body.unwrap().to_string();
                let known = self.unknown.iter().all(|word| !text.contains(&format!("\"{word}\"")));
                (if known { 200 } else { 400 }, json!({}))
            }
            ("POST", path) if path.starts_with("_index_template/_simulate_index/") => {
                let own = json!({ "managed_by": "defenderbeat" });
                let (_, stream) = path.rsplit_once('/').unwrap();
                let (template, _) = stream.rsplit_once('-').unwrap();
                let settings = format!("_component_template/{template}@defenderbeat-settings");
                let content = self.content.borrow();
                let lifecycle = content.get(&settings).map_or(Json::Null, |body| body["template"]["lifecycle"].clone());
                (200, json!({ "template": { "mappings": { "_meta": own }, "lifecycle": lifecycle } }))
            }
            ("POST", "_ingest/pipeline/_simulate") | ("GET", "_ilm/status" | "_transform") => (200, json!({})),
            ("GET", "_transform/_all") => {
                let content = self.content.borrow();
                let all = content.iter().filter(|(path, _)| path.starts_with("_transform/"));
                (200, json!({ "transforms": all.map(|(_, body)| body.clone()).collect::<Json>() }))
            }
            ("GET", path) => match self.content.borrow().get(path) {
                Some(body) => (200, shown(path, body)),
                None => (404, json!({ "error": { "reason": "not found" } })),
            },
            ("PUT", path) if path.ends_with("/_lifecycle") => {
                let (stream, _) = path.rsplit_once('/').unwrap();
                self.writes.borrow_mut().push(format!("PUT {path}"));
                self.content.borrow_mut().get_mut(stream).unwrap()["lifecycle"] = body.unwrap().clone();
                (200, json!({ "acknowledged": true }))
            }
            ("PUT", path) => {
                let mut body = body.unwrap().clone();
                if let Some(id) = path.strip_prefix("_transform/") {
                    body["id"] = id.into();
                    // As it is spelt in answers.
                    body["sync"]["time"]["delay"] = "900000ms".into();
                }
                self.writes.borrow_mut().push(format!("PUT {path}"));
                self.content.borrow_mut().insert(path.to_owned(), body);
                (200, json!({ "acknowledged": true }))
            }
            (method, path) => {
                self.writes.borrow_mut().push(format!("{method} {path}"));
                if method == "DELETE" {
                    self.content.borrow_mut().remove(path);
                }
                (200, json!({ "acknowledged": true }))
            }
        }
    }
}

/// In the form in which servers give it back.
fn shown(path: &str, body: &Json) -> Json {
    let (kind, name) = path.rsplit_once('/').unwrap();
    let mut body = body.clone();
    if let Some(settings) = body.pointer_mut("/template/settings/index") {
        settings["codec"] = "best_compression".into();
        let limit = &mut settings["mapping"]["total_fields"]["limit"];
        *limit = limit.to_string().into();
        for flag in ["/mapping/ignore_malformed", "/mapping/total_fields/ignore_dynamic_beyond_limit"] {
            if let Some(flag) = settings.pointer_mut(flag) {
                *flag = flag.to_string().into();
            }
        }
    }
    match kind {
        "_component_template" => json!({ "component_templates": [{ "name": name, "component_template": body }] }),
        "_index_template" => json!({ "index_templates": [{ "name": name, "index_template": body }] }),
        "_transform" => json!({ "count": 1, "transforms": [body] }),
        "_data_stream" => {
            if let Some(lifecycle) = body.get_mut("lifecycle") {
                lifecycle["retention_determined_by"] = "data_stream_configuration".into();
            }
            json!({ "data_streams": [body] })
        }
        "_ilm/policy" => json!({ name: { "version": 1, "policy": body["policy"], "in_use_by": {} } }),
        _ => json!({ name: body }),
    }
}

impl Server for Fake {
    async fn call(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Answer> {
        let (status, body) = self.answer(&method, path, body);
        Ok(Answer { status, body })
    }
}
