//! Connections that break, answers that do not come, hosts that are down.

use std::time::Duration;

use defenderbeat_collector::output::{Elasticsearch, Fate, Output};
use tokio::net::TcpListener;

use crate::fake::{Fake, Fault, documents, hex};

/// An address that nobody listens on.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn what_was_not_sent_is_not_taken() {
    let fake = Fake::start().await;
    let mut settings = fake.settings();
    settings.hosts = vec![nobody().await];
    let error = Elasticsearch::open(settings).unwrap().send(&[documents([1])]).await.unwrap_err();
    assert!(error.is_transient() && error.retry_after().is_none());
    assert!(error.to_string().starts_with("output.elasticsearch: no answer from http://127.0.0.1"), "{error}");
}

#[tokio::test]
async fn what_came_of_a_request_without_a_whole_answer_is_not_known() {
    for (fault, taken) in [
        (Fault::HangUp, false),
        (Fault::HangUpAfter, true),
        (Fault::CutAfter(0), true),
        (Fault::CutAfter(20), true),
        (Fault::Answer(500, "", String::new()), false),
        (Fault::Answer(502, "", "<html>".into()), false),
        (Fault::Answer(200, "", "<html>".into()), false),
        (Fault::Answer(200, "", String::new()), false),
    ] {
        let fake = Fake::start().await;
        let what = format!("{fault:?}");
        fake.bulks([fault]);
        let output = fake.output();
        let sent = output.send(&[documents([1, 2])]).await.unwrap();
        assert_eq!(sent.fates, [Fate::Unknown, Fate::Unknown], "{what}");
        assert!(sent.problem.unwrap().starts_with("output.elasticsearch: "), "{what}");
        assert_eq!(fake.state().ids().len(), if taken { 2 } else { 0 }, "{what}");
        // Sent again as delivery does, it is there once.
        let mut again = documents([1, 2]);
        again.sent_since = Some(0);
        let sent = output.send(&[again]).await.unwrap();
        assert_eq!(sent.fates, vec![if taken { Fate::Duplicate } else { Fate::Delivered }; 2], "{what}");
        assert_eq!(fake.state().ids(), hex([1, 2]), "{what}");
    }
}

#[tokio::test]
async fn after_a_timeout_the_connection_is_closed_and_as_much_time_is_let_pass() {
    let fake = Fake::start().await;
    fake.bulks([Fault::Silence]);
    let mut settings = fake.settings();
    settings.timeout = Duration::from_millis(300);
    let output = Elasticsearch::open(settings).unwrap();
    let sent = output.send(&[documents([1])]).await.unwrap();
    assert_eq!(sent.fates, [Fate::Unknown]);
    assert_eq!(sent.retry_after, Some(Duration::from_millis(300)));
    let connections = fake.state().connections;
    output.send(&[documents([2])]).await.unwrap();
    assert_eq!(fake.state().connections, connections + 1);
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_request_was_read_is_understood() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let fake = Fake::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = fake.settings();
    settings.hosts = vec![listener.local_addr().unwrap().to_string()];
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 512];
                let length = stream.read(&mut head).await.unwrap();
                let known = head[..length].starts_with(b"GET");
                let status = if known { "404 Not Found" } else { "413 Request Entity Too Large" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                // As proxies do, so that the answer is not lost: what still comes is read and forgotten for a while.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            });
        }
    });
    let mut large = documents([1]);
    let text = format!("{{\"message\":\"{}\"}}\n", "x".repeat(32 << 20));
    large.part.documents[0].length = text.len() as u32;
    large.part.ndjson = text.into();
    let sent = Elasticsearch::open(settings).unwrap().send(&[large]).await.unwrap();
    assert!(matches!(&sent.fates[..], [Fate::Refused(refusal)] if refusal.code == "413"), "{sent:?}");
}

#[tokio::test]
async fn hosts_are_asked_in_turn_and_a_failed_one_is_passed_over() {
    let (first, second) = (Fake::start().await, Fake::start().await);
    let mut settings = first.settings();
    settings.hosts = vec![nobody().await, first.address.to_string(), second.address.to_string()];
    let output = Elasticsearch::open(settings).unwrap();
    assert_eq!(output.limits().lanes, 3);
    for id in 1..=20 {
        assert_eq!(output.send(&[documents([id])]).await.unwrap().fates, [Fate::Delivered]);
    }
    let counts = [&first, &second].map(|fake| fake.state().bulks().len());
    assert!(counts.iter().sum::<usize>() == 20 && counts.iter().all(|count| *count >= 5), "{counts:?}");
}

#[tokio::test]
async fn a_host_that_failed_is_asked_again_after_its_rest() {
    let (first, second) = (Fake::start().await, Fake::start().await);
    first.bulks([Fault::Answer(503, "", String::new())]);
    let mut settings = first.settings();
    settings.hosts.push(second.address.to_string());
    let output = Elasticsearch::open(settings).unwrap();
    for id in 1..=4 {
        output.send(&[documents([id])]).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = first.state().bulks().len();
    for id in 5..=8 {
        assert_eq!(output.send(&[documents([id])]).await.unwrap().fates, [Fate::Delivered]);
    }
    assert!(first.state().bulks().len() > before);
}
