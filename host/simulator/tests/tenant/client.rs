//! A client that asks for what it is told to.

use std::collections::BTreeSet;

use defenderbeat_simulator::{Expected, Options, Simulator};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

pub(crate) const GRAPH: &str = "https://graph.microsoft.com/.default";
pub(crate) const DEFENDER: &str = "https://api.securitycenter.microsoft.com/.default";

/// A running tenant and somebody with a token.
pub(crate) struct Visitor {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
    pub(crate) token: String,
}

/// No proxy of the environment, no compression unless asked for by header.
pub(crate) fn client() -> Client {
    // Without TLS it is never used, but the client wants one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().no_gzip().build().unwrap()
}

impl Visitor {
    pub(crate) async fn new(options: Options) -> Self {
        let mut visitor =
            Self { simulator: Simulator::start(options).await.unwrap(), client: client(), token: String::new() };
        visitor.renew().await;
        visitor
    }

    /// Somebody with a token for the Defender for Endpoint API.
    pub(crate) async fn of_defender(options: Options) -> Self {
        let mut visitor = Self::new(options).await;
        visitor.renew_for(DEFENDER).await;
        visitor
    }

    pub(crate) async fn renew(&mut self) {
        self.renew_for(GRAPH).await;
    }

    pub(crate) async fn renew_for(&mut self, scope: &str) {
        let answer = self.ask_for_token(&[("scope", scope)]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        self.token = body(answer).await["access_token"].as_str().unwrap().to_owned();
    }

    /// Asks for a token, with some fields of the form changed; an empty value leaves the field out.
    pub(crate) async fn ask_for_token(&self, changes: &[(&str, &str)]) -> Response {
        let access = &self.simulator.options().access;
        let tenant = changes.iter().find(|(name, _)| *name == "tenant").map_or(&*access.tenant_id, |(_, value)| value);
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("grant_type", "client_credentials"),
            ("client_id", &*access.client_id),
            ("client_secret", &*access.client_secret),
            ("scope", GRAPH),
        ] {
            let value = changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
            if !value.is_empty() {
                form.append_pair(name, value);
            }
        }
        for (name, value) in changes.iter().filter(|(name, _)| name.starts_with("client_assertion")) {
            form.append_pair(name, value);
        }
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.simulator.url());
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.finish()).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.simulator.url()) };
        self.client.get(url).bearer_auth(&self.token).send().await.unwrap()
    }

    /// A page of alerts, whole.
    pub(crate) async fn page(&self, query: &str) -> Value {
        let answer = self.get(&format!("/v1.0/security/alerts_v2?{query}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{query}");
        body(answer).await
    }

    /// What `get` says of an error: status, code, message.
    pub(crate) async fn refusal(&self, path: &str) -> (u16, String, String) {
        let answer = self.get(path).await;
        let status = answer.status().as_u16();
        let error = &body(answer).await["error"];
        assert!(error["innerError"]["request-id"].is_string(), "{error}");
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (status, text("code"), text("message"))
    }
}

pub(crate) async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

pub(crate) fn alerts(page: &Value) -> &[Value] {
    page["value"].as_array().unwrap()
}

/// A property of all alerts of a page.
pub(crate) fn texts(page: &Value, name: &str) -> Vec<String> {
    alerts(page).iter().map(|alert| alert[name].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn identities(pages: &[Value]) -> BTreeSet<Expected> {
    let of = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
    let alerts = pages.iter().flat_map(alerts);
    alerts
        .map(|alert| Expected { id: of(alert, "id"), last_update_date_time: of(alert, "lastUpdateDateTime") })
        .collect()
}
