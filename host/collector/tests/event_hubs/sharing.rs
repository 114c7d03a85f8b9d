//! Several collectors on one hub, with a storage account between them.

use std::collections::BTreeSet;
use std::time::Duration;

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::source::Source as _;
use defenderbeat_collector::source::event_hubs::EventHubSettings;
use defenderbeat_simulator::{EventHubsOptions, Simulator};

use crate::azurite::Azurite;
use crate::namespace::{Collector, Read, all, namespace, once, publish, settings};

pub(crate) fn shared(simulator: &Simulator, azurite: &Azurite) -> EventHubSettings {
    EventHubSettings {
        storage_account_connection_string: Some(Secret::new(azurite.connection_string())),
        ..settings(simulator)
    }
}

fn partitions(read: &Read) -> BTreeSet<&str> {
    read.keys().map(|(partition, _)| partition.as_str()).collect()
}

fn together(one: &Read, other: &Read) -> BTreeSet<(String, i64)> {
    one.keys().chain(other.keys()).cloned().collect()
}

/// How long collectors work between two looks at what they have read.
const STEP: Duration = Duration::from_millis(200);

#[tokio::test]
async fn two_share_the_partitions_and_one_takes_over_what_the_other_leaves() {
    let Some(azurite) = Azurite::start() else { return };
    let simulator = namespace(EventHubsOptions { partitions: 8, ..EventHubsOptions::default() }).await;
    let settings = shared(&simulator, &azurite);
    publish(&simulator, 5);
    let mut first = Collector::open(&settings, "first", None, false).unwrap();
    first.read_up_to(40).await;
    assert_eq!(first.read, all(8, 5), "alone, one reads everything");

    let mut second = Collector::open(&settings, "second", None, false).unwrap();
    let mut count = 5;
    while partitions(&second.read).len() < 4 {
        publish(&simulator, 1);
        count += 1;
        tokio::join!(first.work(STEP), second.work(STEP));
    }
    // What was on its way when the second one took over its half arrives by one or the other.
    while together(&first.read, &second.read) != all(8, count).into_keys().collect() {
        tokio::join!(first.work(STEP), second.work(STEP));
    }
    assert_eq!(partitions(&second.read).len(), 4, "{:?}", second.read);

    // It dies without a word.
    let read = std::mem::take(&mut second.read);
    drop(second);
    publish(&simulator, 1);
    while together(&first.read, &read) != all(8, count + 1).into_keys().collect() {
        first.work(STEP).await;
    }
}

#[tokio::test]
async fn a_restarted_collector_has_its_partitions_back_at_once() {
    let Some(azurite) = Azurite::start() else { return };
    let simulator = namespace(EventHubsOptions::default()).await;
    // Nobody else's hold could end within the test.
    let settings =
        EventHubSettings { processor_ownership_expiration: Duration::from_secs(3600), ..shared(&simulator, &azurite) };
    publish(&simulator, 3);
    let mut collector = Collector::open(&settings, "first", None, false).unwrap();
    collector.read_up_to(12).await;
    collector.source.close().await;
    drop(collector);
    publish(&simulator, 1);
    // Its cursor is gone: the storage account alone knows where it was.
    let mut again = Collector::open(&settings, "first", None, false).unwrap();
    again.read_up_to(4).await;
    assert!(again.read.keys().all(|(_, number)| *number == 3), "{:?}", again.read);
}

#[tokio::test]
async fn only_what_is_settled_is_saved() {
    let Some(azurite) = Azurite::start() else { return };
    let simulator = namespace(EventHubsOptions { partitions: 1, ..EventHubsOptions::default() }).await;
    let settings = EventHubSettings { partition_receive_count: 1, ..shared(&simulator, &azurite) };
    publish(&simulator, 6);
    let mut collector = Collector::open(&settings, "test", None, true).unwrap();
    for _ in 0..2 {
        collector.take().await.unwrap();
    }
    collector.settle();
    for _ in 0..3 {
        collector.take().await.unwrap();
    }
    collector.source.close().await;
    drop(collector);
    let (read, _) = once(&settings, None).await.unwrap();
    assert_eq!(read.keys().map(|(_, number)| *number).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[tokio::test]
async fn what_was_kept_under_path_data_goes_on_in_the_storage_account() {
    let Some(azurite) = Azurite::start() else { return };
    let simulator = namespace(EventHubsOptions::default()).await;
    publish(&simulator, 3);
    let (_, cursor) = once(&settings(&simulator), None).await.unwrap();
    publish(&simulator, 1);
    let settings = shared(&simulator, &azurite);
    let (read, _) = once(&settings, cursor.as_deref()).await.unwrap();
    assert!(read.len() == 4 && read.keys().all(|(_, number)| *number == 3), "{read:?}");
    let (read, _) = once(&settings, None).await.unwrap();
    assert_eq!(read, Read::new(), "the storage account knows it now");
}

#[tokio::test]
async fn whoever_takes_over_says_since_when_the_container_has_the_checkpoint() {
    let Some(azurite) = Azurite::start() else { return };
    let simulator = namespace(EventHubsOptions { partitions: 2, ..EventHubsOptions::default() }).await;
    let settings = shared(&simulator, &azurite);
    publish(&simulator, 2);
    let millis = || chrono::Utc::now().timestamp_millis();
    let began = millis();
    let mut first = Collector::open(&settings, "first", None, true).unwrap();
    first.read_up_to(4).await;
    first.source.close().await;
    assert!(first.since.values().all(Option::is_none), "nobody held the partitions before: {:?}", first.since);
    publish(&simulator, 1);
    let mut second = Collector::open(&settings, "first", None, true).unwrap();
    second.read_up_to(2).await;
    for since in second.since.values() {
        // The service tells whole seconds.
        assert!(since.is_some_and(|since| (began - 2_000..=millis() + 1_000).contains(&since)), "{since:?}");
    }
}
