//! The alert component: alerts of Microsoft Graph Security (`/v1.0/security/alerts_v2`) to documents of the data stream
//! `m365_defender.alert`. What maps to what is in `pipelines/alert.yml` and `pipelines/evidence.yml`.

use defenderbeat_mapping::Engine;
use defenderbeat_sdk::{Descriptor, Documents, Feed, Guest, Outcome, Record, SettingsError, State, engine};

mod functions;
mod table {
    #![allow(missing_docs, unreachable_pub, reason = "generated from pipelines/alert.yml")]
    include!(concat!(env!("OUT_DIR"), "/alert.rs"));
}

/// Maps alerts, one document each.
pub struct Alert {
    engine: Engine,
}

impl Guest for Alert {
    const DESCRIPTOR: Descriptor = Descriptor {
        name: "alert",
        version: env!("CARGO_PKG_VERSION"),
        ecs_version: table::TABLE.ecs,
        tables: table::TABLE.digest,
        feeds: &[Feed { name: "alerts", keys: &["value", "records"], state: State::None }],
        routes: &[table::TABLE.dataset],
    };

    fn open(settings: &str) -> Result<Self, SettingsError> {
        Ok(Self { engine: Engine::new(&table::TABLE, engine::settings(settings)?) })
    }

    fn map(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        engine::map(&mut self.engine, record, out)
    }

    fn max_record_size(&self) -> usize {
        engine::max_record_size(&self.engine)
    }
}

defenderbeat_sdk::export!(Alert);
