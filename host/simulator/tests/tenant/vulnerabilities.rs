//! Machines, vulnerabilities and product rows of the Defender for Endpoint API.

use std::collections::{BTreeMap, BTreeSet};

use defenderbeat_simulator::{
    AccessOptions, AlertOptions, DefenderOptions, FaultOptions, Finding, GraphOptions, NextLink, Options, Simulator,
    VulnerabilityOptions, VulnerabilityRecords,
};
use serde_json::Value;

use crate::client::{Visitor, body};

const PATHS: [(&str, VulnerabilityRecords); 3] = [
    ("/api/machines", VulnerabilityRecords::Machines),
    ("/api/vulnerabilities", VulnerabilityRecords::Vulnerabilities),
    ("/api/v1.0/vulnerabilities/machinesVulnerabilities", VulnerabilityRecords::Products),
];

fn injected() -> VulnerabilityOptions {
    VulnerabilityOptions {
        machines: 30,
        vulnerabilities: 90,
        exposed: 25,
        products: 400,
        unknown_machines: 4,
        unknown_cves: 5,
        null_cves: 6,
        other_versions: 7,
        other_kbs: 8,
        duplicates: 9,
        changes: 40,
    }
}

fn holding(vulnerabilities: VulnerabilityOptions) -> Options {
    Options { vulnerabilities, ..Options::default() }
}

fn held(simulator: &Simulator, records: VulnerabilityRecords) -> Vec<Value> {
    simulator.vulnerabilities().records(records).map(|json| serde_json::from_slice(&json).unwrap()).collect()
}

/// Status, code, message and target of an error.
async fn refusal(visitor: &Visitor, path: &str) -> (u16, String, String) {
    let answer = visitor.get(path).await;
    let status = answer.status().as_u16();
    let error = &body(answer).await["error"];
    assert_eq!(error["target"].as_str().unwrap().len(), 36, "{error}");
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

#[tokio::test]
async fn pages_by_skip_and_by_link_hold_all_records() {
    for list_link in [NextLink::WithoutTop, NextLink::Skiptoken, NextLink::Skip] {
        let defender = DefenderOptions { list_link, ..DefenderOptions::default() };
        let visitor = Visitor::of_defender(Options { defender, ..holding(injected()) }).await;
        for (path, records) in PATHS {
            let mut met = Vec::new();
            let mut next = format!("{path}?$top=37");
            loop {
                let page = body(visitor.get(&next).await).await;
                assert!(page["@odata.context"].as_str().unwrap().contains("$metadata#"));
                let values = page["value"].as_array().unwrap();
                met.extend_from_slice(values);
                next = match page["@odata.nextLink"].as_str() {
                    Some(link) => link.to_owned(),
                    None if list_link == NextLink::WithoutTop && values.len() == 37 => {
                        format!("{path}?%24top=37&$skip={}", met.len())
                    }
                    None => break,
                };
            }
            assert_eq!(met, held(&visitor.simulator, records), "{path} {list_link:?}");
            let whole = body(visitor.get(path).await).await;
            assert_eq!(whole["value"], Value::from(met));
            assert_eq!(whole.get("@odata.nextLink"), None);
        }
    }
}

#[tokio::test]
async fn without_top_a_full_page_links_to_the_next() {
    let vulnerabilities = VulnerabilityOptions { machines: 10_001, products: 20_001, ..injected() };
    let visitor = Visitor::of_defender(holding(vulnerabilities)).await;
    let mut sizes = Vec::new();
    let mut next = Some("/api/vulnerabilities/machinesVulnerabilities".to_owned());
    while let Some(path) = next {
        let page = body(visitor.get(&path).await).await;
        sizes.push(page["value"].as_array().unwrap().len());
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(sizes, [10_000, 10_000, 40]);
    let requests = visitor.simulator.defender_requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.status == 200 && request.authorization));
    assert!(requests[2].query.contains("$skiptoken=20000"), "{requests:?}");
}

#[tokio::test]
async fn rows_are_about_listed_machines_and_exposed_vulnerabilities_but_for_injected_ones() {
    let visitor = Visitor::of_defender(holding(injected())).await;
    let ids = |records| -> BTreeSet<String> {
        held(&visitor.simulator, records).iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    };
    let (machines, cves) = (ids(VulnerabilityRecords::Machines), ids(VulnerabilityRecords::Vulnerabilities));
    assert_eq!((machines.len(), cves.len()), (30, 90));
    let mut exposure = BTreeMap::<String, BTreeSet<String>>::new();
    let (mut unknown_machines, mut unknown_cves, mut null_cves) = (0, 0, 0);
    let rows = held(&visitor.simulator, VulnerabilityRecords::Products);
    assert_eq!(rows.len(), 439);
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let parts = ["machineId", "cveId", "productVendor", "productName", "productVersion", "fixingKbId"].map(text);
        assert_eq!(text("id"), parts.join("-_-"));
        let known = machines.contains(text("machineId"));
        unknown_machines += usize::from(!known);
        match row["cveId"].as_str() {
            None => null_cves += 1,
            Some(cve) if !cves.contains(cve) => unknown_cves += 1,
            Some(cve) if known => {
                exposure.entry(cve.to_owned()).or_default().insert(text("machineId").to_owned());
            }
            Some(_) => {}
        }
    }
    assert_eq!((unknown_machines, unknown_cves, null_cves), (4, 5, 6));
    for vulnerability in held(&visitor.simulator, VulnerabilityRecords::Vulnerabilities) {
        let machines = exposure.get(vulnerability["id"].as_str().unwrap()).map_or(0, BTreeSet::len);
        assert_eq!(vulnerability["exposedMachines"], machines, "{vulnerability}");
    }
    assert_eq!(exposure.len(), 25);

    let distinct: BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 430, "nine come twice");
    // Rows of one machine, CVE and product: by version, and by KB.
    let mut groups = BTreeMap::<Vec<&str>, BTreeSet<(&str, &str)>>::new();
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let key = ["machineId", "cveId", "productName"].map(text).to_vec();
        groups.entry(key).or_default().insert((text("productVersion"), text("fixingKbId")));
    }
    let several = |part: fn(&(&str, &str)) -> String| {
        let sizes = groups.values().map(|group| group.iter().map(part).collect::<BTreeSet<_>>().len());
        sizes.filter(|size| *size > 1).count()
    };
    assert_eq!(several(|group| group.1.to_owned()), 8);
    assert_eq!(several(|group| group.0.to_owned()), 7);
}

#[tokio::test]
async fn findings_are_all_rows_and_the_vulnerabilities_that_are_in_none() {
    let vulnerabilities = VulnerabilityOptions { exposed: 80, products: 50, ..injected() };
    let visitor = Visitor::of_defender(holding(vulnerabilities)).await;
    let texts = |record: &Value, name: &str| record[name].as_str().map(str::to_owned);
    let list = |records| held(&visitor.simulator, records);
    let machines: BTreeSet<_> = list(VulnerabilityRecords::Machines).iter().map(|one| texts(one, "id")).collect();
    let cves: BTreeSet<_> = list(VulnerabilityRecords::Vulnerabilities).iter().map(|one| texts(one, "id")).collect();
    let rows = list(VulnerabilityRecords::Products);
    let mut expected: Vec<Finding> = rows
        .iter()
        .map(|row| Finding {
            id: texts(row, "id").unwrap(),
            cve_id: texts(row, "cveId"),
            machine_id: texts(row, "machineId"),
            known_cve: cves.contains(&texts(row, "cveId")),
            known_machine: machines.contains(&texts(row, "machineId")),
        })
        .collect();
    let used: BTreeSet<_> = rows.iter().map(|row| texts(row, "cveId")).collect();
    expected.extend(cves.difference(&used).map(|id| Finding {
        id: id.clone().unwrap(),
        cve_id: id.clone(),
        machine_id: None,
        known_cve: true,
        known_machine: false,
    }));
    let mut findings: Vec<Finding> = visitor.simulator.vulnerabilities().findings().collect();
    findings.sort();
    expected.sort();
    assert_eq!(findings, expected);
}

#[tokio::test]
async fn records_are_as_long_as_in_real_tenants_and_of_many_kinds() {
    let options =
        VulnerabilityOptions { machines: 1000, vulnerabilities: 2000, exposed: 300, products: 3000, ..injected() };
    let visitor = Visitor::of_defender(holding(options)).await;
    let all = visitor.simulator.vulnerabilities();
    for (records, range) in [
        (VulnerabilityRecords::Machines, 1100..1300),
        (VulnerabilityRecords::Vulnerabilities, 1700..2200),
        (VulnerabilityRecords::Products, 320..380),
        (VulnerabilityRecords::Export, 900..1150),
    ] {
        let count = usize::try_from(all.count(records)).unwrap();
        let mean = all.records(records).map(|json| json.len()).sum::<usize>() / count;
        assert!(range.contains(&mean), "{records:?} {mean}");
    }
    let machines = held(&visitor.simulator, VulnerabilityRecords::Machines);
    let platforms: BTreeSet<&str> = machines.iter().map(|machine| machine["osPlatform"].as_str().unwrap()).collect();
    assert!(platforms.len() >= 8 && platforms.contains("RedHatEnterpriseLinux"), "{platforms:?}");
    let vulnerabilities = held(&visitor.simulator, VulnerabilityRecords::Vulnerabilities);
    let descriptions = vulnerabilities.iter().map(|one| one["description"].as_str().unwrap());
    let (mut whole, mut others, mut length) = (0, 0, 0);
    for description in descriptions {
        let parts = ["Summary: ", " Impact: ", " Remediation: "].map(|part| description.find(part));
        if parts.iter().all(Option::is_some) && parts.is_sorted() {
            (whole, length) = (whole + 1, length + description.len());
        } else {
            others += 1;
        }
    }
    assert!((50..300).contains(&others), "{others}");
    assert!((1000..1300).contains(&(length / whole)), "{}", length / whole);
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let visitor = Visitor::of_defender(holding(injected())).await;
    for (path, status, code) in [
        ("/api/machines?$top=10001", 400, "BadRequest"),
        ("/api/machines?$top=0", 400, "BadRequest"),
        ("/api/vulnerabilities?$top=8001", 400, "BadRequest"),
        ("/api/vulnerabilities/machinesVulnerabilities?$top=10001", 400, "BadRequest"),
        ("/api/machines?$orderby=id", 400, "BadRequest"),
        ("/api/machines?$skip=-1", 400, "BadRequest"),
        ("/api/alerts", 404, "NotFound"),
    ] {
        let (found, found_code, message) = refusal(&visitor, path).await;
        assert_eq!((found, &*found_code), (status, code), "{path}: {message}");
    }
    assert_eq!(visitor.simulator.counters().refused, 6);
    let beyond = body(visitor.get("/api/machines?$skip=1000").await).await;
    assert_eq!(beyond["value"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_tenant_without_machines_says_that_there_is_nothing() {
    let empty = VulnerabilityOptions {
        machines: 0,
        vulnerabilities: 0,
        exposed: 0,
        products: 0,
        changes: 0,
        ..Default::default()
    };
    let visitor = Visitor::of_defender(holding(empty)).await;
    assert_eq!(refusal(&visitor, "/api/machines").await.0, 404);
    for (path, _) in &PATHS[1..] {
        assert_eq!(body(visitor.get(path).await).await["value"], Value::Array(Vec::new()));
    }
}

#[tokio::test]
async fn tokens_are_good_for_one_api() {
    let mut visitor = Visitor::new(Options::default()).await;
    let (status, code, message) = refusal(&visitor, "/api/machines").await;
    assert_eq!((status, &*code), (401, "Unauthorized"));
    assert!(message.contains("audience"), "{message}");
    for scope in [crate::client::DEFENDER, "https://securitycenter.onmicrosoft.com/windowsatpservice/.default"] {
        visitor.renew_for(scope).await;
        assert_eq!(visitor.get("/api/machines").await.status().as_u16(), 200);
        assert_eq!(visitor.refusal("/v1.0/security/alerts_v2").await.0, 401);
    }
    visitor.token = "made-up".into();
    assert_eq!(refusal(&visitor, "/api/machines").await.0, 401);
    assert_eq!(visitor.simulator.counters().unauthorized, 4);
}

#[tokio::test]
async fn each_role_opens_its_part() {
    let machines = "/api/machines";
    let others = [
        "/api/vulnerabilities",
        "/api/vulnerabilities/machinesVulnerabilities",
        "/api/machines/SoftwareVulnerabilitiesExport",
        "/api/machines/SoftwareVulnerabilityChangesByMachine?sinceTime=2100-01-01T00:00:00Z",
    ];
    let defender = DefenderOptions { missing_machine_role: true, ..DefenderOptions::default() };
    let visitor = Visitor::of_defender(Options { defender, ..Options::default() }).await;
    let (status, code, message) = refusal(&visitor, machines).await;
    assert_eq!((status, &*code), (403, "Forbidden"));
    assert!(message.contains("Machine.Read.All"), "{message}");
    for path in others {
        assert_eq!(visitor.get(path).await.status().as_u16(), 200, "{path}");
    }
    let defender = DefenderOptions { missing_vulnerability_role: true, ..DefenderOptions::default() };
    let visitor = Visitor::of_defender(Options { defender, ..Options::default() }).await;
    assert_eq!(visitor.get(machines).await.status().as_u16(), 200);
    for path in others {
        let (status, _, message) = refusal(&visitor, path).await;
        assert_eq!(status, 403, "{path}");
        assert!(message.contains("Vulnerability.Read.All"), "{message}");
    }
    let access = AccessOptions { missing_role: true, ..AccessOptions::default() };
    let visitor = Visitor::of_defender(Options { access, ..Options::default() }).await;
    assert_eq!(refusal(&visitor, machines).await.0, 403);
}

#[tokio::test]
async fn faults_befall_this_api_too() {
    let failing = |faults| Options { faults, ..Options::default() };
    let visitor =
        Visitor::of_defender(failing(FaultOptions { throttled: 1.0, retry_after: 7, ..Default::default() })).await;
    let answer = visitor.get("/api/machines").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(body(answer).await["error"]["code"], "TooManyRequests");

    let visitor = Visitor::of_defender(failing(FaultOptions { failed: 1.0, ..Default::default() })).await;
    assert_eq!(refusal(&visitor, "/api/machines").await.0, 500);

    let visitor = Visitor::of_defender(failing(FaultOptions { broken: 1.0, ..Default::default() })).await;
    let answer = visitor.get("/api/vulnerabilities").await;
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.bytes().await.is_err());
    assert_eq!(visitor.simulator.counters().broken, 1);
}

#[tokio::test]
async fn the_same_seed_and_time_give_the_same_bytes() {
    let read = async |seed| {
        let alerts =
            AlertOptions { seed, now: Some("2025-06-01T12:00:00Z".parse().unwrap()), ..AlertOptions::default() };
        let visitor = Visitor::of_defender(Options { alerts, ..holding(injected()) }).await;
        let mut pages = Vec::new();
        for (path, _) in PATHS {
            pages.push(visitor.get(path).await.bytes().await.unwrap());
        }
        pages
    };
    let (one, other) = (read(1).await, read(2).await);
    assert_eq!(read(1).await, one);
    assert!(one.iter().zip(&other).all(|(one, other)| one != other));
}

#[tokio::test]
async fn answers_are_compressed_where_that_is_accepted() {
    let visitor = Visitor::of_defender(Options::default()).await;
    let url = format!("{}/api/machines", visitor.simulator.url());
    let ask = async |visitor: &Visitor, url: &str| {
        let request = visitor.client.get(url).bearer_auth(&visitor.token).header("accept-encoding", "gzip");
        request.send().await.unwrap().headers().contains_key("content-encoding")
    };
    assert!(ask(&visitor, &url).await);
    let graph = GraphOptions { plain: true, ..GraphOptions::default() };
    let visitor = Visitor::of_defender(Options { graph, ..Options::default() }).await;
    let url = format!("{}/api/machines", visitor.simulator.url());
    assert!(!ask(&visitor, &url).await);
}
