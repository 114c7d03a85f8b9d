//! `GET /api/machines/SoftwareVulnerabilitiesExport`.

use hyper::StatusCode;
use serde_json::json;

use super::error::Error;
use super::query::Query;
use super::{CONTEXT, Call, files};
use crate::answer::{self, Answer};
use crate::time::{self, HOUR};

/// Where the files are.
pub(super) fn answer(call: &Call<'_>) -> Result<Answer, Error> {
    let query = Query::parse(call.query, &[])?;
    let hours = query.number("sasValidHours", 1, 6)?.unwrap_or(1);
    let tenant = call.tenant;
    let options = &tenant.options.defender;
    let lifetime = options.sas_lifetime.map_or(hours.cast_signed() * HOUR, time::from_duration);
    let expiry = time::now().saturating_add(lifetime) / time::SECOND * time::SECOND;
    let files = (0..options.export_files + options.export_empty_files).map(|file| files::url(tenant, file, expiry));
    let text = json!({
        "@odata.context": format!("{CONTEXT}microsoft.windowsDefenderATP.api.ExportFilesResponse"),
        "exportFiles": files.collect::<Vec<_>>(),
        "generatedTime": time::text(tenant.vulnerabilities.now()),
    });
    Ok(answer::json(StatusCode::OK, text.to_string()))
}
