//! What becomes of documents, by what the server says of them.

use defenderbeat_collector::output::{Fate, Output, Refusal};

use crate::fake::{Fake, Fault, STREAM, documents, error, hex};

fn refused(code: &str, message: &str) -> Fate {
    Fate::Refused(Refusal { code: code.into(), message: message.into() })
}

#[tokio::test]
async fn documents_are_created_in_their_data_streams_under_their_ids() {
    let fake = Fake::start().await;
    let sent = fake.output().send(&[documents([1, 2]), documents([u128::MAX])]).await.unwrap();
    assert_eq!(sent.fates, vec![Fate::Delivered; 3]);
    let state = fake.state();
    let [bulk] = state.bulks()[..] else { panic!("{:?}", state.requests) };
    let expected = [
        (1, r#"{"message":"document 1 says \"}{"}"#.to_owned()),
        (2, r#"{"message":"document 2 says \"}{"}"#.to_owned()),
        (u128::MAX, format!(r#"{{"message":"document {} says \"}}{{"}}"#, u128::MAX)),
    ];
    assert_eq!(bulk.documents(), expected.map(|(id, text)| (STREAM.to_owned(), format!("{id:032x}"), text)));
    assert_eq!((bulk.method.as_str(), bulk.path.as_str()), ("POST", "/_bulk"));
    assert_eq!(bulk.headers["content-type"], "application/x-ndjson");
    assert_eq!(bulk.headers["content-length"], bulk.length.to_string());
    assert_eq!((&bulk.query["pipeline"][..], &bulk.query["require_data_stream"][..]), ("_none", "true"));
    assert_eq!(bulk.query["timeout"], "13333ms");
}

#[tokio::test]
async fn a_document_that_is_there_already_is_a_duplicate() {
    let fake = Fake::start().await;
    let output = fake.output();
    output.send(&[documents([1])]).await.unwrap();
    let sent = output.send(&[documents([1, 2])]).await.unwrap();
    assert_eq!(sent.fates, [Fate::Duplicate, Fate::Delivered]);
    assert_eq!(fake.state().ids(), hex([1, 2]));
    let summary = output.summary().unwrap();
    assert!(summary.starts_with("2 requests of ") && summary.ends_with(" bytes, 0 found by look-up"), "{summary}");
}

#[tokio::test]
async fn fates_of_single_documents_follow_their_status() {
    for (status, kind, fate) in [
        (429, "es_rejected_execution_exception", Fate::Retry),
        (500, "es_rejected_execution_exception", Fate::Retry),
        (429, "circuit_breaking_exception", Fate::Retry),
        (409, "something_else_exception", Fate::Retry),
        (408, "", Fate::Retry),
        (500, "node_disconnected_exception", Fate::Unknown),
        (502, "", Fate::Unknown),
        (503, "unavailable_shards_exception", Fate::Unknown),
        (504, "timeout_exception", Fate::Unknown),
        (400, "document_parsing_exception", refused("document_parsing_exception", "why")),
        (413, "", refused("413", "why")),
        (422, "odd_exception", refused("odd_exception", "why")),
    ] {
        let fake = Fake::start().await;
        fake.bulks([Fault::Item(1, status, kind, "why")]);
        let sent = fake.output().send(&[documents([1, 2, 3])]).await.unwrap();
        assert_eq!(sent.fates, [Fate::Delivered, fate.clone(), Fate::Delivered], "{status} {kind}");
        let throttled = status == 429 || kind == "es_rejected_execution_exception";
        assert_eq!(sent.throttled, throttled, "{status} {kind}");
        let code = if kind.is_empty() { status.to_string() } else { kind.to_owned() };
        let problem = format!("output.elasticsearch: http://{}: {code}: why", fake.address);
        let is_settled = matches!(fate, Fate::Refused(_));
        assert_eq!(sent.problem, (!is_settled).then_some(problem), "{status} {kind}");
        assert_eq!(fake.state().ids(), hex([1, 3]));
    }
}

#[tokio::test]
async fn what_an_operator_has_to_mend_holds_documents_back_and_is_named() {
    for (status, kind, advice) in [
        (403, "security_exception", "auto_configure"),
        (401, "security_exception", ""),
        (404, "index_not_found_exception", "defenderbeat setup"),
        (400, "index_closed_exception", ""),
        (400, "validation_exception", ""),
    ] {
        let fake = Fake::start().await;
        fake.bulks([Fault::Item(0, status, kind, "why"), Fault::Item(0, status, kind, "why")]);
        let output = fake.output();
        // With others that are taken, and alone.
        let sent = output.send(&[documents([1, 2])]).await.unwrap();
        assert_eq!(sent.fates, [Fate::Retry, Fate::Delivered], "{status} {kind}");
        assert!(sent.retry_after.unwrap().as_secs() >= 10);
        assert!(sent.problem.unwrap().contains(kind));
        let error = output.send(&[documents([1])]).await.unwrap_err();
        assert!(error.is_transient() && error.retry_after().unwrap().as_secs() >= 10);
        let words = error.to_string();
        assert!(words.contains(kind) && words.contains("why") && words.contains(advice), "{words}");
    }
}

#[tokio::test]
async fn a_document_in_the_failure_store_is_settled_and_told_apart() {
    let fake = Fake::start().await;
    fake.bulks([Fault::Item(0, 201, "", "")]);
    let output = fake.output();
    let sent = output.send(&[documents([1, 2])]).await.unwrap();
    let [Fate::FailureStore(refusal), Fate::Delivered] = &sent.fates[..] else { panic!("{sent:?}") };
    assert!(refusal.code == "failure_store" && refusal.message.contains(".fs-logs-m365_defender.alert-default"));
}

#[tokio::test]
async fn the_cause_of_a_refusal_is_told_with_it() {
    let fake = Fake::start().await;
    fake.bulks([Fault::Changed(|items| {
        items[0]["create"] = serde_json::json!({"status": 400, "error": {
            "type": "document_parsing_exception", "reason": "failed to parse field [a] of type [long]",
            "caused_by": {"type": "illegal_argument_exception", "reason": "For input string: \"x\""}}});
    })]);
    let sent = fake.output().send(&[documents([1])]).await.unwrap();
    let message = "failed to parse field [a] of type [long]: illegal_argument_exception: For input string: \"x\"";
    assert_eq!(sent.fates, [refused("document_parsing_exception", message)]);
}

#[tokio::test]
async fn an_answer_that_does_not_go_with_the_request_is_believed_in_nothing() {
    let changes: [fn(&mut Vec<serde_json::Value>); 6] = [
        |items| items.truncate(1),
        |items| items.push(items[0].clone()),
        |items| items.swap(0, 1),
        |items| items[0]["create"]["_index"] = "logs-other-default".into(),
        |items| items[0] = serde_json::json!({"index": items[0]["create"]}),
        |items| items[0]["create"]["status"] = "fine".into(),
    ];
    for change in changes {
        let fake = Fake::start().await;
        fake.bulks([Fault::Changed(change)]);
        let sent = fake.output().send(&[documents([1, 2])]).await.unwrap();
        assert_eq!(sent.fates, [Fate::Unknown, Fate::Unknown]);
    }
}

#[tokio::test]
async fn a_server_that_tells_less_is_believed_in_order() {
    let fake = Fake::start().await;
    fake.bulks([Fault::Changed(|items| {
        for item in items {
            *item = serde_json::json!({"create": {"status": item["create"]["status"]}});
        }
    })]);
    let sent = fake.output().send(&[documents([1, 2])]).await.unwrap();
    assert_eq!(sent.fates, [Fate::Delivered, Fate::Delivered]);
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved_until_one_document_is_left_which_is_refused() {
    let fake = Fake::start().await;
    // The seventh document is too large for the server, and so is any request of more than three.
    fake.script(|request| {
        let ids = request.bulk_ids();
        let too_large = ids.len() > 3 || ids.contains(&hex([7])[0]);
        too_large.then(|| Fault::Answer(413, "", String::new()))
    });
    let output = fake.output();
    let sent = output.send(&[documents(1..=8)]).await.unwrap();
    for (id, fate) in (1..=8).zip(&sent.fates) {
        match fate {
            Fate::Refused(refusal) => assert!(id == 7 && refusal.code == "413", "{id} {refusal:?}"),
            fate => assert!(id != 7 && *fate == Fate::Delivered, "{id} {fate:?}"),
        }
    }
    assert_eq!(fake.state().ids(), hex([1, 2, 3, 4, 5, 6, 8]));
    // The next requests are smaller from the beginning.
    let before = fake.state().bulks().len();
    assert_eq!(output.send(&[documents(11..=18)]).await.unwrap().fates, vec![Fate::Delivered; 8]);
    let state = fake.state();
    let ids: Vec<Vec<String>> = state.bulks().iter().skip(before).map(|bulk| bulk.bulk_ids()).collect();
    assert!(ids.iter().all(|ids| ids.len() <= 3) && ids.concat() == hex(11..=18), "{ids:?}");
}

#[tokio::test]
async fn a_request_that_is_refused_stops_delivery_slowly_with_the_reason_and_loses_nothing() {
    for (status, kind, advice) in [
        (401, "security_exception", "check api_key"),
        (403, "security_exception", "auto_configure, create_doc and read"),
        (400, "illegal_argument_exception", ""),
        (404, "", "check the path in hosts"),
        (407, "", "proxy_url"),
        (302, "", "redirects are not followed"),
    ] {
        let fake = Fake::start().await;
        fake.bulks([Fault::Answer(status, "", error(status, kind, "why not").to_string())]);
        let output = fake.output();
        let error = output.send(&[documents([1, 2])]).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains(&status.to_string()) && words.contains("why not") && words.contains(advice), "{words}");
        assert!(error.is_transient() && error.retry_after().unwrap().as_secs() >= 10, "{status}");
        assert_eq!(output.send(&[documents([1, 2])]).await.unwrap().fates, [Fate::Delivered, Fate::Delivered]);
    }
}

#[tokio::test]
async fn a_server_that_is_busy_says_when_to_come_back() {
    let fake = Fake::start().await;
    let busy = error(429, "circuit_breaking_exception", "[parent] Data too large").to_string();
    fake.bulks([
        Fault::Answer(429, "Retry-After: 17\r\n", busy.clone()),
        Fault::Answer(429, "", busy),
        Fault::Answer(503, "Retry-After: 5\r\n", String::new()),
    ]);
    let output = fake.output();
    let error = output.send(&[documents([1])]).await.unwrap_err();
    assert!(error.to_string().contains("Data too large"), "{error}");
    assert_eq!(error.retry_after().unwrap().as_secs(), 17);
    assert_eq!(output.send(&[documents([1])]).await.unwrap_err().retry_after(), None);
    // Whoever answered 503 in the server's place may have passed the request on.
    let sent = output.send(&[documents([1])]).await.unwrap();
    assert_eq!((sent.fates, sent.retry_after.unwrap().as_secs()), (vec![Fate::Unknown], 5));
}

#[tokio::test]
async fn a_server_that_does_not_know_a_parameter_is_asked_without_it() {
    let fake = Fake::start().await;
    fake.state().unknown = vec!["require_data_stream", "pipeline"];
    let output = fake.output();
    for id in [1, 2] {
        assert_eq!(output.send(&[documents([id])]).await.unwrap().fates, [Fate::Delivered]);
    }
    let state = fake.state();
    // Two were refused, and what was learned of them counts for later requests.
    assert_eq!(state.bulks().len(), 4);
    assert!(!state.bulks()[3].query.contains_key("pipeline"));
}
