use url::Url;

use super::super::settings::EventHubSettings;
use super::*;
use crate::azurite::Azurite;
use crate::http::{Client, HttpSettings, RetrySettings, Secret};

const NAMESPACE: &str = "contoso.servicebus.windows.net";

async fn store(azurite: &Azurite) -> BlobStore {
    let settings = EventHubSettings {
        storage_account_connection_string: Some(Secret::new(azurite.connection_string())),
        ..EventHubSettings::default()
    };
    let account = settings.account().unwrap().unwrap();
    let client = Client::new(&HttpSettings::default(), &Url::parse("http://127.0.0.1").unwrap()).unwrap();
    let container = Container::new(account, "checkpoints".into(), client, None, RetrySettings::default());
    BlobStore::open(container).await.unwrap()
}

fn ownership(partition: &str, owner: &str) -> Ownership {
    Ownership {
        fully_qualified_namespace: NAMESPACE.into(),
        event_hub_name: "Events".into(),
        consumer_group: "$Default".into(),
        partition_id: partition.into(),
        owner_id: Some(owner.into()),
        ..Ownership::default()
    }
}

fn checkpoint(group: &str, partition: &str, number: i64) -> Checkpoint {
    Checkpoint {
        fully_qualified_namespace: NAMESPACE.into(),
        event_hub_name: "Events".into(),
        consumer_group: group.into(),
        partition_id: partition.into(),
        offset: Some(format!("{}", number * 100)),
        sequence_number: Some(number),
    }
}

#[tokio::test]
async fn of_two_who_take_a_partition_at_once_one_has_it() {
    let Some(azurite) = Azurite::start() else { return };
    let store = store(&azurite).await;
    let first = store.claim_ownership(&[ownership("0", "a"), ownership("1", "a")]).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(store.claim_ownership(&[ownership("0", "b")]).await.unwrap().is_empty(), "it is not new any more");

    let listed = store.list_ownerships(NAMESPACE, "Events", "$Default").await.unwrap();
    assert_eq!(listed.len(), 2);
    let seen = listed.iter().find(|ownership| ownership.partition_id == "0").unwrap();
    assert_eq!(seen.owner_id.as_deref(), Some("a"));
    assert!(seen.last_modified_time.is_some());
    let by = |owner: &str| Ownership { owner_id: Some(owner.into()), ..seen.clone() };
    assert_eq!(store.claim_ownership(&[by("b")]).await.unwrap().len(), 1, "as listed it may be taken");
    assert!(store.claim_ownership(&[by("c")]).await.unwrap().is_empty(), "and only once");
    assert!(store.claim_ownership(&[first[0].clone()]).await.unwrap().is_empty(), "not even by who had it");
    let renewed = store.claim_ownership(&[first[1].clone()]).await.unwrap();
    assert_eq!(
        store.claim_ownership(&renewed).await.unwrap().len(),
        1,
        "a hold is renewed with what the last one gave"
    );
}

#[tokio::test]
async fn checkpoints_are_laid_out_as_all_libraries_have_them() {
    let Some(azurite) = Azurite::start() else { return };
    let store = store(&azurite).await;
    for number in [5, 7] {
        store.update_checkpoint(checkpoint("$Default", "0", number)).await.unwrap();
    }
    let blobs = store.container.list("").await.unwrap();
    assert_eq!(blobs.len(), 1);
    assert_eq!(blobs[0].name, "contoso.servicebus.windows.net/Events/$Default/checkpoint/0");
    let metadata: Vec<(&str, &str)> = blobs[0].metadata.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(metadata, [("offset", "700"), ("sequencenumber", "7")]);
    let read = store.list_checkpoints(NAMESPACE, "Events", "$Default").await.unwrap();
    assert_eq!((read[0].partition_id.as_str(), read[0].sequence_number), ("0", Some(7)));
    assert!(store.list_checkpoints(NAMESPACE, "Events", "other").await.unwrap().is_empty());
}

#[tokio::test]
async fn without_its_container_nothing_is_saved_and_nothing_is_taken_for_an_empty_one() {
    let Some(azurite) = Azurite::start() else { return };
    let store = store(&azurite).await;
    store.update_checkpoint(checkpoint("$Default", "0", 5)).await.unwrap();
    store.container.remove().await;
    let error = store.update_checkpoint(checkpoint("$Default", "0", 6)).await.unwrap_err().to_string();
    assert!(error.contains("Events/$Default/checkpoint/0") && error.contains("the container is gone"), "{error}");
    let error = store.list_ownerships(NAMESPACE, "Events", "$Default").await.unwrap_err().to_string();
    assert!(error.contains("ContainerNotFound") && error.contains("listing container checkpoints"), "{error}");
    assert!(store.kept(NAMESPACE, "Events", "$Default").await.is_err());
}

#[tokio::test]
async fn a_checkpoint_in_lower_case_serves_where_there_is_no_other() {
    let Some(azurite) = Azurite::start() else { return };
    let store = store(&azurite).await;
    for (partition, number) in [("0", 5), ("1", 6)] {
        let python = Checkpoint { event_hub_name: "events".into(), ..checkpoint("$default", partition, number) };
        store.update_checkpoint(python).await.unwrap();
    }
    store.update_checkpoint(checkpoint("$Default", "1", 4)).await.unwrap();
    let mut read: Vec<_> = store
        .list_checkpoints(NAMESPACE, "Events", "$Default")
        .await
        .unwrap()
        .into_iter()
        .map(|checkpoint| (checkpoint.partition_id, checkpoint.sequence_number))
        .collect();
    read.sort();
    assert_eq!(read, [("0".to_owned(), Some(5)), ("1".to_owned(), Some(4))]);
}

#[tokio::test]
async fn filebeats_older_checkpoint_is_read() {
    let Some(azurite) = Azurite::start() else { return };
    let store = store(&azurite).await;
    let lease = |offset: &str, number: u32| {
        format!(
            r#"{{"partitionID":"0","epoch":3,"owner":"host","checkpoint":{{"offset":"{offset}","sequenceNumber":{number},"enqueueTime":"2026-11-24T08:00:00Z"}},"state":"","token":""}}"#
        )
    };
    let upload = async |name: &str, content: String| {
        store.container.upload(name, content.into_bytes(), Condition::Always, None).await.unwrap();
    };
    upload("0", lease("4294967296", 12)).await;
    upload("1", lease("-1", 0)).await;
    upload("2", "nonsense".to_owned()).await;
    let place = Place { offset: Some("4294967296".into()), sequence_number: Some(12) };
    assert_eq!(store.legacy("0").await.unwrap(), Some(place));
    for none in ["1", "2", "3"] {
        assert_eq!(store.legacy(none).await.unwrap(), None, "{none}");
    }
}
