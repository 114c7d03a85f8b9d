//! The alert component: alerts of Microsoft Graph Security (`/v1.0/security/alerts_v2`) to documents of the data stream
//! `m365_defender.alert`. What maps to what is in `pipelines/alert.yml` and `pipelines/evidence.yml`.

use std::cell::RefCell;

use defenderbeat_mapping::{Engine, Lookup, Mapped, Settings};
use defenderbeat_sdk::{Code, Descriptor, Documents, Fate, Feed, Guest, Meta, Outcome, Record, SettingsError, State};

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
        let settings =
            Settings::parse(settings).map_err(|error| SettingsError { path: error.path, message: error.message })?;
        Ok(Self { engine: Engine::new(&table::TABLE, settings) })
    }

    fn map(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        let mapped = {
            let host = HostLookup(RefCell::new(&mut *out));
            self.engine.map(record.bytes, record.received_at, &host)
        };
        let Mapped { id, time, position, dropped, drift } = match mapped {
            Ok(mapped) => mapped,
            Err(error) => {
                let fate = Fate::Rejected { code: Code::Malformed, path: String::new(), message: error.to_string() };
                return Outcome { fate, position: 0 };
            }
        };
        for name in &drift {
            out.drift(name, 1);
        }
        if dropped {
            return Outcome { fate: Fate::Dropped, position };
        }
        out.buffer().extend_from_slice(self.engine.document().as_bytes());
        out.commit(Meta { route: 0, id, time, position });
        Outcome { fate: Fate::Mapped, position }
    }

    fn max_record_size(&self) -> usize {
        self.engine.max_record_size().unwrap_or(defenderbeat_sdk::DEFAULT_MAX_RECORD_SIZE)
    }
}

struct HostLookup<'a, 'd>(RefCell<&'a mut Documents<'d>>);

impl Lookup for HostLookup<'_, '_> {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        self.0.borrow_mut().lookup(kind, key)
    }
}

defenderbeat_sdk::export!(Alert);
