//! Reading alone, with checkpoints under `path.data`.

use defenderbeat_collector::source::Source as _;
use defenderbeat_collector::source::event_hubs::{EventHubSettings, StartAt};
use defenderbeat_simulator::EventHubsOptions;

use crate::namespace::{Collector, Read, all, namespace, once, publish, settings, with_client_secret};

#[tokio::test]
async fn what_is_there_is_read_once_and_the_next_run_goes_on() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let settings = settings(&simulator);
    assert_eq!(once(&settings, None).await.unwrap().0, Read::new(), "empty partitions are finished");
    publish(&simulator, 30);
    let (read, cursor) = once(&settings, None).await.unwrap();
    assert_eq!(read, all(4, 30));
    let (read, again) = once(&settings, cursor.as_deref()).await.unwrap();
    assert_eq!((read, again), (Read::new(), None), "nothing is read again");
    publish(&simulator, 2);
    let (read, _) = once(&settings, cursor.as_deref()).await.unwrap();
    assert_eq!(read.keys().map(|(_, number)| *number).collect::<Vec<_>>(), [30, 31, 30, 31, 30, 31, 30, 31]);
}

#[tokio::test]
async fn what_is_not_settled_is_read_again() {
    let simulator = namespace(EventHubsOptions { partitions: 1, ..EventHubsOptions::default() }).await;
    publish(&simulator, 10);
    let settings = EventHubSettings { partition_receive_count: 1, ..settings(&simulator) };
    let mut collector = Collector::open(&settings, "test", None, true).unwrap();
    for _ in 0..4 {
        collector.take().await.unwrap();
    }
    let cursor = collector.source.settled(2);
    drop(collector);
    let (read, _) = once(&settings, Some(&cursor)).await.unwrap();
    assert_eq!(read.keys().map(|(_, number)| *number).collect::<Vec<_>>(), (2..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn connections_that_break_skip_nothing_and_repeat_nothing() {
    let options = EventHubsOptions { drop_connection_after: 7, ..EventHubsOptions::default() };
    let simulator = namespace(options).await;
    publish(&simulator, 50);
    let (read, _) = once(&settings(&simulator), None).await.unwrap();
    assert_eq!(read, all(4, 50));
    assert!(simulator.event_hubs().counters().dropped > 4, "{:?}", simulator.event_hubs().counters());
}

#[tokio::test]
async fn a_busy_service_is_asked_again() {
    let options = EventHubsOptions { links_refused: 0.5, drop_connection_after: 3, ..EventHubsOptions::default() };
    let simulator = namespace(options).await;
    publish(&simulator, 20);
    let (read, _) = once(&settings(&simulator), None).await.unwrap();
    assert_eq!(read, all(4, 20));
    assert!(simulator.event_hubs().counters().refused > 0);
}

#[tokio::test]
async fn latest_is_where_the_first_start_was_even_if_the_connection_breaks_before_the_first_message() {
    let simulator = namespace(EventHubsOptions { partitions: 2, ..EventHubsOptions::default() }).await;
    publish(&simulator, 5);
    let settings = EventHubSettings { processor_start_position: StartAt::Latest, ..settings(&simulator) };
    let mut collector = Collector::open(&settings, "test", None, false).unwrap();
    // The places where it begins are saved without a message.
    while collector.cursor.as_ref().is_none_or(|cursor| cursor.matches("sequence_number").count() < 2) {
        collector.take().await.unwrap();
        collector.settle();
    }
    assert_eq!(collector.read, Read::new());
    simulator.event_hubs().drop_connections();
    publish(&simulator, 1);
    collector.read_up_to(2).await;
    let latest: Read = [("0", 5), ("1", 5)].map(|(partition, number)| ((partition.to_owned(), number), 1)).into();
    assert_eq!(collector.read, latest);
    let cursor = collector.cursor.clone();
    collector.source.close().await;
    publish(&simulator, 1);
    let (read, _) = once(&settings, cursor.as_deref()).await.unwrap();
    assert_eq!(read.keys().map(|(_, number)| *number).collect::<Vec<_>>(), [6, 6]);
}

#[tokio::test]
async fn every_table_may_have_a_hub_of_its_own_and_need_not() {
    let hubs = ["insights-logs-advancedhunting-alertinfo", "insights-logs-advancedhunting-emailevents"];
    let options =
        EventHubsOptions { hubs: hubs.map(str::to_owned).into(), partitions: 1, ..EventHubsOptions::default() };
    let simulator = namespace(options).await;
    for hub in hubs {
        simulator.event_hubs().hub(hub).unwrap().publish(0, "{}").unwrap();
    }
    let settings =
        EventHubSettings { eventhub: vec!["insights-logs-advancedhunting-*".into()], ..settings(&simulator) };
    let (_, cursor) = once(&settings, None).await.unwrap();
    let cursor = cursor.unwrap();
    assert!(hubs.iter().all(|hub| cursor.contains(hub)), "{cursor}");
}

#[tokio::test]
async fn a_partition_that_somebody_else_takes_is_not_saved_any_more() {
    let simulator = namespace(EventHubsOptions { partitions: 1, ..EventHubsOptions::default() }).await;
    publish(&simulator, 3);
    let settings = settings(&simulator);
    let mut first = Collector::open(&settings, "first", None, false).unwrap();
    while first.read.len() < 3 {
        first.take().await.unwrap();
    }
    // Another process on the same hub and group, without a store to agree on.
    let mut second = Collector::open(&settings, "second", None, false).unwrap();
    second.read_up_to(3).await;
    second.source.close().await;
    // The first one has heard of it when it has taken the partition back and reads again what it had not settled.
    let before = first.sequence;
    while first.read[&("0".to_owned(), 0)] < 2 {
        first.take().await.unwrap();
    }
    let cursor = first.source.settled(before);
    assert!(!cursor.contains("sequence_number"), "what was read before the loss is left to the other: {cursor}");
}

#[tokio::test]
async fn an_application_is_let_in_by_its_secret() {
    let simulator = namespace(EventHubsOptions::default()).await;
    publish(&simulator, 5);
    let (read, cursor) = once(&with_client_secret(&simulator), None).await.unwrap();
    assert_eq!(read, all(4, 5));
    assert!(cursor.unwrap().contains("contoso.servicebus.windows.net/defender/$Default"));
}

#[tokio::test]
async fn messages_that_were_there_say_since_when_they_may_have_left_and_later_ones_do_not() {
    let simulator = namespace(EventHubsOptions { partitions: 1, ..EventHubsOptions::default() }).await;
    publish(&simulator, 10);
    let settings = EventHubSettings { partition_receive_count: 1, ..settings(&simulator) };
    let mut first = Collector::open(&settings, "test", None, false).unwrap();
    first.read_up_to(4).await;
    assert!(first.since.values().all(Option::is_none), "nothing was read before the first start");
    let cursor = first.cursor.take().unwrap();
    first.take().await.unwrap();
    drop(first);
    let mut second = Collector::open_again(&settings, "test", Some(&cursor), Some(77), false).unwrap();
    second.read_up_to(6).await;
    publish(&simulator, 3);
    second.read_up_to(9).await;
    let since: Vec<(i64, Option<i64>)> = second.since.iter().map(|((_, number), since)| (*number, *since)).collect();
    let expected: Vec<(i64, Option<i64>)> = (4..13).map(|number| (number, (number < 10).then_some(77))).collect();
    assert_eq!(since, expected);
}
