//! The incident component: incidents of Microsoft Graph Security (`/v1.0/security/incidents`) to documents of the data
//! stream `m365_defender.incident`. What maps to what is in `pipelines/incident.yml` and `pipelines/evidence.yml`.
//!
//! An incident becomes one document for each of its alerts, or a single one where it has none. Each is mapped from the
//! incident's bytes with this one alert in the place of `alerts`, and leaves as soon as it is made; so an incident with
//! thousands of alerts takes no more than its own bytes, and `event.original` of a document has its own alert only.

use defenderbeat_mapping::{Engine, Malformed, check};
use defenderbeat_sdk::{Descriptor, Documents, Fate, Feed, Guest, Outcome, Record, SettingsError, State, engine};

mod alerts;
mod functions;
mod table {
    #![allow(missing_docs, unreachable_pub, reason = "generated from pipelines/incident.yml")]
    include!(concat!(env!("OUT_DIR"), "/incident.rs"));
}

use alerts::identity;

/// Index of the feed of incidents whose alerts come apart from them.
const INCIDENT_ALERTS: usize = 1;
/// Bytes of the buffer that are kept between records.
const IDLE_CAPACITY: usize = 256 << 10;

/// Maps incidents, a document for each alert.
pub struct Incident {
    engine: Engine,
    /// An incident with one alert, as it is mapped.
    single: Vec<u8>,
}

impl Guest for Incident {
    const DESCRIPTOR: Descriptor = Descriptor {
        name: "incident",
        version: env!("CARGO_PKG_VERSION"),
        ecs_version: table::TABLE.ecs,
        tables: table::TABLE.digest,
        feeds: &[
            Feed { name: "incidents", keys: &["value", "records"], state: State::None },
            Feed { name: "incident-alerts", keys: &[], state: State::None },
        ],
        routes: &[table::TABLE.dataset],
    };

    fn open(settings: &str) -> Result<Self, SettingsError> {
        Ok(Self { engine: Engine::new(&table::TABLE, engine::settings(settings)?), single: Vec::new() })
    }

    fn map(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        match record.feed {
            INCIDENT_ALERTS => self.map_joined(record, out),
            _ => self.map_expanded(record, out),
        }
    }

    fn max_record_size(&self) -> usize {
        engine::max_record_size(&self.engine)
    }
}

impl Incident {
    /// An incident that holds its alerts.
    fn map_expanded(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        // Before anything leaves: a record that is no JSON leaves no document.
        if let Err(error) = check(record.bytes) {
            return engine::malformed(&error);
        }
        let incident = alerts::Incident::new(record.bytes);
        match incident.single() {
            Some(alert) => engine::map_as(&mut self.engine, record, out, |id| identity(id, alert)),
            None => self.map_each(record, incident, incident.list(), out),
        }
    }

    /// An incident and then its alerts, one a line, or once more the incident with its alerts; or, in the place of what
    /// could not be had, `{"error":{..}}`.
    fn map_joined(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        if let Some(error) = alerts::pieces(record.bytes).find_map(|line| check(line).err()) {
            return engine::malformed(&error);
        }
        let mut lines = alerts::pieces(record.bytes);
        let Some(incident) = lines.next().filter(|line| line.starts_with(b"{")) else {
            return engine::malformed(&Malformed("does not begin with an incident".to_owned()));
        };
        let incident = alerts::Incident::new(incident);
        let all = incident.alerts().chain(lines.flat_map(alerts::of_line));
        self.map_each(record, incident, all, out)
    }

    /// One document for each alert and each failure, or one where there is neither.
    fn map_each<'a>(
        &mut self,
        record: &Record<'_>,
        incident: alerts::Incident<'a>,
        alerts: impl Iterator<Item = &'a [u8]>,
        out: &mut Documents<'_>,
    ) -> Outcome {
        let mut whole = Outcome { fate: Fate::Dropped, position: 0 };
        let mut alone = true;
        let mut single = std::mem::take(&mut self.single);
        for alert in alerts {
            alone = false;
            let outcome = match alerts::failure(alert).filter(|_| record.feed == INCIDENT_ALERTS) {
                Some(message) => {
                    incident.write_alone(&mut single);
                    let record = Record { bytes: &single, outline: None, ..*record };
                    engine::map_noted(&mut self.engine, &record, out, vec![message])
                }
                None => {
                    incident.write_with(alert, &mut single);
                    let record = Record { bytes: &single, outline: None, ..*record };
                    engine::map_as(&mut self.engine, &record, out, |id| identity(id, alert))
                }
            };
            whole.position = whole.position.max(outcome.position);
            if outcome.fate != Fate::Dropped {
                whole.fate = outcome.fate;
            }
        }
        if alone {
            incident.write_alone(&mut single);
            whole = engine::map(&mut self.engine, &Record { bytes: &single, outline: None, ..*record }, out);
        }
        // One long alert must not hold its memory for the rest of the instance's life.
        single.shrink_to(IDLE_CAPACITY);
        self.single = single;
        whole
    }
}

defenderbeat_sdk::export!(Incident);
