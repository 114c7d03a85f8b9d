//! The JSON of an alert: every property of `microsoft.graph.security.alert`, in the order in which Graph sends them.

use super::catalog::{self, Template};
use super::dice::Dice;
use super::evidence;
use super::incident;
use super::json::{Json, object};
use super::outline::Outline;
use super::pools;
use super::scene::Scene;
use crate::options::AlertOptions;
use crate::time::{self, HOUR, SECOND, Ticks};

/// Ticks from 0001-01-01T00:00:00Z to 1970-01-01T00:00:00Z; Defender for Endpoint's ids count from the former.
const DOTNET_EPOCH: Ticks = 621_355_968_000_000_000;

/// `id` and `providerAlertId`.
pub(crate) fn ids(seed: u64, alert: &Outline) -> (String, String) {
    let prefix = catalog::prefix(alert.template().service);
    let mut dice = Dice::new(seed, "id", alert.index as u64);
    let own = if prefix == "da" {
        // The number makes it unique, whatever the time.
        format!("{}_{}{}", DOTNET_EPOCH + alert.created, dice.between(1, 2_000_000_000), alert.index)
    } else {
        dice.guid()
    };
    (format!("{prefix}{own}"), own)
}

/// Appends an alert.
pub(crate) fn write(mut scene: Scene<'_>, alert: &Outline, options: &AlertOptions, json: &mut Vec<u8>) {
    let template = alert.template();
    let start = json.len();
    append(json, &head(&mut scene, alert, options));
    // Evidence is the last member, written item by item.
    json.pop();
    json.extend_from_slice(br#","evidence":["#);
    // Fewer are more frequent.
    let mut items = || scene.dice.between(options.min_evidence as i64, options.max_evidence as i64 + 1) as usize;
    let items = items().min(items()).min(items());
    let offset = scene.dice.below(template.more.len());
    let others = template.more.iter().cycle().skip(offset);
    for (number, kind) in std::iter::once(&template.main).chain(others).enumerate() {
        if number >= items && json.len() - start >= options.alert_size {
            break;
        }
        if number > 0 {
            json.push(b',');
        }
        scene.next_item();
        append(json, &evidence::item(&mut scene, *kind, number == 0));
    }
    json.extend_from_slice(b"]}");
}

fn append(json: &mut Vec<u8>, value: &Json) {
    // Writing text and finite numbers to memory does not fail.
    let _ = serde_json::to_writer(json, value);
}

fn head(scene: &mut Scene<'_>, alert: &Outline, options: &AlertOptions) -> Json {
    let template = alert.template();
    let (id, provider_id) = ids(options.seed, alert);
    let incident = incident::id_of_alert(alert.index, options);
    let portal =
        |what: &str, id: &str, tenant: &str| format!("https://security.microsoft.com/{what}/{id}?tid={tenant}");
    let threat = threat(scene, template);
    let description = scene.fill(template.description);
    let steps: Vec<String> = template
        .steps
        .iter()
        .enumerate()
        .map(|(number, step)| format!("{}. {}", number + 1, scene.fill(step)))
        .collect();
    let resolved = (alert.status == "resolved").then(|| time::text(alert.updated));
    let last_activity = scene.activity + scene.dice.between(0, alert.created - scene.activity);
    let custom = matches!(template.detection, "customDetection" | "scheduledAlerts");
    object! {
        "id": id.clone(),
        "providerAlertId": provider_id,
        "incidentId": &incident,
        "status": alert.status,
        "severity": alert.severity,
        "classification": alert.classification,
        "determination": alert.determination,
        "serviceSource": scene.members.show(template.service),
        "detectionSource": scene.members.show(template.detection),
        "productName": catalog::product(template.service),
        "detectorId": Dice::new(0, template.title, 0).guid(),
        "tenantId": scene.tenant_id.to_owned(),
        "title": template.title,
        "description": description,
        "recommendedActions": scene.maybe(0.4, steps.join("\n")),
        "category": template.category,
        "categories": [template.category],
        "assignedTo": alert.assigned_to(),
        "alertWebUrl": portal("alerts", &id, scene.tenant_id),
        "incidentWebUrl": portal("incidents", &incident, scene.tenant_id),
        "actorDisplayName": actor(scene),
        "threatDisplayName": threat.map(|[name, _, _]| name),
        "threatFamilyName": threat.map(|[_, _, family]| family),
        "mitreTechniques": template.techniques.to_vec(),
        "createdDateTime": time::text(alert.created),
        "lastUpdateDateTime": time::text(alert.updated),
        "resolvedDateTime": resolved,
        "firstActivityDateTime": scene.at(),
        "lastActivityDateTime": time::text(last_activity),
        "systemTags": if template.detection == "microsoftThreatExperts" { vec!["Defender Experts"] } else { Vec::new() },
        "alertPolicyId": custom.then(|| Dice::new(1, template.title, 0).guid()),
        "investigationState": state(scene, template),
        "comments": comments(scene, alert),
        "customDetails": if custom { custom_details(scene) } else { object! {} },
        "additionalData": additional_data(scene),
    }
}

fn threat(scene: &mut Scene<'_>, template: &Template) -> Option<[&'static str; 3]> {
    (template.category == "Malware" || scene.dice.chance(0.1)).then_some(scene.threat)
}

fn actor(scene: &mut Scene<'_>) -> Option<&'static str> {
    scene.dice.chance(0.05).then(|| scene.dice.pick(&pools::ACTORS))
}

fn state(scene: &mut Scene<'_>, template: &Template) -> &'static str {
    match template.service {
        "microsoftDefenderForEndpoint" | "microsoftDefenderForOffice365" => scene.dice.pick(&[
            "successfullyRemediated",
            "partiallyRemediated",
            "benign",
            "running",
            "pendingApproval",
            "queued",
            "terminatedByUser",
            "partiallyInvestigated",
        ]),
        _ => scene.dice.pick(&["unsupportedAlertType", "unknown", "unsupportedOs"]),
    }
}

fn comments(scene: &mut Scene<'_>, alert: &Outline) -> Vec<Json> {
    if alert.status == "new" || scene.dice.chance(0.4) {
        return Vec::new();
    }
    let comment = scene.dice.pick(&[
        "Asked the owner of the account.",
        "Same as last week; known deployment.",
        "Device isolated, ticket CHG-1204.\nWaiting for the image.",
        "Closed automatically after remediation.",
    ]);
    let author = alert.assigned_to().unwrap_or("API-App:Ticketing");
    vec![object! {
        "@odata.type": "#microsoft.graph.security.alertComment",
        "comment": comment,
        "createdByDisplayName": author,
        "createdDateTime": time::text(alert.updated - scene.dice.between(0, (alert.updated - alert.created).min(HOUR) + SECOND)),
    }]
}

fn custom_details(scene: &mut Scene<'_>) -> Json {
    object! {
        "Ticket": format!(r#"["CHG-{}"]"#, scene.dice.between(1000, 9999)),
        "Owner": scene.dice.pick(&[r#"["deployment"]"#, r#"["finance","audit"]"#]),
        "EventCount": format!(r#"["{}"]"#, scene.dice.between(1, 500)),
    }
}

fn additional_data(scene: &mut Scene<'_>) -> Json {
    if scene.dice.chance(0.8) {
        return Json::Null;
    }
    object! {
        "OriginalAlertProductName": "Contoso bridge",
        "ProcessedBySentinel": scene.dice.chance(0.5).to_string(),
        "Count": scene.dice.between(1, 40),
    }
}
