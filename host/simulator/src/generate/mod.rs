//! What a tenant holds and streams. Of each alert only an [`Outline`] is kept; its JSON is made when it is asked for, from the seed
//! and the alert's number alone.

mod alert;
mod catalog;
mod dice;
mod directory;
pub(crate) mod enums;
pub(crate) mod event;
mod evidence;
mod incident;
mod json;
mod outline;
mod pools;
mod scene;
pub(crate) mod vulnerability;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::dice::Dice;
pub(crate) use self::enums::Members;
pub(crate) use self::incident::{Incident, id_of_alert as incident_of};
pub(crate) use self::outline::Outline;
use self::scene::Scene;
use crate::options::{AccessOptions, AlertOptions};
use crate::server::Error;
use crate::tenant::{Expected, ExpectedIncident};
use crate::time::{self, Ticks};

/// The alerts of a tenant. Clones share their content.
#[derive(Clone)]
pub(crate) struct Corpus {
    tenant_id: Arc<str>,
    options: Arc<AlertOptions>,
    outlines: Arc<[Outline]>,
    incidents: Arc<[Incident]>,
}

/// The JSON of all alerts that a tenant with these options holds, one after the other. Same options, same bytes, if `now`
/// is given.
pub fn alerts(options: &AlertOptions) -> Result<impl Iterator<Item = Vec<u8>> + use<>, Error> {
    options.check().map_err(Error::Options)?;
    let corpus = Corpus::new(options, &AccessOptions::default().tenant_id);
    Ok((0..corpus.outlines.len()).filter_map(move |index| {
        let mut json = Vec::new();
        corpus.write(corpus.outlines.get(index)?, Members::All, &mut json);
        Some(json)
    }))
}

/// The JSON of all incidents with their alerts, as [`alerts`].
pub fn incidents(options: &AlertOptions) -> Result<impl Iterator<Item = Vec<u8>> + use<>, Error> {
    options.check().map_err(Error::Options)?;
    let corpus = Corpus::new(options, &AccessOptions::default().tenant_id);
    Ok((0..corpus.incidents.len()).filter_map(move |index| {
        Some(corpus.incident(corpus.incidents.get(index)?, true, Members::All).flatten().collect())
    }))
}

impl Corpus {
    /// Draws the outlines of all alerts.
    pub(crate) fn new(options: &AlertOptions, tenant_id: &str) -> Self {
        let mut now: Ticks = options.now.map_or_else(time::now, time::from_utc);
        let mut options = options.clone();
        // All are drawn at the start, as they will be there at the end.
        if let Some(rate) = options.per_second {
            options.spread = Duration::from_secs_f64(options.count as f64 / rate);
            now += time::from_duration(options.spread);
        }
        let outlines: Vec<Outline> = (0..options.count).map(|index| Outline::draw(&options, now, index)).collect();
        Self {
            tenant_id: tenant_id.into(),
            incidents: incident::draw(&options, now, &outlines).into(),
            outlines: outlines.into(),
            options: Arc::new(options),
        }
    }

    /// All alerts, oldest update first but for late ones, which come last.
    pub(crate) fn outlines(&self) -> &[Outline] {
        &self.outlines
    }

    /// All incidents, those without alerts last.
    pub(crate) fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// An alert's `id`.
    pub(crate) fn id(&self, alert: &Outline) -> String {
        alert::ids(self.options.seed, alert).0
    }

    pub(crate) fn expected(&self) -> Vec<Expected> {
        let mut expected: Vec<Expected> = self
            .outlines
            .iter()
            .map(|alert| Expected { id: self.id(alert), last_update_date_time: time::text(alert.updated) })
            .collect();
        expected.sort_unstable();
        expected
    }

    pub(crate) fn expected_incidents(&self) -> Vec<ExpectedIncident> {
        let ids = |incident: &Incident| {
            let mut alerts: Vec<String> = self
                .outlines
                .get(incident.alerts.clone())
                .unwrap_or_default()
                .iter()
                .map(|alert| self.id(alert))
                .collect();
            alerts.sort_unstable();
            alerts
        };
        let mut expected: Vec<ExpectedIncident> = self
            .incidents
            .iter()
            .map(|incident| ExpectedIncident { id: incident.id(), alerts: ids(incident) })
            .collect();
        expected.sort_unstable();
        expected
    }

    /// Appends an alert's JSON.
    pub(crate) fn write(&self, alert: &Outline, members: Members, json: &mut Vec<u8>) {
        let scene = Scene::new(self.options.seed, &self.tenant_id, alert, members);
        alert::write(scene, alert, &self.options, json);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::enums::Kind;
    use super::*;

    fn options(count: usize) -> AlertOptions {
        let now = Some("2025-03-04T05:06:07.1234567Z".parse().unwrap());
        AlertOptions { count, now, ..AlertOptions::default() }
    }

    fn parsed(options: &AlertOptions, members: Members) -> Vec<Value> {
        let corpus = Corpus::new(options, "tenant");
        let write = |alert| {
            let mut json = Vec::new();
            corpus.write(alert, members, &mut json);
            serde_json::from_slice(&json).unwrap()
        };
        corpus.outlines().iter().map(write).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let all = |seed| alerts(&AlertOptions { seed, ..options(200) }).unwrap().collect::<Vec<_>>();
        assert_eq!(all(1), all(1));
        let (one, two) = (all(1), all(2));
        assert!(one.iter().zip(&two).all(|(one, two)| one != two));
    }

    #[test]
    fn ids_are_unique_and_as_expected() {
        let corpus = Corpus::new(&options(2000), "tenant");
        let expected = corpus.expected();
        let sent: BTreeSet<(String, String)> = parsed(&options(2000), Members::All)
            .iter()
            .map(|alert| ["id", "lastUpdateDateTime"].map(|name| alert[name].as_str().unwrap().to_owned()).into())
            .collect();
        assert_eq!(sent.len(), 2000);
        assert!(expected.into_iter().map(|alert| (alert.id, alert.last_update_date_time)).eq(sent));
    }

    #[test]
    fn every_kind_of_evidence_occurs_with_its_type_first() {
        let mut kinds = BTreeMap::<String, usize>::new();
        for json in alerts(&options(1000)).unwrap() {
            let alert: Value = serde_json::from_slice(&json).unwrap();
            let items = alert["evidence"].as_array().unwrap();
            assert!((2..=4).contains(&items.len()));
            for item in items {
                *kinds.entry(item["@odata.type"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            let text = String::from_utf8(json).unwrap();
            assert!(text.contains(r#""evidence":[{"@odata.type":"#), "{text}");
        }
        let expected: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.odata_type().to_owned()).collect();
        assert_eq!(expected.len(), 48);
        assert_eq!(kinds.keys().cloned().collect::<BTreeSet<_>>(), expected, "{kinds:?}");
    }

    #[test]
    fn an_alert_is_as_long_as_in_real_tenants_by_default_and_as_asked_for() {
        let lengths = |options: &AlertOptions| alerts(options).unwrap().map(|json| json.len()).collect::<Vec<_>>();
        let mean = lengths(&options(1000)).iter().sum::<usize>() / 1000;
        assert!((3300..3700).contains(&mean), "{mean}");
        for length in lengths(&AlertOptions { alert_size: 200_000, ..options(20) }) {
            assert!((200_000..208_000).contains(&length), "{length}");
        }
        for alert in parsed(&AlertOptions { min_evidence: 0, max_evidence: 0, ..options(20) }, Members::All) {
            assert_eq!(alert["evidence"], Value::Array(Vec::new()));
        }
    }

    #[test]
    fn updates_are_spread_up_to_now_and_tied_where_asked_for() {
        let options = AlertOptions { ties: 250, late: 30, spread: Duration::from_secs(3600), ..options(1000) };
        let corpus = Corpus::new(&options, "tenant");
        let now = time::from_utc(options.now.unwrap());
        let alerts = corpus.outlines();
        let mut instants = BTreeMap::<Ticks, Vec<&Outline>>::new();
        for alert in alerts {
            assert!(alert.created <= alert.updated && alert.updated <= now && alert.updated > now - time::HOUR);
            instants.entry(alert.updated).or_default().push(alert);
        }
        let tied: Vec<_> = instants.values().filter(|alerts| alerts.len() > 1).collect();
        assert_eq!(tied.iter().map(|alerts| alerts.len()).collect::<Vec<_>>(), [250]);
        assert!(tied[0].iter().map(|alert| alert.created).collect::<BTreeSet<_>>().len() > 200);
        let late: Vec<_> = alerts.iter().filter(|alert| alert.late).collect();
        assert_eq!(late.len(), 30);
        assert!(late.iter().all(|alert| alert.updated < now && alert.updated >= now - 300 * time::SECOND));
        assert!(alerts.iter().any(|alert| !alert.late && alert.updated == now));
    }

    #[test]
    fn ties_may_share_their_creation_too() {
        let options = AlertOptions { ties: 100, ties_share_creation: true, ..options(100) };
        let corpus = Corpus::new(&options, "tenant");
        let times: BTreeSet<_> = corpus.outlines().iter().map(|alert| (alert.created, alert.updated)).collect();
        assert_eq!(times.len(), 1);
        let severities: BTreeSet<_> = corpus.outlines().iter().map(|alert| alert.severity).collect();
        assert!(severities.len() > 2);
    }

    #[test]
    fn newer_members_are_shown_only_to_who_asks() {
        let (all, old) = (parsed(&options(500), Members::All), parsed(&options(500), Members::Old));
        let mut differ = 0;
        for (all, old) in all.iter().zip(&old) {
            for name in ["serviceSource", "detectionSource"] {
                if all[name] != old[name] {
                    assert_eq!(old[name], "unknownFutureValue");
                    differ += 1;
                }
            }
            assert_ne!(all["serviceSource"], "unknownFutureValue");
            let statuses = |alert: &Value| {
                let items = alert["evidence"].as_array().unwrap().iter();
                items.map(|item| item["remediationStatus"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            assert!(!statuses(old).contains(&"active".to_owned()));
        }
        assert!(differ > 100, "{differ}");
    }

    #[test]
    fn names_agree_within_an_alert() {
        let mut compared = 0;
        for alert in parsed(&options(1000), Members::All) {
            let items = alert["evidence"].as_array().unwrap();
            let device = items.iter().find(|item| item["@odata.type"] == "#microsoft.graph.security.deviceEvidence");
            let Some(device) = device else { continue };
            for item in items.iter().filter(|item| item["mdeDeviceId"].is_string()) {
                assert_eq!(item["mdeDeviceId"], device["mdeDeviceId"]);
                compared += 1;
            }
        }
        assert!(compared > 300, "{compared}");
    }
}
