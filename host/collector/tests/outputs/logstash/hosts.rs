//! Several servers, and who they are.

use std::time::Duration;

use defenderbeat_collector::http::{Secret, SslSettings};
use defenderbeat_collector::output::logstash::LogstashSettings;
use defenderbeat_collector::output::{Backoff, Fate, Logstash, Output as _};
use tokio::task::JoinHandle;

use super::lumberjack::Server;
use crate::authority::Authority;
use crate::{deliver, documents};

/// A server that takes everything from each connection until it is stopped; it gives how many connections with windows there were.
fn serve(server: Server) -> (JoinHandle<()>, std::sync::Arc<std::sync::Mutex<Vec<u128>>>) {
    let received = std::sync::Arc::<std::sync::Mutex<Vec<u128>>>::default();
    let all = received.clone();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let mut connection = server.accept().await;
            let all = all.clone();
            connections.spawn(async move {
                while let Some(ids) = connection.window().await {
                    all.lock().unwrap().extend(&ids);
                    connection.acknowledge(ids.len() as u32).await;
                }
            });
        }
    });
    (task, received)
}

/// How many documents each of two servers has of those that come, one a window, before and after the first of those that had some is stopped.
async fn shares(loadbalance: bool) -> [[usize; 2]; 2] {
    let servers = [Server::start(None).await, Server::start(None).await];
    let hosts = servers.iter().map(Server::address).collect();
    let backoff = Backoff { init: Duration::from_secs(60), max: Duration::from_secs(60) };
    let output =
        Logstash::open(LogstashSettings { hosts, loadbalance, backoff, ..LogstashSettings::default() }).unwrap();
    assert_eq!(output.limits().lanes, if loadbalance { 4 } else { 2 });
    let servers = servers.map(serve);
    let counts = || [0, 1].map(|at: usize| servers[at].1.lock().unwrap().len());
    for id in 0..10 {
        deliver(&output, id..id + 1).await;
    }
    let before = counts();
    let stopped = usize::from(before[0] == 0);
    servers[stopped].0.abort();
    for id in 10..20 {
        deliver(&output, id..id + 1).await;
    }
    let mut shares = [before, counts()];
    // The one that is stopped is the first.
    if stopped == 1 {
        shares.iter_mut().for_each(|share| share.reverse());
    }
    shares
}

#[tokio::test]
async fn all_servers_are_used_with_loadbalance_and_those_that_are_left() {
    assert_eq!(shares(true).await, [[5, 5], [5, 15]]);
}

#[tokio::test]
async fn one_server_is_used_without_loadbalance_and_the_other_one_where_it_fails() {
    assert_eq!(shares(false).await, [[10, 0], [10, 10]]);
}

#[tokio::test]
async fn a_server_that_failed_is_used_again_after_its_rest() {
    let (dead, alive) = (Server::start(None).await, Server::start(None).await);
    let address = dead.address();
    drop(dead);
    let hosts = vec![address.clone(), alive.address()];
    let backoff = Backoff { init: Duration::from_millis(50), max: Duration::from_millis(50) };
    let output =
        Logstash::open(LogstashSettings { hosts, loadbalance: true, backoff, ..LogstashSettings::default() }).unwrap();
    let (_task, received) = serve(alive);
    deliver(&output, 0..1).await;
    deliver(&output, 1..2).await;
    assert_eq!(*received.lock().unwrap(), [0, 1]);
    let (_task, again) = serve(Server::start_at(&address).await);
    for id in 2.. {
        deliver(&output, id..id + 1).await;
        if !again.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_connection_is_replaced_when_its_time_is_over() {
    let server = Server::start(None).await;
    for (ttl, connections) in [(Duration::ZERO, 1), (Duration::from_millis(50), 3)] {
        let output = Logstash::open(LogstashSettings { ttl, ..server.settings() }).unwrap();
        let sending = async {
            for _ in 0..3 {
                assert_eq!(output.send(&[documents(0..1)]).await.unwrap().fates, [Fate::Delivered]);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let answering = async {
            for _ in 0..connections {
                let mut connection = server.accept().await;
                for _ in 0..3 / connections {
                    connection.window().await.unwrap();
                    connection.acknowledge(1).await;
                }
                // The one before is closed, at the latest when the output is.
            }
        };
        tokio::join!(sending, answering);
    }
}

#[tokio::test]
async fn a_server_may_want_a_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let server = Server::start(Some(servers.server(&clients))).await;
    let mut settings = server.settings();
    let trusting = |authority: &Authority| SslSettings {
        certificate_authorities: vec![authority.pem.clone()],
        ..SslSettings::default()
    };
    let (_task, received) = serve(server);

    settings.ssl = Some(trusting(&clients));
    let error = Logstash::open(settings.clone()).unwrap().send(&[documents(0..1)]).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("invalid peer certificate"), "{error}");

    // Where TLS is 1.3 the client learns it after the handshake only.
    settings.ssl = Some(trusting(&servers));
    let sent = Logstash::open(settings.clone()).unwrap().send(&[documents(0..1)]).await;
    assert!(sent.is_err() || sent.is_ok_and(|sent| sent.fates == [Fate::Unknown]));
    assert!(received.lock().unwrap().is_empty());

    let (certificate, key) = clients.certificate("collector");
    let key = Some(Secret::new(key.serialize_pem()));
    settings.ssl = Some(SslSettings { certificate: Some(certificate.pem()), key, ..trusting(&servers) });
    deliver(&Logstash::open(settings).unwrap(), 0..10).await;
    assert_eq!(*received.lock().unwrap(), (0..10).collect::<Vec<_>>());
}
