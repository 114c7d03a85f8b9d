//! The tables of advanced hunting.

use defenderbeat_mapping::letters::same;
use defenderbeat_mapping::{Args, Results};

/// A family of tables, which share the rows of one pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Alert,
    App,
    Device,
    Email,
}

/// The tables that are mapped, by the length of their names.
const TABLES: [(&str, Family); 30] = [
    ("AlertInfo", Family::Alert),
    ("DeviceInfo", Family::Device),
    ("EmailEvents", Family::Email),
    ("BehaviorInfo", Family::Alert),
    ("DeviceEvents", Family::Device),
    ("EmailUrlInfo", Family::Email),
    ("IdentityInfo", Family::App),
    ("AlertEvidence", Family::Alert),
    ("MessageEvents", Family::Email),
    ("CloudAppEvents", Family::App),
    ("MessageUrlInfo", Family::Email),
    ("UrlClickEvents", Family::Email),
    ("BehaviorEntities", Family::Alert),
    ("CloudAuditEvents", Family::App),
    ("DeviceFileEvents", Family::Device),
    ("DeviceLogonEvents", Family::Device),
    ("DeviceNetworkInfo", Family::Device),
    ("CloudProcessEvents", Family::Device),
    ("DeviceNetworkEvents", Family::Device),
    ("DeviceProcessEvents", Family::Device),
    ("EmailAttachmentInfo", Family::Email),
    ("IdentityLogonEvents", Family::App),
    ("IdentityQueryEvents", Family::App),
    ("DeviceRegistryEvents", Family::Device),
    ("DeviceImageLoadEvents", Family::Device),
    ("EmailPostDeliveryEvents", Family::Email),
    ("IdentityDirectoryEvents", Family::App),
    ("DeviceFileCertificateInfo", Family::Device),
    ("MessagePostDeliveryEvents", Family::Email),
    ("CloudStorageAggregatedEvents", Family::App),
];

/// The table that a record's category names (`AdvancedHunting-DeviceEvents`), in any case, and its family.
pub(crate) fn of_category(category: &str) -> Option<(&'static str, Family)> {
    let known = category.strip_prefix("AdvancedHunting-").and_then(find);
    known.or_else(|| find(category.rsplit('-').next().unwrap_or_default().trim()))
}

fn find(name: &str) -> Option<(&'static str, Family)> {
    let from = TABLES.partition_point(|(known, _)| known.len() < name.len());
    let known = TABLES.get(from..)?.iter().take_while(|(known, _)| known.len() == name.len());
    known.copied().find(|(known, _)| same(known, name))
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
        assert!(TABLES.is_sorted_by_key(|(name, _)| name.len()));
        for (name, family) in TABLES {
            let category = format!("AdvancedHunting-{name}");
            assert_eq!(of_category(&category), Some((name, family)));
            assert_eq!(of_category(&category.to_uppercase()), Some((name, family)));
        }
        assert_eq!(of_category("AdvancedHunting-DeviceTvmInfoGathering"), None);
        assert_eq!(of_category("AdvancedHunting-x- DeviceInfo "), Some(("DeviceInfo", Family::Device)));
        assert_eq!(of_category(""), None);
    }
}
