//! What has to be done so that the server has the assets, and doing it.

use anyhow::{Result, bail};
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::assets::{Asset, Kind, MANAGED_BY};
use super::latest::ALIAS;
use super::server::{Server, get, send, takes};

/// What choices put into templates, and leave out: so it has to go where it is not chosen any more.
const CHOSEN: [&str; 3] =
    ["/template/lifecycle", "/template/settings/index/lifecycle", "/template/settings/index/final_pipeline"];

/// What becomes of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Create,
    Replace,
    /// It is as it should be.
    Nothing,
    /// The site made it its own.
    Leave,
}

/// An asset, and what becomes of it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) asset: Asset,
    pub(super) change: Change,
}

/// Compares the assets with what the server has. `overwrite`: policies that the site changed too.
///
/// # Errors
///
/// Something of the same name is not ours, so nothing may be written at all; or the server cannot be asked.
pub(super) async fn plan(server: &impl Server, assets: Vec<Asset>, overwrite: bool) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut foreign = Vec::new();
    for asset in assets {
        let existing = get(server, &path(&asset)).await?.and_then(|body| content(&asset, &body).cloned());
        let change = match &existing {
            None => Change::Create,
            Some(existing) => match owner(&asset, existing) {
                Some(MANAGED_BY) => change(&asset, existing, overwrite),
                owner => {
                    let who = owner.map_or_else(|| "has no owner".to_owned(), |owner| format!("is managed by {owner}"));
                    foreign.push(format!("{} {} {who}", asset.kind, asset.name));
                    continue;
                }
            },
        };
        if asset.kind == Kind::Transform {
            foreign.extend(others(server, &asset.name).await?);
        }
        steps.push(Step { asset, change });
    }
    if !foreign.is_empty() {
        bail!(
            "nothing was written, because these are not {MANAGED_BY}'s: {}. Rename or remove what is yours; what Fleet manages \
             goes with its package",
            foreign.join("; ")
        );
    }
    Ok(steps)
}

/// Does what a step says.
pub(super) async fn apply(server: &impl Server, step: &Step) -> Result<()> {
    let Step { asset, change } = step;
    if matches!(change, Change::Nothing | Change::Leave) {
        return Ok(());
    }
    let path = path(asset);
    if asset.kind != Kind::Transform {
        return send(server, Method::PUT, &path, Some(&asset.body)).await;
    }
    if *change == Change::Replace {
        // What a transform does cannot be changed. What it wrote stays.
        send(server, Method::POST, &format!("{path}/_stop?force=true&wait_for_completion=true"), None).await?;
        send(server, Method::DELETE, &path, None).await?;
    }
    // It may read data streams that are not there yet.
    send(server, Method::PUT, &format!("{path}?defer_validation=true"), Some(&asset.body)).await?;
    let started = send(server, Method::POST, &format!("{path}/_start"), None).await;
    if started.is_err() {
        // One that is there counts as done the next time.
        send(server, Method::DELETE, &path, None).await?;
    }
    started
}

fn path(asset: &Asset) -> String {
    format!("{}/{}", asset.kind.path(), asset.name)
}

/// What a server that is asked for an asset says of it, in the form of the request that makes it.
fn content<'a>(asset: &Asset, answer: &'a Json) -> Option<&'a Json> {
    let named =
        |list: &str| answer.get(list)?.as_array()?.iter().find(|one| one.get("name") == Some(&json!(asset.name)));
    match asset.kind {
        Kind::IlmPolicy | Kind::IngestPipeline => answer.get(&asset.name),
        Kind::ComponentTemplate => named("component_templates")?.get("component_template"),
        Kind::IndexTemplate => named("index_templates")?.get("index_template"),
        Kind::Transform => {
            answer.get("transforms")?.as_array()?.iter().find(|one| one.get("id") == Some(&json!(asset.name)))
        }
    }
}

fn meta<'a>(asset: &Asset, content: &'a Json) -> Option<&'a Json> {
    match asset.kind {
        Kind::IlmPolicy => content.get("policy")?.get("_meta"),
        _ => content.get("_meta"),
    }
}

fn owner<'a>(asset: &Asset, content: &'a Json) -> Option<&'a str> {
    meta(asset, content)?.get("managed_by")?.as_str()
}

fn change(asset: &Asset, existing: &Json, overwrite: bool) -> Change {
    let is_same_version = meta(asset, existing) == meta(asset, &asset.body);
    let is_chosen_too = |path: &&str| existing.pointer(path).is_some() == asset.body.pointer(path).is_some();
    match asset.kind {
        // How the server spells times is its own affair; the digest is in `_meta`.
        Kind::Transform if is_same_version => Change::Nothing,
        // How long data stays is the site's decision.
        Kind::IlmPolicy if !is_same_policy(existing, &asset.body) && !overwrite => Change::Leave,
        Kind::IlmPolicy if is_same_policy(existing, &asset.body) && is_same_version => Change::Nothing,
        Kind::IlmPolicy => Change::Replace,
        _ if !is_same_version || !CHOSEN.iter().all(is_chosen_too) => Change::Replace,
        _ if contains(&normal(existing.clone()), &normal(asset.body.clone())) => Change::Nothing,
        _ => Change::Replace,
    }
}

/// Whether a policy does what another does, in the same phases.
fn is_same_policy(found: &Json, own: &Json) -> bool {
    let actions = |policy: &Json| -> Vec<String> {
        let phases = policy.pointer("/policy/phases").and_then(Json::as_object).into_iter().flatten();
        let actions = phases.flat_map(|(phase, body)| {
            let actions = body.get("actions").and_then(Json::as_object).into_iter().flatten();
            actions.map(move |(action, _)| format!("{phase}.{action}"))
        });
        actions.collect()
    };
    let phases = |policy: &Json| policy.pointer("/policy/phases").cloned().unwrap_or_default();
    actions(found) == actions(own) && contains(&phases(found), &phases(own))
}

/// Whether all of `own` is in `found`. Servers add defaults; and what a site added itself stays until there is something to
/// change.
fn contains(found: &Json, own: &Json) -> bool {
    match (found, own) {
        (Json::Object(found), Json::Object(own)) => {
            own.iter().all(|(key, own)| found.get(key).is_some_and(|found| contains(found, own)))
        }
        _ => found == own,
    }
}

/// A template with its settings as servers give them back: all scalars are texts.
fn normal(mut template: Json) -> Json {
    if let Some(settings) = template.pointer_mut("/template/settings") {
        texts(settings);
    }
    template
}

fn texts(settings: &mut Json) {
    match settings {
        Json::Object(members) => members.values_mut().for_each(texts),
        Json::Array(items) => items.iter_mut().for_each(texts),
        Json::Bool(_) | Json::Number(_) => *settings = settings.to_string().into(),
        Json::String(_) | Json::Null => {}
    }
}

/// Transforms of others that write what Kibana reads as the latest vulnerabilities: the alias moves to the index that was made
/// last. The version in the index's name changes with releases of the integration.
async fn others(server: &impl Server, own: &str) -> Result<Vec<String>> {
    let mut others = Vec::new();
    let transforms = get(server, "_transform/_all?size=1000").await?.unwrap_or_default();
    for transform in transforms.get("transforms").and_then(Json::as_array).into_iter().flatten() {
        let index = transform.pointer("/dest/index").and_then(Json::as_str).unwrap_or_default();
        let id = transform.get("id").and_then(Json::as_str).unwrap_or_default();
        let mut aliases = transform.pointer("/dest/aliases").and_then(Json::as_array).into_iter().flatten();
        let is_read = index.strip_prefix(ALIAS).is_some_and(|version| version.starts_with("-v"))
            || aliases.any(|alias| alias.get("alias").and_then(Json::as_str) == Some(ALIAS));
        if is_read && id != own {
            others.push(format!(
                "transform {id} writes {index}, which is to be {ALIAS} too (setup.transform: false leaves it to that one)"
            ));
        }
    }
    Ok(others)
}

/// The template that makes data streams of a name, if it is not ours.
pub(super) async fn is_overruled(server: &impl Server, stream: &str) -> Result<bool> {
    let path = format!("_index_template/_simulate_index/{stream}");
    let answer = server.call(Method::POST, &path, None).await?;
    let owner = answer.body.pointer("/template/mappings/_meta/managed_by").and_then(Json::as_str);
    Ok(answer.status == 200 && owner != Some(MANAGED_BY))
}

/// Whether there is a component template.
pub(super) async fn is_there(server: &impl Server, component: &str) -> Result<bool> {
    takes(server, Method::GET, &format!("_component_template/{component}"), None).await
}
