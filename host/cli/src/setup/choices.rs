//! What a configuration chooses, as far as the server can do it.

use std::collections::BTreeSet;

use defenderbeat_collector::config::{Config, Lifecycle as Wanted, Source};

use super::abilities::{Abilities, Feature};
use super::assets::{Choices, Lifecycle};
use super::latest::Latest;

/// What is made, and what is said of it.
pub(super) fn of(config: &Config, abilities: &Abilities) -> (Choices, Vec<String>) {
    let mut remarks = Vec::new();
    let (ilm, own) = (abilities.has(Feature::Ilm), abilities.has(Feature::DataStreamLifecycle));
    let lifecycle = match config.setup.lifecycle {
        Wanted::Auto | Wanted::Ilm if ilm => Lifecycle::Ilm,
        Wanted::Auto | Wanted::DataStream if own => Lifecycle::DataStream,
        Wanted::None => Lifecycle::None,
        wanted => {
            let what = match wanted {
                Wanted::Ilm => "index lifecycle management",
                Wanted::DataStream => "lifecycles of data streams",
                _ => "index lifecycle management and lifecycles of data streams",
            };
            remarks.push(format!(
                "the server lacks {what}: backing indices grow, and vulnerabilities stay, until you do something about it"
            ));
            Lifecycle::None
        }
    };
    if lifecycle == Lifecycle::DataStream {
        if config.setup.lifecycle == Wanted::Auto {
            remarks
                .push("the server lacks index lifecycle management: data streams get a lifecycle of their own".into());
        }
        remarks.push(
            "with a lifecycle of data streams the server decides when a new backing index is started \
             (cluster.lifecycle.default.rollover): where that is not each day, vulnerabilities stay longer than seven days"
                .into(),
        );
    }
    let ingested = config.setup.ingest_pipeline && abilities.has(Feature::IngestSet);
    if config.setup.ingest_pipeline && !ingested {
        remarks.push("the server lacks the ingest processor set: event.ingested is the collector's time".into());
    }
    let mut latest = latest(config);
    if latest.is_some() && !abilities.has(Feature::Transforms) {
        remarks.push("the server lacks transforms: Kibana's page of findings stays empty".into());
        latest = None;
    }
    (Choices { lifecycle, ingested, latest, customs: BTreeSet::new() }, remarks)
}

/// The transform's settings, where the configuration has use for it.
fn latest(config: &Config) -> Option<Latest> {
    let intervals = config.inputs.iter().filter_map(|input| match &input.source {
        Source::Defender(settings) => Some(settings.sync_interval()),
        _ => None,
    });
    intervals.max().filter(|_| config.setup.transform).map(|interval| Latest { interval })
}

/// What has to be asked of the server: nothing that takes privileges for what is not made.
pub(super) fn features(config: &Config) -> Vec<Feature> {
    let wanted = |feature: &Feature| match feature {
        Feature::Ilm => matches!(config.setup.lifecycle, Wanted::Auto | Wanted::Ilm),
        Feature::IngestSet => config.setup.ingest_pipeline,
        Feature::Transforms => latest(config).is_some(),
        _ => true,
    };
    Feature::ALL.into_iter().filter(wanted).collect()
}
