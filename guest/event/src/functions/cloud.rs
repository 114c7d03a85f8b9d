//! Clouds and containers.

use defenderbeat_mapping::{Args, Results};

use super::word;

/// The provider whose name of the resource is there: Azure, AWS, GCP.
pub(crate) fn provider<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let providers = ["azure", "aws", "gcp"].into_iter().enumerate();
    if let Some((_, provider)) = providers.into_iter().find(|(index, _)| !args.value(*index).is_missing()) {
        results.set(0, word(provider));
    }
}

/// `kubernetes` where any of its names is there.
pub(crate) fn orchestrator<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if (0..3).any(|index| !args.value(index).is_missing()) {
        results.set(0, word("kubernetes"));
    }
}
