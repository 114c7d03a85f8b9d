//! The tables of advanced hunting.

use defenderbeat_mapping::{Args, Results};

/// A family of tables, which share the rows of one pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Alert,
    App,
    Device,
    Email,
}

/// The tables that are mapped, by their names in lower case, sorted.
const TABLES: [(&str, &str, Family); 30] = [
    ("alertevidence", "AlertEvidence", Family::Alert),
    ("alertinfo", "AlertInfo", Family::Alert),
    ("behaviorentities", "BehaviorEntities", Family::Alert),
    ("behaviorinfo", "BehaviorInfo", Family::Alert),
    ("cloudappevents", "CloudAppEvents", Family::App),
    ("cloudauditevents", "CloudAuditEvents", Family::App),
    ("cloudprocessevents", "CloudProcessEvents", Family::Device),
    ("cloudstorageaggregatedevents", "CloudStorageAggregatedEvents", Family::App),
    ("deviceevents", "DeviceEvents", Family::Device),
    ("devicefilecertificateinfo", "DeviceFileCertificateInfo", Family::Device),
    ("devicefileevents", "DeviceFileEvents", Family::Device),
    ("deviceimageloadevents", "DeviceImageLoadEvents", Family::Device),
    ("deviceinfo", "DeviceInfo", Family::Device),
    ("devicelogonevents", "DeviceLogonEvents", Family::Device),
    ("devicenetworkevents", "DeviceNetworkEvents", Family::Device),
    ("devicenetworkinfo", "DeviceNetworkInfo", Family::Device),
    ("deviceprocessevents", "DeviceProcessEvents", Family::Device),
    ("deviceregistryevents", "DeviceRegistryEvents", Family::Device),
    ("emailattachmentinfo", "EmailAttachmentInfo", Family::Email),
    ("emailevents", "EmailEvents", Family::Email),
    ("emailpostdeliveryevents", "EmailPostDeliveryEvents", Family::Email),
    ("emailurlinfo", "EmailUrlInfo", Family::Email),
    ("identitydirectoryevents", "IdentityDirectoryEvents", Family::App),
    ("identityinfo", "IdentityInfo", Family::App),
    ("identitylogonevents", "IdentityLogonEvents", Family::App),
    ("identityqueryevents", "IdentityQueryEvents", Family::App),
    ("messageevents", "MessageEvents", Family::Email),
    ("messagepostdeliveryevents", "MessagePostDeliveryEvents", Family::Email),
    ("messageurlinfo", "MessageUrlInfo", Family::Email),
    ("urlclickevents", "UrlClickEvents", Family::Email),
];

/// The table that a record's category names (`AdvancedHunting-DeviceEvents`), in any case, and its family.
pub(crate) fn of_category(category: &str) -> Option<(&'static str, Family)> {
    let name = category.rsplit('-').next().unwrap_or_default().trim();
    let name = name.to_ascii_lowercase();
    let at = TABLES.binary_search_by(|(known, ..)| (*known).cmp(name.as_str())).ok()?;
    TABLES.get(at).map(|(_, table, family)| (*table, *family))
}

/// The name of the table in an argument; empty where it is none that is known.
pub(crate) fn name<'a>(args: &Args<'a, '_>, index: usize) -> &'static str {
    args.text(index).and_then(|category| of_category(&category)).map_or("", |(table, _)| table)
}

/// Says that a category is missing or not known.
pub(crate) fn known<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    match args.text(1) {
        None => results.error("Missing required field: m365_defender.event.category."),
        Some(category) => results.error(format!("The event category {category} is not supported.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_found_by_its_category() {
        for (_, name, family) in TABLES {
            let category = format!("AdvancedHunting-{name}");
            assert_eq!(of_category(&category), Some((name, family)));
            assert_eq!(of_category(&category.to_uppercase()), Some((name, family)));
        }
        assert_eq!(of_category("AdvancedHunting-DeviceTvmInfoGathering"), None);
        assert_eq!(of_category(""), None);
    }
}
