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

/// The tables that are mapped.
const TABLES: [(&str, Family); 30] = [
    ("AlertEvidence", Family::Alert),
    ("AlertInfo", Family::Alert),
    ("BehaviorEntities", Family::Alert),
    ("BehaviorInfo", Family::Alert),
    ("CloudAppEvents", Family::App),
    ("CloudAuditEvents", Family::App),
    ("CloudProcessEvents", Family::Device),
    ("CloudStorageAggregatedEvents", Family::App),
    ("DeviceEvents", Family::Device),
    ("DeviceFileCertificateInfo", Family::Device),
    ("DeviceFileEvents", Family::Device),
    ("DeviceImageLoadEvents", Family::Device),
    ("DeviceInfo", Family::Device),
    ("DeviceLogonEvents", Family::Device),
    ("DeviceNetworkEvents", Family::Device),
    ("DeviceNetworkInfo", Family::Device),
    ("DeviceProcessEvents", Family::Device),
    ("DeviceRegistryEvents", Family::Device),
    ("EmailAttachmentInfo", Family::Email),
    ("EmailEvents", Family::Email),
    ("EmailPostDeliveryEvents", Family::Email),
    ("EmailUrlInfo", Family::Email),
    ("IdentityDirectoryEvents", Family::App),
    ("IdentityInfo", Family::App),
    ("IdentityLogonEvents", Family::App),
    ("IdentityQueryEvents", Family::App),
    ("MessageEvents", Family::Email),
    ("MessagePostDeliveryEvents", Family::Email),
    ("MessageUrlInfo", Family::Email),
    ("UrlClickEvents", Family::Email),
];

/// The table that a record's category names (`AdvancedHunting-DeviceEvents`), in any case, and its family.
pub(crate) fn of_category(category: &str) -> Option<(&'static str, Family)> {
    let name = category.rsplit('-').next().unwrap_or_default().trim();
    let known = TABLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(table, family)| (*table, *family))
}

/// The name of the table in an argument; empty where it is none that is known.
pub(crate) fn name<'a>(args: &Args<'a, '_>, index: usize) -> &'static str {
    args.text(index).and_then(of_category).map_or("", |(table, _)| table)
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
        for (name, family) in TABLES {
            let category = format!("AdvancedHunting-{name}");
            assert_eq!(of_category(&category), Some((name, family)));
            assert_eq!(of_category(&category.to_uppercase()), Some((name, family)));
        }
        assert_eq!(of_category("AdvancedHunting-DeviceTvmInfoGathering"), None);
        assert_eq!(of_category(""), None);
    }
}
