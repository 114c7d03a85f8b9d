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

fn together(one: &Read, other: &Read) -> Vec<(String, i64)> {
    one.keys().chain(other.keys()).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

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
    // Both work, until each has its half.
    let both = async |first: &mut Collector, second: &mut Collector, time| {
        tokio::join!(first.work(time), second.work(time));
    };
    both(&mut first, &mut second, Duration::from_secs(3)).await;
    publish(&simulator, 5);
    let before = (first.read.len(), second.read.len());
    both(&mut first, &mut second, Duration::from_secs(2)).await;
    let all_of_it: Vec<_> = all(8, 10).into_keys().collect();
    assert_eq!(together(&first.read, &second.read), all_of_it);
    assert_eq!(partitions(&second.read).len(), 4, "{:?}", second.read);
    assert!(first.read.len() > before.0 && second.read.len() > before.1);

    // It dies without a word.
    let left = second.read.clone();
    drop(second);
    publish(&simulator, 5);
    let mut rest = Collector { read: left, ..first };
    rest.work(Duration::from_secs(6)).await;
    assert_eq!(partitions(&rest.read).len(), 8);
    let last: BTreeSet<(String, i64)> = (0..8).map(|partition| (partition.to_string(), 14)).collect();
    assert!(last.iter().all(|message| rest.read.contains_key(message)), "{:?}", rest.read);
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
