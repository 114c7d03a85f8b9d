//! Incidents: alerts that follow each other, and what is said of them together.

use std::ops::Range;

use super::Corpus;
use super::dice::Dice;
use super::json::{Json, object};
use super::outline::Outline;
use crate::options::AlertOptions;
use crate::time::{self, HOUR, SECOND, Ticks};

/// Numbers of incidents begin here.
const FIRST: usize = 4000;

/// What is kept of an incident: what can be filtered and ordered by.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// 0, 1, 2 .. of all incidents.
    index: usize,
    /// Numbers of its alerts.
    pub(crate) alerts: Range<usize>,
    pub(crate) created: Ticks,
    pub(crate) updated: Ticks,
    /// Becomes visible late.
    pub(crate) late: bool,
    pub(crate) severity: &'static str,
    pub(crate) status: &'static str,
    pub(crate) classification: Option<&'static str>,
    pub(crate) determination: Option<&'static str>,
    pub(crate) assigned_to: Option<&'static str>,
}

/// The `id` of the incident of an alert.
pub(crate) fn id_of_alert(index: usize, options: &AlertOptions) -> String {
    (FIRST + index / options.alerts_per_incident.max(1)).to_string()
}

/// All incidents: those with alerts, and then those without.
pub(crate) fn draw(options: &AlertOptions, now: Ticks, alerts: &[Outline]) -> Vec<Incident> {
    let size = options.alerts_per_incident.max(1);
    let mut incidents: Vec<Incident> =
        alerts.chunks(size).enumerate().map(|(index, alerts)| of_alerts(index, index * size, alerts)).collect();
    let with_alerts = incidents.len();
    incidents.extend((0..options.bare_incidents).map(|number| {
        let mut dice = Dice::new(options.seed, "bare incident", number as u64);
        let updated = now - dice.between(0, time::from_duration(options.spread).max(1));
        Incident {
            index: with_alerts + number,
            alerts: 0..0,
            created: updated - dice.between(SECOND, HOUR),
            updated,
            late: false,
            severity: "low",
            status: "redirected",
            classification: None,
            determination: None,
            assigned_to: None,
        }
    }));
    incidents
}

fn of_alerts(index: usize, first: usize, alerts: &[Outline]) -> Incident {
    let severities = ["informational", "low", "medium", "high"];
    let severity = severities.into_iter().rfind(|severity| alerts.iter().any(|alert| alert.severity == *severity));
    let all = |status: &str| alerts.iter().all(|alert| alert.status == status);
    Incident {
        index,
        alerts: first..first + alerts.len(),
        created: alerts.iter().map(|alert| alert.created).min().unwrap_or_default(),
        updated: alerts.iter().map(|alert| alert.updated).max().unwrap_or_default(),
        late: alerts.iter().any(|alert| alert.late),
        severity: severity.unwrap_or("unknown"),
        status: if all("resolved") { "resolved" } else { "active" },
        classification: alerts.iter().find_map(|alert| alert.classification),
        determination: alerts.iter().find_map(|alert| alert.determination),
        assigned_to: alerts.iter().find_map(Outline::assigned_to),
    }
}

impl Incident {
    /// `id`.
    pub(crate) fn id(&self) -> String {
        (FIRST + self.index).to_string()
    }

    /// All members but `alerts`.
    pub(crate) fn head(&self, corpus: &Corpus, options: &AlertOptions, tenant_id: &str) -> Json {
        let id = self.id();
        let mut dice = Dice::new(options.seed, "incident", self.index as u64);
        let first = corpus.outlines().get(self.alerts.start).filter(|_| !self.alerts.is_empty());
        let title = first.map_or("Suspicious activity", |alert| alert.template().title);
        let redirected = self.status == "redirected";
        let author = self.assigned_to.unwrap_or("API-App:Ticketing");
        let comments = if self.assigned_to.is_some() && dice.chance(0.5) {
            vec![object! {
                "@odata.type": "#microsoft.graph.security.alertComment",
                "comment": "Handed over to the night shift.",
                "createdByDisplayName": author,
                "createdDateTime": time::text(self.updated),
            }]
        } else {
            Vec::new()
        };
        object! {
            "id": id.clone(),
            "tenantId": tenant_id.to_owned(),
            "status": self.status,
            "incidentWebUrl": format!("https://security.microsoft.com/incident2/{id}/overview?tid={tenant_id}"),
            "redirectIncidentId": redirected.then(|| (FIRST + self.index / 2).to_string()),
            "displayName": format!("{title} involving {} alerts", self.alerts.len()),
            "createdDateTime": time::text(self.created),
            "lastUpdateDateTime": time::text(self.updated),
            "assignedTo": self.assigned_to,
            "classification": self.classification.unwrap_or("unknown"),
            "determination": self.determination.unwrap_or("unknown"),
            "severity": self.severity,
            "customTags": if dice.chance(0.3) { vec![dice.pick(&["VIP", "Finance", "Drill"])] } else { Vec::new() },
            "systemTags": if dice.chance(0.1) { vec!["Defender Experts"] } else { Vec::new() },
            "description": first.map(|alert| alert.template().title),
            "lastModifiedBy": author,
            "resolvingComment": (self.status == "resolved").then_some("Checked with the owner."),
            "summary": dice.chance(0.2).then(|| format!("{} devices are affected.", dice.between(1, 9))),
            "priorityScore": dice.between(0, 101),
            "comments": comments,
        }
    }
}

impl Corpus {
    /// The incident in pieces, at most one alert each: with its alerts where they are expanded.
    pub(crate) fn incident(
        &self,
        incident: &Incident,
        expanded: bool,
        members: super::Members,
    ) -> impl Iterator<Item = Vec<u8>> + Send + Unpin + use<> {
        let mut head = Vec::new();
        // Writing text and finite numbers to memory does not fail.
        let _ = serde_json::to_writer(&mut head, &incident.head(self, &self.options, &self.tenant_id));
        head.pop();
        let (open, close): (&[u8], &[u8]) = if expanded { (br#","alerts":["#, b"]}") } else { (b"", b"}") };
        head.extend_from_slice(open);
        let corpus = self.clone();
        let range = if expanded { incident.alerts.clone() } else { 0..0 };
        let first = range.start;
        let alerts = range.map(move |index| {
            let mut piece = if index == first { Vec::new() } else { vec![b','] };
            if let Some(alert) = corpus.outlines().get(index) {
                corpus.write(alert, members, &mut piece);
            }
            piece
        });
        std::iter::once(head).chain(alerts).chain(std::iter::once(close.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::generate::Members;

    #[test]
    fn an_incident_holds_its_alerts_and_says_what_is_true_of_them_together() {
        let now = Some("2025-03-04T05:06:07Z".parse().unwrap());
        let options =
            AlertOptions { count: 25, alerts_per_incident: 10, bare_incidents: 2, now, ..AlertOptions::default() };
        let corpus = Corpus::new(&options, "tenant");
        let incidents: Vec<Value> = corpus
            .incidents()
            .iter()
            .map(|incident| {
                let pieces: Vec<u8> = corpus.incident(incident, true, Members::All).flatten().collect();
                serde_json::from_slice(&pieces).unwrap()
            })
            .collect();
        let sizes: Vec<usize> = incidents.iter().map(|one| one["alerts"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [10, 10, 5, 0, 0]);
        for incident in &incidents {
            for alert in incident["alerts"].as_array().unwrap() {
                assert_eq!(alert["incidentId"], incident["id"]);
            }
        }
        let pieces: Vec<u8> = corpus.incident(&corpus.incidents()[0], false, Members::All).flatten().collect();
        assert!(serde_json::from_slice::<Value>(&pieces).unwrap().get("alerts").is_none());
    }
}
