//! Windows and what is answered to them.

use std::time::Duration;

use defenderbeat_collector::output::logstash::LogstashSettings;
use defenderbeat_collector::output::{Fate, Logstash, Output as _, Sent};

use super::lumberjack::Server;
use crate::documents;

/// What is answered with these settings, and what became of 5 documents.
async fn send(output: &Logstash) -> Vec<Fate> {
    output.send(&[documents(0..5)]).await.unwrap().fates
}

/// So many of 5 documents are delivered, and of the others it is not known.
fn delivered(count: usize) -> Vec<Fate> {
    (0..5).map(|at| if at < count { Fate::Delivered } else { Fate::Unknown }).collect()
}

/// The server says for longer than the timeout that it is at work, by acknowledging nothing or a part.
#[tokio::test]
async fn a_server_that_is_at_work_has_time() {
    let server = Server::start(None).await;
    let timeout = Duration::from_secs(2);
    let output = Logstash::open(LogstashSettings { timeout, ..server.settings() }).unwrap();
    let answering = async {
        let mut connection = server.accept().await;
        assert_eq!(connection.window().await.unwrap(), [0, 1, 2, 3, 4]);
        for count in [0, 3, 3, 0] {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                connection.acknowledge(count).await;
            }
        }
        connection.acknowledge(5).await;
        connection
    };
    let (fates, _connection) = tokio::join!(send(&output), answering);
    assert_eq!(fates, delivered(5));
}

/// What was acknowledged is delivered, whatever ends the connection; the next window takes another one.
#[tokio::test]
async fn of_a_window_that_breaks_off_what_was_acknowledged_is_delivered() {
    let server = Server::start(None).await;
    let timeout = Duration::from_secs(1);
    let output = Logstash::open(LogstashSettings { timeout, ..server.settings() }).unwrap();
    for (answers, said) in [
        (&b"2A\0\0\0\x02"[..], "no acknowledgement and no sign of life for 1000 ms"),
        (b"2A\0\0\0\x02!", "reading acknowledgements"),
        (
            b"2A\0\0\0\x02HTTP/1.1 400 Bad Request\r\n",
            "it answers with something else than acknowledgements; is this an input for Beats?",
        ),
        (b"2A\0\0\0\x022A\0\0\0\x06", "it acknowledges 6 documents, which is more than it was sent"),
    ] {
        let answering = async {
            let mut connection = server.accept().await;
            connection.window().await.unwrap();
            connection.say(answers).await;
            // Closed in the middle of an acknowledgement, kept open otherwise.
            (!answers.ends_with(b"!")).then_some(connection)
        };
        let documents = [documents(0..5)];
        let (sent, _connection) = tokio::join!(output.send(&documents), answering);
        let Sent { fates, problem, .. } = sent.unwrap();
        assert_eq!(fates, delivered(2), "{said}");
        let problem = problem.unwrap();
        assert!(problem.contains(&format!("output.logstash: {}: {said}", server.address())), "{problem}");
    }
    let answering = async { server.accept().await.acknowledge_all().await };
    let sending = async {
        let fates = send(&output).await;
        drop(output);
        fates
    };
    let (fates, received) = tokio::join!(sending, answering);
    assert_eq!((fates, received), (delivered(5), vec![0, 1, 2, 3, 4]));
}

/// The connection ends while a window that is larger than its buffers is sent.
#[tokio::test]
async fn a_window_that_is_not_sent_to_its_end_is_sent_again() {
    let server = Server::start(None).await;
    let output = Logstash::open(LogstashSettings { compression_level: 0, ..server.settings() }).unwrap();
    let large = [documents(0..100_000)];
    let breaking = async { drop(server.accept().await) };
    let (sent, ()) = tokio::join!(output.send(&large), breaking);
    assert_eq!(sent.unwrap().fates, vec![Fate::Unknown; 100_000]);
    let answering = async {
        let mut connection = server.accept().await;
        let ids = connection.window().await.unwrap();
        connection.acknowledge(100_000).await;
        (ids, connection)
    };
    let (sent, (ids, _connection)) = tokio::join!(output.send(&large), answering);
    assert_eq!(sent.unwrap().fates, vec![Fate::Delivered; 100_000]);
    assert_eq!(ids, (0..100_000).collect::<Vec<_>>());
}

/// As many as `pipelining` says are under way on one connection before the first of them is acknowledged, even while it is being sent.
#[tokio::test]
async fn windows_follow_one_another_on_one_connection() {
    let server = Server::start(None).await;
    let output = Logstash::open(LogstashSettings { pipelining: 3, compression_level: 1, ..server.settings() }).unwrap();
    assert_eq!(output.limits().lanes, 3);
    let sends = async {
        let large = async { output.send(&[documents(0..200_000)]).await.unwrap().fates };
        let (first, second, third) = tokio::join!(large, send(&output), send(&output));
        assert!(first.iter().all(|fate| *fate == Fate::Delivered));
        assert_eq!((second, third), (delivered(5), delivered(5)));
    };
    let answering = async {
        let mut connection = server.accept().await;
        // Meanwhile its buffers are full.
        tokio::time::sleep(Duration::from_millis(300)).await;
        for count in [200_000, 5, 5] {
            assert_eq!(connection.window().await.unwrap().len(), count);
        }
        for count in [200_000, 5, 5] {
            connection.acknowledge(count).await;
        }
        connection
    };
    let ((), _connection) = tokio::join!(sends, answering);
}
