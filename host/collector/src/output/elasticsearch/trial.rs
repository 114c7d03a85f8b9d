//! `test output`: each node in turn, from its name to what the account may do there.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::http::is_loopback;
use crate::output::dial;
use crate::output::trial::{Trial, Verdict};

use super::look_up::segment;
use super::{Client, ElasticsearchSettings};

/// Privileges on each data stream; without the last documents are delivered, but not looked up.
const PRIVILEGES: [&str; 3] = ["auto_configure", "create_doc", "read"];

/// Tries all nodes.
pub(in crate::output) async fn run(
    settings: &ElasticsearchSettings,
    streams: &[String],
    templates: &[(String, String)],
    trial: &mut Trial<'_>,
) {
    for host in &settings.hosts {
        let settings = ElasticsearchSettings { hosts: vec![host.clone()], ..settings.clone() };
        node(&settings, host, streams, templates, trial).await;
    }
}

async fn node(
    settings: &ElasticsearchSettings,
    host: &str,
    streams: &[String],
    templates: &[(String, String)],
    trial: &mut Trial<'_>,
) {
    let url = settings.addresses().map(|urls| urls.into_iter().next());
    let shown = url.as_ref().ok().and_then(Option::as_ref).map_or(host.to_owned(), Url::to_string);
    trial.step(0, format!("elasticsearch: {shown}"), Verdict::Begun);
    let Some(Some(url)) = trial.result(1, "parse url", url.map_err(|error| error.to_string())) else { return };
    if is_proxied(settings, &url) {
        trial.step(1, "connection", Verdict::Told("through a proxy".to_owned()));
    } else {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return };
        let host = host.trim_matches(['[', ']']);
        let Some(stream) = dial::connect(host, port, " and proxy_url", trial).await else { return };
        if url.scheme() == "https" && dial::secure(&settings.ssl, host, stream, trial).await.is_none() {
            return;
        }
    }
    let client = match Client::new(settings) {
        Ok(client) => client,
        Err(error) => return trial.step(1, "talk to server", Verdict::Failed(error.to_string())),
    };
    if authenticate(&client, trial).await {
        privileges(&client, streams, trial).await;
    }
    for (name, version) in templates {
        template(&client, name, version, trial).await;
    }
}

/// Whether requests take another way than a connection of our own would.
fn is_proxied(settings: &ElasticsearchSettings, url: &Url) -> bool {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let by_environment = || !is_loopback(url) && names.iter().any(|name| std::env::var_os(name).is_some());
    !settings.proxy_disable && (settings.proxy_url.is_some() || by_environment())
}

/// Who the server takes us for; says whether there is a user, whose privileges can be asked for.
async fn authenticate(client: &Client, trial: &mut Trial<'_>) -> bool {
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    let reply = match client.call(Method::GET, "/_security/_authenticate", None).await {
        Ok(reply) => reply,
        Err(error) => {
            trial.step(1, "talk to server", Verdict::Failed(error.to_string()));
            return false;
        }
    };
    let verdict = match reply.status {
        200 => match reply.json::<User>() {
            Ok(User { username }) => {
                trial.step(1, "talk to server", Verdict::Fine);
                trial.step(1, "user", Verdict::Told(username));
                return true;
            }
            Err(error) => Verdict::Failed(error.to_string()),
        },
        401 | 403 | 407 | 300..=399 | 500..=599 => Verdict::Failed(reply.refusal().to_string()),
        // A server without security has no such path.
        _ => {
            trial.step(1, "talk to server", Verdict::Fine);
            let what = "the server does not say who asks, so it has no security; privileges are not checked";
            trial.step(1, "authenticate", Verdict::Warning(what.to_owned()));
            return false;
        }
    };
    trial.step(1, "talk to server", verdict);
    false
}

async fn privileges(client: &Client, streams: &[String], trial: &mut Trial<'_>) {
    #[derive(Deserialize)]
    struct Answer {
        index: BTreeMap<String, BTreeMap<String, bool>>,
    }
    trial.step(1, "privileges", Verdict::Begun);
    let asked = json!({ "index": [{ "names": streams, "privileges": PRIVILEGES }] });
    let answer = match client.call(Method::POST, "/_security/user/_has_privileges", Some(&asked)).await {
        Ok(reply) if reply.is_success() => reply.json::<Answer>(),
        Ok(reply) => Err(reply.refused()),
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return trial.step(2, "ask for them", Verdict::Failed(error.to_string())),
    };
    for stream in streams {
        let has = |privilege: &&str| answer.index.get(stream).and_then(|has| has.get(*privilege)) == Some(&true);
        let missing: Vec<&str> = PRIVILEGES.into_iter().filter(|privilege| !has(privilege)).collect();
        let verdict = match missing[..] {
            [] => Verdict::Fine,
            ["read"] => Verdict::Warning(
                "lacks read: documents that may have been delivered before are not looked up, and can be doubled"
                    .to_owned(),
            ),
            _ => Verdict::Failed(format!("lacks {}", missing.join(", "))),
        };
        trial.step(2, stream, verdict);
    }
}

async fn template(client: &Client, name: &str, version: &str, trial: &mut Trial<'_>) {
    #[derive(Deserialize)]
    struct Answer {
        index_templates: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        index_template: Template,
    }
    #[derive(Deserialize)]
    struct Template {
        #[serde(rename = "_meta", default)]
        meta: Meta,
    }
    #[derive(Default, Deserialize)]
    struct Meta {
        version: Option<String>,
    }
    let reply = match client.call(Method::GET, &format!("/_index_template/{}", segment(name)), None).await {
        Ok(reply) => reply,
        Err(error) => return trial.step(1, format!("template {name}"), Verdict::Failed(error.to_string())),
    };
    let installed = match reply.status {
        200 => reply.json::<Answer>().map(|answer| {
            answer.index_templates.into_iter().next().and_then(|named| named.index_template.meta.version)
        }),
        403 => {
            let why = "this account may not read templates (manage_index_templates), so its version is not known";
            return trial.step(1, format!("template {name}"), Verdict::Told(why.to_owned()));
        }
        404 => {
            let what = "is not installed: run `defenderbeat setup`";
            return trial.step(1, format!("template {name}"), Verdict::Failed(what.to_owned()));
        }
        _ => Err(reply.refused()),
    };
    let verdict = match installed {
        Ok(Some(installed)) if installed == version => Verdict::Fine,
        Ok(installed) => {
            let installed = installed.unwrap_or_else(|| "none".to_owned());
            Verdict::Warning(format!(
                "is of version {installed}, this program's is {version}: run `defenderbeat setup`"
            ))
        }
        Err(error) => Verdict::Failed(error.to_string()),
    };
    trial.step(1, format!("template {name}"), verdict);
}
