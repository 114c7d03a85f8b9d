//! What the records promise together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::*;

/// Each table's columns with their types, as they are named on the wire.
const COLUMNS: &str = include_str!("columns.txt");

fn options(count: u64) -> EventOptions {
    EventOptions { count: Some(count), devices: 40, ..EventOptions::default() }
}

fn parsed(options: &EventOptions) -> Vec<Value> {
    events(options).map(|json| serde_json::from_str(&json).unwrap()).collect()
}

fn table(record: &Value) -> Table {
    record["category"].as_str().unwrap().strip_prefix("AdvancedHunting-").unwrap().parse().unwrap()
}

fn columns(record: &Value) -> &Map<String, Value> {
    record["properties"].as_object().unwrap()
}

fn text<'a>(columns: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    columns.get(name).and_then(Value::as_str)
}

/// Columns and types of each table.
fn known() -> BTreeMap<Table, BTreeMap<&'static str, &'static str>> {
    let mut tables = BTreeMap::<Table, BTreeMap<&str, &str>>::new();
    let mut table = None;
    for line in COLUMNS.lines() {
        match line.trim_start().split_once(' ') {
            None => table = Some(line.parse().unwrap()),
            Some((name, kind)) => drop(tables.entry(table.unwrap()).or_default().insert(name, kind)),
        }
    }
    tables
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "any" => true,
        "text" => value.is_string() || value.is_array() || value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "time" => value.as_str().is_some_and(|text| time::parse(text).is_some()),
        other => panic!("{other}"),
    }
}

#[test]
fn all_columns_of_all_tables_occur_filled_and_with_their_types_and_no_others() {
    let known = known();
    assert_eq!(known.keys().copied().collect::<BTreeSet<_>>(), Table::ALL.into_iter().collect());
    for (table, expected) in known {
        let mut filled = BTreeSet::new();
        let events = Events::new(&EventOptions { tables: vec![table], ..EventOptions::default() });
        // Far from each other, so that all devices have their turn.
        for index in (0..1500).map(|number| number * 97) {
            let record: Value = serde_json::from_str(&events.record(index)).unwrap();
            assert_eq!(self::table(&record), table);
            for (name, value) in columns(&record) {
                let kind = expected.get(name.as_str()).unwrap_or_else(|| panic!("{table} has no {name}"));
                assert!(value.is_null() || is_of(kind, value), "{table}.{name} is {value}");
                if !value.is_null() && value != "" {
                    filled.insert(name.clone());
                }
            }
        }
        let missing: Vec<_> = expected.keys().filter(|name| !filled.contains(**name)).collect();
        assert!(missing.is_empty(), "{table}: {missing:?}");
    }
}

#[test]
fn the_envelope_is_that_of_the_wire() {
    let mut orders = BTreeSet::new();
    for json in events(&options(500)) {
        let record: Value = serde_json::from_str(&json).unwrap();
        let names: BTreeSet<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["time", "tenantId", "operationName", "category", "properties", "Tenant", "_TimeReceivedBySvc"];
        assert_eq!(names, BTreeSet::from(expected));
        let times = [&record["properties"]["Timestamp"], &record["_TimeReceivedBySvc"], &record["time"]];
        let [happened, received, published] = times.map(|time| time::parse(time.as_str().unwrap()).unwrap());
        assert!(happened <= received && received <= published, "{record}");
        assert!(!json.contains('\n'));
        orders.insert(json.starts_with("{\"time\""));
    }
    assert_eq!(orders.len(), 2, "the order of keys is not stable");
}

#[test]
fn a_record_follows_from_the_seed_and_its_number_alone() {
    let all: Vec<String> = events(&options(300)).collect();
    let same = Events::new(&options(300));
    assert_eq!(same.count(), Some(300));
    for index in (0..300).rev().step_by(7) {
        assert_eq!(same.record(index), all[usize::try_from(index).unwrap()]);
    }
    let others = events(&EventOptions { seed: 2, ..options(300) });
    assert!(all.iter().zip(others).all(|(one, two)| *one != two));
}

#[test]
fn proportions_and_sizes_are_those_of_real_tenants() {
    let records: Vec<String> = events(&options(20_000)).collect();
    let mean = records.iter().map(String::len).sum::<usize>() / records.len();
    assert!((2600..3000).contains(&mean), "{mean}");
    let mut counts = BTreeMap::<Table, usize>::new();
    for record in parsed(&options(20_000)) {
        *counts.entry(table(&record)).or_default() += 1;
    }
    let devices: usize = counts.iter().filter(|(table, _)| table.is_device()).map(|(_, count)| count).sum();
    assert!((16_800..17_200).contains(&devices), "{devices}");
    for table in Table::ALL {
        let (expected, count) = (table.weight() * 20, counts.get(&table).copied().unwrap_or_default());
        assert!(count > expected / 3 && count < expected * 2 + 20, "{table}: {count} instead of {expected}");
    }
}

#[test]
fn records_are_told_apart_by_device_report_and_time() {
    let mut seen = BTreeSet::new();
    for record in parsed(&options(10_000)) {
        let columns = columns(&record);
        let id = ["ReportId", "AlertId", "BehaviorId"].into_iter().find_map(|name| columns.get(name)).unwrap();
        let rest = ["DeviceId", "Timestamp"].map(|name| columns.get(name).unwrap_or(&Value::Null).to_string());
        assert!(seen.insert((table(&record), id.to_string(), rest)), "{record}");
    }
}

#[test]
fn numbers_of_device_reports_need_more_than_a_double() {
    let reports = parsed(&EventOptions { tables: vec![Table::DeviceInfo], ..options(200) });
    let numbers: BTreeSet<u64> = reports.iter().map(|record| columns(record)["ReportId"].as_u64().unwrap()).collect();
    assert!(numbers.len() == 200 && numbers.iter().all(|number| *number > 1 << 53));
}

#[test]
fn timestamps_have_up_to_seven_digits() {
    let digits: BTreeSet<usize> = parsed(&options(20_000))
        .iter()
        .map(|record| text(columns(record), "Timestamp").unwrap().split_once('.').map_or(0, |(_, rest)| rest.len() - 1))
        .collect();
    assert_eq!(digits, (0..8).collect());
}

#[test]
fn processes_recur_with_the_same_id_creation_and_program() {
    let mut created = BTreeMap::new();
    let (mut acting, mut recurring) = (0, BTreeSet::new());
    for record in parsed(&options(12_000)) {
        let columns = columns(&record);
        let key = |id: &str, time: &str| -> Option<(String, i64, String)> {
            Some((text(columns, "DeviceId")?.to_owned(), columns.get(id)?.as_i64()?, text(columns, time)?.to_owned()))
        };
        if table(&record) == Table::DeviceProcessEvents {
            let program = text(columns, "FileName").unwrap().to_lowercase();
            created.insert(
                key("ProcessId", "ProcessCreationTime").unwrap(),
                (program, columns["ProcessCommandLine"].clone()),
            );
        }
        let Some(actor) = key("InitiatingProcessId", "InitiatingProcessCreationTime") else { continue };
        acting += 1;
        let born = time::parse(&actor.2).unwrap();
        assert!(born <= time::parse(text(columns, "Timestamp").unwrap()).unwrap(), "{record}");
        if let Some((program, command_line)) = created.get(&actor) {
            assert_eq!(program, text(columns, "InitiatingProcessFileName").unwrap());
            assert_eq!(*command_line, columns["InitiatingProcessCommandLine"]);
            recurring.insert((table(&record), actor));
        }
        if let Some(parent) = key("InitiatingProcessParentId", "InitiatingProcessParentCreationTime")
            && let Some((program, _)) = created.get(&parent)
        {
            assert_eq!(program, text(columns, "InitiatingProcessParentFileName").unwrap());
        }
    }
    assert!(recurring.len() * 5 > acting, "{} of {acting}", recurring.len());
    for table in [Table::DeviceProcessEvents, Table::DeviceNetworkEvents, Table::DeviceFileEvents] {
        assert!(recurring.iter().any(|(of, _)| *of == table), "{table}");
    }
}

#[test]
fn devices_and_files_are_the_same_in_all_tables() {
    let records = parsed(&options(25_000));
    let (mut platforms, mut signers) = (BTreeMap::new(), BTreeMap::new());
    for record in &records {
        let columns = columns(record);
        match table(record) {
            Table::DeviceInfo => {
                let known = (text(columns, "OSPlatform").unwrap(), text(columns, "DeviceName").unwrap());
                assert_eq!(*platforms.entry(text(columns, "DeviceId").unwrap()).or_insert(known), known);
            }
            Table::DeviceFileCertificateInfo => {
                let signer = text(columns, "Signer");
                assert_eq!(*signers.entry(text(columns, "SHA1").unwrap()).or_insert(signer), signer);
            }
            _ => (),
        }
    }
    let mut systems = BTreeSet::new();
    let mut signed = 0;
    for record in &records {
        let columns = columns(record);
        let Some((platform, name)) = text(columns, "DeviceId").and_then(|id| platforms.get(id)) else { continue };
        if !table(record).is_device() {
            continue;
        }
        assert_eq!(text(columns, "DeviceName"), Some(*name));
        let Some(path) = text(columns, "InitiatingProcessFolderPath").filter(|path| !path.is_empty()) else { continue };
        assert_eq!(path.starts_with('/'), matches!(*platform, "macOS" | "Linux"), "{record}");
        systems.insert(*platform);
        signed +=
            usize::from(signers.get(text(columns, "InitiatingProcessSHA1").unwrap()).is_some_and(Option::is_some));
        if path.starts_with('/') && table(record) == Table::DeviceNetworkEvents {
            let fields = text(columns, "AdditionalFields").unwrap();
            assert_eq!(
                fields.contains(r#""Sid":"S-1-5-"#),
                fields.contains("Posix") && *platform == "macOS",
                "{record}"
            );
        }
    }
    assert!(systems.is_superset(&BTreeSet::from(["Windows11", "WindowsServer2022", "macOS", "Linux"])), "{systems:?}");
    assert!(signed > 5_000, "{signed}");
}

#[test]
fn dynamic_columns_are_text_for_devices_and_json_for_applications() {
    for record in parsed(&options(5_000)) {
        let columns = columns(&record);
        let fields = columns.get("AdditionalFields").unwrap_or(&Value::Null);
        match table(&record) {
            table if table.is_device() || table == Table::AlertEvidence => {
                if let Some(json) = fields.as_str().filter(|json| !json.is_empty()) {
                    assert!(serde_json::from_str::<Map<String, Value>>(json).is_ok(), "{record}");
                } else {
                    assert!(fields.is_null() || fields == "", "{record}");
                }
            }
            Table::CloudAppEvents => {
                assert!(fields.is_object() && columns["ActivityObjects"].is_array());
                assert!(columns["RawEventData"].to_string().len() > 1000, "{record}");
            }
            Table::IdentityLogonEvents | Table::IdentityQueryEvents => assert!(fields.is_object(), "{record}"),
            _ => (),
        }
    }
}

#[test]
fn texts_need_care() {
    let all: String = events(&options(3_000)).collect();
    for part in
        ["Übersicht", "\\u00dc", "\\u003c", "<", "\\\\", "\\\"", "\\r\\n", "\\\\\\\"", ":null", ":\"\"", "\"[]\""]
    {
        assert!(all.contains(part), "{part}");
    }
}

#[test]
fn repeated_records_have_the_same_columns_and_a_newer_time() {
    let options = EventOptions { repeated: 0.2, ..options(20_000) };
    let events = Events::new(&options);
    let mut repeated = 0;
    for index in 0..20_000 {
        let original = events.original(index);
        if original == index {
            continue;
        }
        repeated += 1;
        let [first, again]: [Value; 2] =
            [original, index].map(|index| serde_json::from_str(&events.record(index)).unwrap());
        assert_eq!(first["properties"], again["properties"]);
        assert!(original < index && events.original(original) == original);
        let published = |record: &Value| time::parse(record["time"].as_str().unwrap());
        assert!(published(&first) < published(&again));
    }
    assert!((2_000..4_000).contains(&repeated), "{repeated}");
    let none = Events::new(&self::options(1000));
    assert!((0..1000).all(|index| none.original(index) == index));
}

#[test]
fn only_the_tables_that_are_asked_for_are_made() {
    let tables = vec![Table::EmailEvents, Table::DeviceInfo];
    let found: BTreeSet<Table> = parsed(&EventOptions { tables, ..options(200) }).iter().map(table).collect();
    assert_eq!(found, BTreeSet::from([Table::DeviceInfo, Table::EmailEvents]));
}

#[test]
fn extreme_options_do_no_harm() {
    let options = EventOptions { devices: 0, spacing: Duration::MAX, repeated: 1.0, ..options(200) };
    assert_eq!(parsed(&options).len(), 200);
    for start in [chrono::DateTime::<chrono::Utc>::MIN_UTC, chrono::DateTime::<chrono::Utc>::MAX_UTC] {
        assert_eq!(parsed(&EventOptions { start, spacing: Duration::ZERO, ..options.clone() }).len(), 200);
    }
    let events = Events::new(&self::options(1));
    assert!(serde_json::from_str::<Value>(&events.record(u64::MAX)).is_ok());
}
