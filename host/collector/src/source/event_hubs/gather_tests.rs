use bytes::Bytes;

use super::super::error::Fault;
use super::super::progress::{Hold, Hub, Place};
use super::*;

struct Case {
    items: mpsc::Sender<Item>,
    gather: Gather,
    hold: Arc<Hold>,
}

fn case(once: Option<usize>) -> Case {
    let (items, received) = mpsc::channel(100);
    let settings = EventHubSettings {
        partition_receive_count: 3,
        partition_receive_timeout: Duration::from_millis(20),
        ..EventHubSettings::default()
    };
    let gather = Gather::new(received, &settings, Budget { bytes: 100, records: 256 }, once);
    let hub = Arc::new(Hub { namespace: "n".into(), eventhub: "h".into(), group: "g".into() });
    Case { items, gather, hold: Hold::new(hub, "0", None, &Place::default()) }
}

impl Case {
    async fn send(&self, number: i64, length: usize) {
        let place = Place { offset: None, sequence_number: Some(number) };
        let payload = Bytes::from(vec![b'x'; length]);
        self.items
            .send(Item::Message(Message { hold: self.hold.clone(), place, payload, sent_since: None }))
            .await
            .unwrap();
    }

    /// The numbers of the messages in the next delivery, and the place up to which it goes.
    async fn next(&mut self) -> (Vec<i64>, Option<i64>) {
        let (delivery, places) = self.gather.next().await.unwrap().unwrap();
        assert_eq!(delivery.payloads.len(), delivery.origins.len());
        let numbers = delivery.origins.iter().filter_map(|origin| origin.sequence_number).collect();
        (numbers, places.first().and_then(|(_, place)| place.sequence_number))
    }
}

#[tokio::test]
async fn a_delivery_ends_at_its_count_its_bytes_or_its_time() {
    let mut case = case(None);
    for number in 0..4 {
        case.send(number, 10).await;
    }
    assert_eq!(case.next().await, (vec![0, 1, 2], Some(2)), "three are enough");
    case.send(4, 95).await;
    assert_eq!(case.next().await, (vec![3], Some(3)), "the next would be too long");
    assert_eq!(case.next().await, (vec![4], Some(4)), "time is up");
    case.send(5, 500).await;
    assert_eq!(case.next().await, (vec![5], Some(5)), "a long message is a delivery by itself");
}

#[tokio::test]
async fn what_a_lost_partition_still_says_is_left_out() {
    let mut case = case(None);
    case.send(0, 10).await;
    case.hold.release();
    let hold = Hold::new(case.hold.hub.clone(), "1", None, &Place::default());
    case.hold = hold;
    case.send(7, 10).await;
    assert_eq!(case.next().await, (vec![7], Some(7)));
}

#[tokio::test]
async fn once_ends_when_every_partition_is_finished() {
    let mut case = case(Some(2));
    let (hub, partition): (Arc<str>, Arc<str>) = ("h".into(), "0".into());
    case.items.send(Item::Hub { eventhub: "other".into(), partitions: Vec::new() }).await.unwrap();
    case.items.send(Item::Hub { eventhub: hub.clone(), partitions: vec![partition.clone()] }).await.unwrap();
    case.send(0, 10).await;
    case.items.send(Item::Finished { eventhub: hub, partition }).await.unwrap();
    assert_eq!(case.next().await, (vec![0], Some(0)), "what was read before the end leaves");
    assert!(case.gather.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_failure_comes_after_what_was_read_before_it() {
    let mut case = case(None);
    case.send(0, 10).await;
    let failure = Error::Hub { doing: "reading".into(), message: "no".into(), advice: "", fault: Fault::Missing };
    case.items.send(Item::Failed(failure)).await.unwrap();
    assert_eq!(case.next().await, (vec![0], Some(0)));
    assert!(case.gather.next().await.unwrap_err().to_string().contains("reading: no"));
}

#[tokio::test]
async fn a_place_without_a_message_is_carried_on() {
    let mut case = case(None);
    let place = Place { offset: Some("99".into()), sequence_number: Some(9) };
    case.items.send(Item::Begin(case.hold.clone(), place)).await.unwrap();
    assert_eq!(case.next().await, (vec![], Some(9)));
}
