//! Vulnerabilities in each mode: every finding leaves, with the start of its sync, whatever fails meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use defenderbeat_simulator::{
    DefenderOptions, ExportForm, FaultOptions, GraphOptions, NextLink, Options, Spelling, VulnerabilityOptions,
    VulnerabilityRecords,
};
use serde_json::Value;

use crate::program::{Program, Tenant, log};

/// Rows of every kind that there is.
fn all_kinds() -> VulnerabilityOptions {
    VulnerabilityOptions {
        machines: 300,
        vulnerabilities: 900,
        exposed: 400,
        products: 2_000,
        unknown_machines: 30,
        unknown_cves: 20,
        null_cves: 10,
        other_versions: 40,
        other_kbs: 40,
        duplicates: 25,
        changes: 60,
    }
}

fn tenant(vulnerabilities: VulnerabilityOptions, defender: DefenderOptions, faults: FaultOptions) -> Tenant {
    Tenant::start(Options { vulnerabilities, defender, faults, ..Options::default() })
}

fn once(program: &Program) -> String {
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    log(&output)
}

/// Documents by their ids; the same id is the same finding of the same sync.
fn by_id(documents: &[Value]) -> BTreeMap<String, &Value> {
    let mut by_id = BTreeMap::new();
    for document in documents {
        let id = document["@metadata"]["_id"].as_str().unwrap().to_owned();
        if let Some(other) = by_id.insert(id, document) {
            assert_eq!((&other["vulnerability"]["id"], &other["host"]["id"]), pair(document));
            assert_eq!(start(other), start(document));
        }
    }
    by_id
}

fn pair(document: &Value) -> (&Value, &Value) {
    (&document["vulnerability"]["id"], &document["host"]["id"])
}

fn start(document: &Value) -> &str {
    document["m365_defender"]["vulnerability"]["sync"]["start"].as_str().unwrap()
}

/// The starts of syncs that documents have, each of which is their time too.
fn starts<'a>(documents: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    let each = documents.into_iter().map(|document| {
        assert_eq!(start(document), document["@timestamp"].as_str().unwrap());
        start(document).to_owned()
    });
    each.collect()
}

type Pairs = BTreeMap<(Option<String>, Option<String>), usize>;

/// How many documents each vulnerability has on each machine.
fn pairs<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Pairs {
    let mut pairs = Pairs::new();
    for document in documents {
        let [cve, machine] = <[&Value; 2]>::from(pair(document)).map(|value| value.as_str().map(str::to_owned));
        *pairs.entry((cve, machine)).or_default() += 1;
    }
    pairs
}

/// What a join of the tenant's lists gives.
fn joined(tenant: &Tenant) -> Pairs {
    let findings = tenant.simulator.vulnerabilities().findings();
    let rows: BTreeMap<_, _> = findings.map(|finding| (finding.id, (finding.cve_id, finding.machine_id))).collect();
    let mut pairs = Pairs::new();
    for pair in rows.into_values() {
        *pairs.entry(pair).or_default() += 1;
    }
    pairs
}

fn assert_joined(tenant: &Tenant, program: &Program) {
    let documents = program.documents();
    let by_id = by_id(&documents);
    assert_eq!(pairs(by_id.values().copied()), joined(tenant));
    assert_eq!(starts(&documents).len(), 1);
}

#[test]
fn the_three_lists_are_joined_however_they_are_paged() {
    for (list_link, size) in [(NextLink::WithoutTop, 0), (NextLink::WithoutTop, 70), (NextLink::Skiptoken, 70)] {
        let tenant =
            tenant(all_kinds(), DefenderOptions { list_link, ..DefenderOptions::default() }, FaultOptions::default());
        let size = format!("inputs.0.batch_size={size}");
        let program = Program::of_vulnerabilities(&tenant, &[&size]);
        let said = once(&program);
        assert_joined(&tenant, &program);
        // 30 rows name an unknown machine and 20 an unknown vulnerability.
        assert!(said.contains("sync ended") && said.contains("50 unmatched"), "{said}");
        assert_eq!(program.dead_letters(), "");
    }
}

#[test]
fn answers_that_break_off_and_refusals_lose_and_double_nothing() {
    let faults = FaultOptions { throttled: 0.05, retry_after: 0, failed: 0.05, broken: 0.3, revoked: 0.02 };
    let tenant = tenant(all_kinds(), DefenderOptions::default(), faults);
    let program = Program::of_vulnerabilities(&tenant, &["inputs.0.batch_size=100", "inputs.0.retry.max_attempts=20"]);
    once(&program);
    assert_joined(&tenant, &program);
    assert!(tenant.simulator.counters().broken > 5);
    // Rows that the tenant lists twice come twice.
    assert_eq!(program.documents().len(), joined(&tenant).values().sum::<usize>() + 25);
}

#[test]
fn a_tenant_without_machines_has_vulnerabilities_all_the_same_unless_only_affected_ones_are_wanted() {
    let vulnerabilities = VulnerabilityOptions {
        machines: 0,
        vulnerabilities: 20,
        exposed: 0,
        products: 0,
        changes: 0,
        ..VulnerabilityOptions::default()
    };
    let tenant = tenant(vulnerabilities, DefenderOptions::default(), FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &[]);
    once(&program);
    assert_eq!(program.documents().len(), 20);
    let program = Program::of_vulnerabilities(&tenant, &["inputs.0.affected_machines_only=true"]);
    once(&program);
    assert!(program.documents().is_empty());
}

#[test]
fn a_missing_permission_fails_the_sync_with_a_document() {
    let defender = DefenderOptions { missing_machine_role: true, ..DefenderOptions::default() };
    let tenant = tenant(all_kinds(), defender, FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &[]);
    let output = program.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("Machine.Read.All"), "{}", log(&output));
    let documents = program.documents();
    let [document] = documents.as_slice() else { panic!("{documents:?}") };
    assert!(document["error"]["message"].as_str().unwrap().contains("Machine.Read.All"), "{document}");
}

/// What the files of an export give.
fn exported(tenant: &Tenant) -> usize {
    let records = tenant.simulator.vulnerabilities().records(VulnerabilityRecords::Export);
    let id = |record: Vec<u8>| serde_json::from_slice::<Value>(&record).unwrap()["id"].as_str().unwrap().to_owned();
    records.map(id).collect::<BTreeSet<_>>().len()
}

fn assert_no_token_left(tenant: &Tenant) {
    let requests = tenant.simulator.defender_requests();
    let files: Vec<_> = requests.iter().filter(|request| request.path.starts_with("/export/")).collect();
    assert!(!files.is_empty() && files.iter().all(|request| !request.authorization), "{files:?}");
}

#[test]
fn every_row_of_an_export_leaves_in_whatever_form_it_is() {
    for (export_form, export_spelling, export_member_rows) in [
        (ExportForm::Lines, Spelling::Camel, None),
        (ExportForm::Pretty, Spelling::Pascal, Some(50)),
        (ExportForm::Array, Spelling::Camel, Some(7)),
    ] {
        let defender = DefenderOptions {
            export_files: 4,
            export_empty_files: 2,
            export_form,
            export_spelling,
            export_member_rows,
            ..DefenderOptions::default()
        };
        let tenant = tenant(all_kinds(), defender, FaultOptions::default());
        let program = Program::of_vulnerabilities(&tenant, &["inputs.0.mode=export"]);
        once(&program);
        let documents = program.documents();
        assert_eq!(by_id(&documents).len(), exported(&tenant), "{export_form:?}");
        assert_eq!(starts(&documents).len(), 1);
        assert_no_token_left(&tenant);
        assert_eq!(program.dead_letters(), "");
    }
}

#[test]
fn files_that_are_cut_and_signatures_that_expire_lose_and_double_nothing() {
    let defender = DefenderOptions { export_truncated: 3, export_expired: 2, ..DefenderOptions::default() };
    let faults = FaultOptions { failed: 0.05, broken: 0.1, ..FaultOptions::default() };
    let tenant = tenant(all_kinds(), defender, faults);
    let options = ["inputs.0.mode=export", "inputs.0.sas_valid_hours=2", "inputs.0.retry.max_attempts=20"];
    let program = Program::of_vulnerabilities(&tenant, &options);
    let said = once(&program);
    assert!(said.contains("raise sas_valid_hours"), "{said}");
    let documents = program.documents();
    let distinct = by_id(&documents).len();
    assert_eq!(distinct, exported(&tenant));
    let rows = tenant.simulator.vulnerabilities().count(VulnerabilityRecords::Export);
    assert_eq!(documents.len() as u64, rows, "a row leaves as often as the files have it");
    assert_no_token_left(&tenant);
    let asked = tenant.simulator.defender_requests();
    let exports: Vec<_> = asked.iter().filter(|request| request.path.ends_with("Export")).collect();
    assert!(exports.len() > 2 && exports.iter().all(|request| request.query == "sasValidHours=2"), "{exports:?}");
}

#[test]
fn signatures_that_are_always_refused_fail_the_sync_with_advice() {
    let defender = DefenderOptions { export_expired: 1_000, ..DefenderOptions::default() };
    let tenant = tenant(all_kinds(), defender, FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &["inputs.0.mode=export"]);
    let output = program.once();
    assert_eq!(output.status.code(), Some(1));
    let documents = program.documents();
    let [document] = documents.as_slice() else { panic!("{documents:?}") };
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("raise sas_valid_hours"), "{message}");
    assert!(!format!("{}{document}", log(&output)).contains("sig="), "an address is a secret");
}

#[test]
fn changes_begin_with_an_export_and_go_on_with_what_is_new() {
    let tenant = tenant(all_kinds(), DefenderOptions::default(), FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &["inputs.0.mode=changes", "inputs.0.batch_size=5"]);
    once(&program);
    let first = program.documents();
    assert_eq!(by_id(&first).len(), exported(&tenant));
    assert!(first.iter().all(|document| document["vulnerability"]["status"].is_null()));

    tenant.simulator.publish_changes(17);
    once(&program);
    let documents = program.documents();
    let (changes, others): (Vec<&Value>, Vec<&Value>) =
        documents.iter().partition(|document| document["vulnerability"]["status"].is_string());
    assert!(changes.len() >= 17 && others.len() == first.len(), "{} {}", changes.len(), others.len());
    let status = |change: &&Value| change["vulnerability"]["status"].as_str().unwrap().to_owned();
    assert_eq!(changes.iter().map(status).collect::<BTreeSet<_>>(), ["closed", "open"].map(str::to_owned).into());
    starts(changes.iter().copied());
    let asked = tenant.simulator.defender_requests();
    let pages: Vec<_> = asked.iter().filter(|request| request.path.ends_with("ChangesByMachine")).collect();
    assert!(pages.len() > 3 && pages.iter().all(|request| request.query.contains("pageSize=5")), "{pages:?}");
    assert_eq!(asked.iter().filter(|request| request.path.ends_with("Export")).count(), 1);

    // What is read again has the same ids.
    let known = by_id(&documents).len();
    tenant.simulator.publish_changes(3);
    once(&program);
    assert_eq!(by_id(&program.documents()).len(), known + 3);
}

#[test]
fn a_full_export_comes_when_it_is_due() {
    let tenant = tenant(all_kinds(), DefenderOptions::default(), FaultOptions::default());
    // The next cycle, a day later, would be too late for it.
    let options = ["inputs.0.mode=changes", "inputs.0.full_interval=1h"];
    let program = Program::of_vulnerabilities(&tenant, &options);
    once(&program);
    once(&program);
    let asked = tenant.simulator.defender_requests();
    let order: Vec<&str> = asked.iter().filter_map(|request| request.path.strip_prefix("/api/machines/")).collect();
    let export = "SoftwareVulnerabilitiesExport";
    assert_eq!(order, [export, "SoftwareVulnerabilityChangesByMachine", export]);
}

#[test]
fn a_cursor_older_than_what_the_api_keeps_leads_to_an_export() {
    let tenant = tenant(all_kinds(), DefenderOptions::default(), FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &["inputs.0.mode=changes"]);
    program.save_cursor(
        r#"{"version":1,"mode":"changes","last":1700000000000,"full":1700000000000,"since":1700000000000}"#,
    );
    let said = once(&program);
    assert!(said.contains("older than what the API keeps"), "{said}");
    assert_eq!(by_id(&program.documents()).len(), exported(&tenant));
    let asked = tenant.simulator.defender_requests();
    assert!(!asked.iter().any(|request| request.path.ends_with("ChangesByMachine")), "it would be refused");
    assert!(!program.saved_cursor().unwrap().contains("\"since\":1700000000000"));
}

#[test]
fn a_sync_that_was_killed_goes_on_under_its_start_and_with_its_ids() {
    // Slow enough to be killed in the middle.
    let graph = GraphOptions { bytes_per_second: Some(2_000_000), ..GraphOptions::default() };
    let tenant = Tenant::start(Options { vulnerabilities: all_kinds(), graph, ..Options::default() });
    for mode in ["correlated", "export"] {
        let mode_option = format!("inputs.0.mode={mode}");
        let options = ["output.file.rotate_on_startup=false", "inputs.0.batch_size=50", mode_option.as_str()];
        let program = Program::of_vulnerabilities(&tenant, &options);
        for kill in 0..6 {
            let mut process = program.start();
            // From before the sync's start is saved to its end.
            sleep(Duration::from_millis(200 + 400 * kill));
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let before = starts(&program.documents());
        let is_over = program.saved_cursor().is_some_and(|cursor| cursor.contains("\"sync\":null"));
        once(&program);
        let documents = program.documents();
        let all = starts(&documents);
        assert!(before.len() <= 1 && before.is_subset(&all), "{before:?} {all:?}");
        assert_eq!(all.len(), if is_over { before.len() + 1 } else { 1 }, "{all:?}");
        let of_one =
            |start: &String| documents.iter().filter(|document| self::start(document) == start).collect::<Vec<_>>();
        for start in &all {
            let ids: BTreeSet<_> = of_one(start).iter().map(|document| document["@metadata"]["_id"].as_str()).collect();
            let expected = if mode == "export" { exported(&tenant) } else { joined(&tenant).values().sum() };
            assert_eq!(ids.len(), expected, "{mode}");
        }
        assert_eq!(program.dead_letters(), "");
    }
}

#[test]
fn a_sync_that_ended_is_not_repeated_by_a_restart_before_its_interval() {
    let tenant = tenant(all_kinds(), DefenderOptions::default(), FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &[]);
    once(&program);
    let requests = tenant.simulator.counters().requests;
    let mut process = program.start();
    sleep(Duration::from_millis(1_500));
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(tenant.simulator.counters().requests, requests);
}

#[test]
fn too_little_memory_fails_the_sync_and_names_the_option() {
    let vulnerabilities = VulnerabilityOptions { machines: 20_000, ..all_kinds() };
    let tenant = tenant(vulnerabilities, DefenderOptions::default(), FaultOptions::default());
    let program = Program::of_vulnerabilities(&tenant, &["inputs.0.memory_limit=6MiB"]);
    let output = program.once();
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    assert!(log(&output).contains("raise memory_limit"), "{}", log(&output));
    assert!(program.saved_cursor().unwrap().contains("\"sync\":null"), "the next sync has a start of its own");
    let output = program.again(&["inputs.0.memory_limit=256MiB"]);
    assert!(output.status.success(), "{}", log(&output));
    let documents = program.documents();
    let (errors, findings): (Vec<_>, Vec<_>) = documents.iter().partition(|document| document["error"].is_object());
    assert_eq!(errors.len(), 1);
    assert_eq!(pairs(findings), joined_with_repeats(&tenant));
}

/// As [`joined`], with rows that are listed twice.
fn joined_with_repeats(tenant: &Tenant) -> Pairs {
    let mut pairs = Pairs::new();
    for finding in tenant.simulator.vulnerabilities().findings() {
        *pairs.entry((finding.cve_id, finding.machine_id)).or_default() += 1;
    }
    pairs
}
