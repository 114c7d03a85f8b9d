//! Documents that may have been delivered before, and data streams that rolled over since.

use defenderbeat_collector::output::{Documents, Fate, Output};

use crate::fake::{Fake, Fault, STREAM, documents, error, hex};

/// 2026-11-24T08:00:00Z.
const NOW: i64 = 1_795_507_200_000;

fn again(ids: impl IntoIterator<Item = u128>) -> Documents {
    Documents { sent_since: Some(NOW), ..documents(ids) }
}

fn asked(fake: &Fake) -> Vec<String> {
    let state = fake.state();
    let mgets = state.requests.iter().filter(|request| request.path.ends_with("/_mget"));
    mgets.map(|request| request.path.trim_start_matches("/.ds-").trim_end_matches("/_mget").to_owned()).collect()
}

#[tokio::test]
async fn what_was_delivered_before_a_rollover_is_found_and_not_sent() {
    let fake = Fake::start().await;
    let output = fake.output();
    fake.state().roll_over(STREAM, "2026.11.22");
    fake.state().roll_over(STREAM, "2026.11.23");
    output.send(&[documents([1])]).await.unwrap();
    fake.state().roll_over(STREAM, "2026.11.24");
    output.send(&[documents([2])]).await.unwrap();
    let sent = output.send(&[documents([5]), again([1, 2, 3]), documents([4])]).await.unwrap();
    use Fate::{Delivered, Duplicate};
    assert_eq!(sent.fates, [Delivered, Duplicate, Duplicate, Delivered, Delivered]);
    assert_eq!(fake.state().ids(), hex([1, 2, 3, 4, 5]));
    assert_eq!(fake.state().bulks()[2].bulk_ids(), hex([5, 3, 4]));
    // The newest index first, and those of before the window not at all.
    assert_eq!(asked(&fake), [format!("{STREAM}-2026.11.24-000003"), format!("{STREAM}-2026.11.23-000002")]);
    let summary = output.summary().unwrap();
    assert!(summary.ends_with(", 2 found by look-up"), "{summary}");
}

#[tokio::test]
async fn what_is_new_is_not_looked_up() {
    let fake = Fake::start().await;
    fake.output().send(&[documents([1])]).await.unwrap();
    assert!(asked(&fake).is_empty());
}

#[tokio::test]
async fn a_data_stream_that_is_not_there_yet_has_no_documents() {
    let fake = Fake::start().await;
    assert_eq!(fake.output().send(&[again([1])]).await.unwrap().fates, [Fate::Delivered]);
}

#[tokio::test]
async fn without_the_privilege_read_documents_are_sent_all_the_same() {
    let fake = Fake::start().await;
    fake.script(|request| {
        let why = "action [indices:data/read/field_caps] is unauthorized for user [writer]";
        let denied = request.path.ends_with("/_field_caps");
        denied.then(|| Fault::Answer(403, "", error(403, "security_exception", why).to_string()))
    });
    let output = fake.output();
    assert_eq!(output.send(&[again([1, 2])]).await.unwrap().fates, vec![Fate::Delivered; 2]);
    // The server itself still refuses what is in the index that is written to.
    assert_eq!(output.send(&[again([2, 3])]).await.unwrap().fates, [Fate::Duplicate, Fate::Delivered]);
}

#[tokio::test]
async fn an_index_that_cannot_tell_holds_its_documents_back() {
    let fake = Fake::start().await;
    let output = fake.output();
    output.send(&[documents([1])]).await.unwrap();
    fake.script(|request| {
        let broken = serde_json::json!({"docs": [
            {"_id": hex([1])[0], "error": {"type": "no_shard_available_action_exception"}},
            {"_id": hex([2])[0], "found": false},
        ]});
        request.path.ends_with("/_mget").then(|| Fault::Answer(200, "", broken.to_string()))
    });
    let sent = output.send(&[again([1, 2])]).await.unwrap();
    assert_eq!(sent.fates, [Fate::Unknown, Fate::Delivered]);
    assert!(sent.problem.unwrap().contains("a backing index cannot be read"));
}

#[tokio::test]
async fn an_answer_about_other_documents_is_not_believed() {
    let fake = Fake::start().await;
    let output = fake.output();
    output.send(&[documents([1])]).await.unwrap();
    for docs in [serde_json::json!([]), serde_json::json!([{"_id": hex([2])[0], "found": true}])] {
        let answer = serde_json::json!({ "docs": docs }).to_string();
        fake.script(move |request| request.path.ends_with("/_mget").then(|| Fault::Answer(200, "", answer.clone())));
        let error = output.send(&[again([1])]).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("other documents"), "{error}");
    }
}

#[tokio::test]
async fn a_look_up_that_fails_sends_nothing() {
    let fake = Fake::start().await;
    fake.script(|request| (!request.is_bulk()).then(|| Fault::Answer(503, "", String::new())));
    let output = fake.output();
    let error = output.send(&[again([1])]).await.unwrap_err();
    assert!(error.is_transient() && error.retry_after().is_none());
    assert_eq!(fake.state().bulks().len(), 0);
}
