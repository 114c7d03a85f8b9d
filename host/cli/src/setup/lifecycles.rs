//! Lifecycles of data streams that are there: a data stream takes that of its template only when it is made.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value as Json;

use super::Options;
use super::plan::Change;
use super::server::{Server, get, send};

/// Gives a data stream the lifecycle that its template has. One that has another keeps it unless `overwrite` says otherwise,
/// because how long data stays is the site's decision.
///
/// None: there is no such data stream, or nothing to do.
pub(super) async fn adopt(server: &impl Server, stream: &str, options: &Options) -> Result<Option<Change>> {
    let path = format!("_data_stream/{stream}");
    let Some(found) = get(server, &path).await? else { return Ok(None) };
    if found.pointer("/data_streams/0").is_none() {
        return Ok(None);
    }
    let simulate = format!("_index_template/_simulate_index/{stream}");
    // The site's own component template has the last word.
    let template = server.call(Method::POST, &simulate, None).await?.body;
    let change = match (chosen(&template, "/template/lifecycle"), chosen(&found, "/data_streams/0/lifecycle")) {
        // The template that would give one is not written.
        (None, None) if options.dry_run => Change::Create,
        (None, _) => return Ok(None),
        (Some(wanted), Some(there)) if wanted == there => return Ok(None),
        (Some(_), Some(_)) if !options.overwrite => Change::Leave,
        (Some(wanted), there) => {
            if !options.dry_run {
                send(server, Method::PUT, &format!("{path}/_lifecycle"), Some(&wanted)).await?;
            }
            if there.is_some() { Change::Replace } else { Change::Create }
        }
    };
    Ok(Some(change))
}

/// What is chosen in a lifecycle. Servers add what follows from it, which they do not take back.
fn chosen(answer: &Json, pointer: &str) -> Option<Json> {
    let lifecycle = answer.pointer(pointer)?.as_object()?;
    let members = ["enabled", "data_retention"].into_iter().filter_map(|name| lifecycle.get_key_value(name));
    Some(Json::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()))
}
