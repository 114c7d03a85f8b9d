//! A Microsoft Defender tenant on loopback, for tests and demonstrations: the token endpoint and those of managed
//! identities, `alerts_v2` and `incidents`
//! of Graph Security v1.0, machines, vulnerabilities, exports and changes of the Defender for Endpoint API, and an Event Hubs
//! namespace with the event stream; with seeded, realistic alerts and records, and with the faults that a real tenant has. It
//! also makes records without a server: [`alerts`], [`Vulnerabilities`], and of all tables [`events`].
//!
//! Everything it holds follows from its [`Options`]: the same seed and the same `now` give the same alerts, byte for byte,
//! and the same faults at the same requests. It listens on 127.0.0.1 only. Alerts are generated when they are asked for
//! and sent while they are generated, so memory does not depend on the length of a page.
//!
//! ```no_run
//! # async fn demonstration() -> Result<(), defenderbeat_simulator::Error> {
//! use defenderbeat_simulator::{AlertOptions, FaultOptions, Options, Simulator};
//!
//! let simulator = Simulator::start(Options {
//!     alerts: AlertOptions { count: 10_000, ties: 2_500, late: 50, ..AlertOptions::default() },
//!     faults: FaultOptions { failed: 0.05, throttled: 0.05, retry_after: 0, ..FaultOptions::default() },
//!     ..Options::default()
//! })
//! .await?;
//! println!("{} holds {} alerts", simulator.url(), simulator.expected().len());
//!
//! let hub = simulator.event_hubs().hub("defender").expect("it is the default");
//! hub.publish(0, r#"{"records":[{"category":"AdvancedHunting-DeviceInfo"}]}"#);
//! println!("{}", simulator.event_hubs().connection_string());
//! # Ok(())
//! # }
//! ```

mod answer;
mod assertion;
mod defender;
mod event_hubs;
mod faults;
mod generate;
mod graph;
mod login;
mod managed;
mod options;
mod server;
mod stream;
mod tenant;
mod time;
mod token;

pub use defender::log::DefenderRequest;
pub use defender::options::{DefenderOptions, ExportForm};
pub use event_hubs::options::EventHubsOptions;
pub use event_hubs::{EventHub, EventHubs, EventHubsCounters};
pub use generate::event::{EventOptions, Events, Table, envelopes, events};
pub use generate::vulnerability::object::Spelling;
pub use generate::vulnerability::options::VulnerabilityOptions;
pub use generate::vulnerability::{Finding, Vulnerabilities, VulnerabilityRecords};
pub use generate::{alerts, incidents};
pub use options::{AccessOptions, AlertOptions, FaultOptions, GraphOptions, NextLink, Options};
pub use server::{Error, Simulator};
pub use tenant::{Counters, Expected, ExpectedIncident};
