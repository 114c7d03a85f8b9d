//! What components and look-ups get of a configuration.

use defenderbeat_collector::config::{Agent, GeoipOptions, Inventory, InventorySizes};

use crate::{error, input, load};

#[test]
fn a_component_gets_the_settings_of_its_input() {
    let text = input(
        "tags: [a]
preserve_duplicate_custom_fields: true
max_record_size: 1MiB
rows: [{from: $.a.b, to: site.name}]
processors: [{drop_event: {when: {equals: {a.b: 1}}}}]",
    ) + "processors: [{add_tags: {tags: [b]}}]\n";
    let config = load(&text, &[]).unwrap();
    let agent = Agent { id: "i".into(), name: "n".into(), version: "1".into(), ephemeral_id: "e".into() };
    let settings = |facts| config.inputs[0].component_settings(&agent, facts, None);
    let mut expected = serde_json::json!({
            "namespace": "default",
            "tags": ["a"],
            "preserve_original_event": false,
            "preserve_duplicate_custom_fields": true,
            "rows": [{"from": "$.a.b", "to": "site.name"}],
            "processors": [{"drop_event": {"when": {"equals": {"a.b": 1}}}}, {"add_tags": {"tags": ["b"]}}],
            "max_record_size": 1 << 20,
            "agent": {"id": "i", "name": "n", "type": "defenderbeat", "version": "1", "ephemeral_id": "e"},
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&settings(false)).unwrap(), expected);
    expected["inventory"] = serde_json::json!({"devices": 50_000, "signatures": 100_000});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&settings(true)).unwrap(), expected);
}

#[test]
fn an_inventory_has_sizes_or_is_off() {
    let sizes = |devices, signatures| Inventory::Sizes(InventorySizes { devices, signatures });
    for (option, expected, setting) in [
        ("inventory: off", Inventory::Off, "false"),
        ("inventory: false", Inventory::Off, "false"),
        ("inventory: ${OFF:off}", Inventory::Off, "false"),
        ("inventory: {devices: 7}", sizes(7, 100_000), r#"{"devices":7,"signatures":100000}"#),
        ("inventory.signatures: 8", sizes(50_000, 8), r#"{"devices":50000,"signatures":8}"#),
        ("inventory:", Inventory::default(), r#"{"devices":50000,"signatures":100000}"#),
    ] {
        let config = load(&input(option), &[]).unwrap();
        assert_eq!(config.inputs[0].inventory, expected, "{option}");
        assert_eq!(serde_json::to_string(&expected).unwrap(), setting);
    }
    for (option, message) in [
        ("inventory: some", "inputs.0.inventory: wants off, or options below it, such as `devices`"),
        ("inventory: [off]", "inputs.0.inventory: wants options below it, such as `devices`, not a list"),
        ("inventory: {device: 7}", "inputs.0.inventory.device: is no option; did you mean `devices`?"),
        ("inventory: {devices: 0}", "inputs.0.inventory.devices: wants a whole number from 1 on"),
        ("workers: 0", "inputs.0.workers: wants a whole number from 1 to 256"),
    ] {
        let error = error(&input(option), &[]);
        assert!(error.contains(message), "{option}: {error}");
    }
}

#[test]
fn databases_of_addresses_are_named_by_their_files() {
    let config = load(&format!("{}geoip.city: c.mmdb\n", input("workers: 3")), &["geoip.asn=a.mmdb"]).unwrap();
    assert_eq!(config.geoip, GeoipOptions { city: Some("c.mmdb".into()), asn: Some("a.mmdb".into()) });
    assert_eq!(config.inputs[0].workers, Some(3));
    assert_eq!(load(&input(""), &[]).unwrap().geoip, GeoipOptions::default());
}
