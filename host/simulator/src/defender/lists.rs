//! `GET /api/machines`, `/api/vulnerabilities` and `/api/vulnerabilities/machinesVulnerabilities`.

use super::Call;
use super::error::Error;
use super::query::Query;
use crate::answer::{Answer, continued};
use crate::generate::vulnerability::VulnerabilityRecords;
use crate::options::NextLink;

/// A page of a list.
pub(super) fn list(call: &Call<'_>, records: VulnerabilityRecords) -> Result<Answer, Error> {
    let (limit, context) = match records {
        VulnerabilityRecords::Machines => (10_000, "Machines"),
        VulnerabilityRecords::Vulnerabilities => (8_000, "Vulnerabilities"),
        _ => (10_000, "Collection(microsoft.windowsDefenderATP.api.PublicAssetVulnerabilityDto)"),
    };
    let query = Query::parse(call.query, &["$top", "$skip", "$skiptoken"])?;
    let top = query.number("$top", 1, limit)?;
    let skip = query.number("$skip", 0, u64::MAX)?;
    let passed = query.number("$skiptoken", 0, u64::MAX)?.or(skip).unwrap_or_default();

    let all = call.tenant.vulnerabilities.clone();
    let total = all.count(records);
    if total == 0 && records == VulnerabilityRecords::Machines {
        return Err(Error::NotFound);
    }
    let from = passed.min(total);
    let to = from.saturating_add(top.unwrap_or(limit)).min(total);
    let link = match call.tenant.options.defender.list_link {
        _ if to == total => None,
        NextLink::WithoutTop if top.is_some() => None,
        NextLink::Skip => Some(continued(call.query, "$skip", &to.to_string())),
        NextLink::WithoutTop | NextLink::Skiptoken => Some(continued(call.query, "$skiptoken", &to.to_string())),
    };
    let write = move |number, json: &mut Vec<u8>| all.write(records, number, json);
    Ok(call.page(context, from..to, write, link))
}
