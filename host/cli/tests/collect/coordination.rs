//! Two processes with the same input, of which one leads: what happens to it, and to the storage account, loses nothing.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use defenderbeat_simulator::{AlertOptions, GraphOptions, Options};

use crate::asked::{Asked, free_port};
use crate::azurite::Azurite;
use crate::program::{Program, Running, Tenant, signal};

/// Alerts that come for as long as it takes: slowly, in small pages.
fn tenant(alerts: usize) -> Tenant {
    let graph = GraphOptions { bytes_per_second: Some(40_000), plain: true, ..GraphOptions::default() };
    let alerts = AlertOptions { count: alerts, ..AlertOptions::default() };
    Tenant::start(Options { alerts, graph, ..Options::default() })
}

/// A way to the storage account on which checkpoints can be refused, leases never.
struct Way {
    port: u16,
    refuses: Arc<AtomicBool>,
}

impl Way {
    fn to(azurite: &Azurite) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, refuses) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let (to, refused) = (azurite.port(), refuses.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, refused) = (client.unwrap(), refused.clone());
                // Who asks may have gone.
                std::thread::spawn(move || pass(client, to, &refused).unwrap_or_default());
            }
        });
        Self { port, refuses }
    }

    fn connection_string(&self, azurite: &Azurite) -> String {
        azurite.connection_string().replace(&azurite.port().to_string(), &self.port.to_string())
    }
}

/// Passes one request on, and the answer to it.
fn pass(client: TcpStream, to: u16, refuses: &AtomicBool) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    let is_checkpoint = head.starts_with("PUT") && head.contains("/inputs/") && !head.contains("comp=lease");
    if is_checkpoint && refuses.load(Ordering::Relaxed) {
        let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.get_mut().write_all(answer.as_bytes());
    }
    let mut service = TcpStream::connect(("127.0.0.1", to))?;
    service.write_all(head.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes())?;
    service.write_all(&body)?;
    io::copy(&mut service, client.get_mut()).map(drop)
}

fn process(tenant: &Tenant, azurite: &Azurite) -> Asked {
    process_at(tenant, &azurite.connection_string())
}

fn process_at(tenant: &Tenant, account: &str) -> Asked {
    let account = format!("coordination.azure_blob.storage_account_connection_string={account}");
    let options = [
        account.as_str(),
        "coordination.azure_blob.lease_duration=15s",
        "inputs.0.batch_size=20",
        "output.file.rotate_on_startup=false",
    ];
    Asked::of_alerts(tenant, &options)
}

fn leads(asked: &Asked) -> bool {
    asked.metric("defenderbeat_input_leads") == Some(1.0)
}

fn commits(asked: &Asked) -> bool {
    asked.metric("defenderbeat_input_checkpoints_total").is_some_and(|checkpoints| checkpoints > 0.0)
}

fn delivered(processes: &[&Program]) -> BTreeSet<(String, String)> {
    processes.iter().flat_map(|program| program.delivered()).collect()
}

fn all(tenant: &Tenant) -> BTreeSet<(String, String)> {
    tenant.expected().into_iter().collect()
}

fn until_all(tenant: &Tenant, processes: &[&Asked]) {
    let programs: Vec<&Program> = processes.iter().map(|asked| &asked.program).collect();
    processes[0].until("everything is delivered", |_| delivered(&programs).len() >= tenant.expected().len());
    assert_eq!(delivered(&programs), all(tenant));
    for program in programs {
        assert_eq!(program.dead_letters(), "");
    }
}

#[test]
fn a_paused_leader_is_followed_and_steps_back_when_it_wakes() {
    let Some(azurite) = Azurite::start() else { return };
    let tenant = tenant(400);
    let (paused, other) = (process(&tenant, &azurite), process(&tenant, &azurite));
    let of_paused = paused.start();
    paused.until("the first leads", |asked| leads(asked) && commits(asked));
    let of_other = other.start();
    other.until("the second waits", |asked| asked.metric("defenderbeat_input_leads") == Some(0.0));
    assert_eq!(other.get("/readyz").0, 200, "who waits is ready");

    signal(of_paused.0.id(), "STOP");
    other.until("the second takes over", |asked| leads(asked) && commits(asked));
    let before = other.metric("defenderbeat_input_checkpoints_total").unwrap();
    signal(of_paused.0.id(), "CONT");
    paused.until("the first steps back", |asked| !leads(asked));
    assert!(leads(&other), "the second still leads");
    other.until("nobody keeps it from saving", |asked| {
        asked.metric("defenderbeat_input_checkpoints_total").is_some_and(|now| now > before)
    });
    assert_eq!(paused.get("/readyz").0, 200, "that it stepped back is no failure");

    drop(of_other);
    paused.until("the first takes over again", leads);
    until_all(&tenant, &[&paused, &other]);
    assert_eq!(paused.metric("defenderbeat_input_elections_total"), Some(2.0));
}

#[test]
fn nobody_leads_while_the_storage_account_does_not_answer_and_then_it_goes_on() {
    let Some(azurite) = Azurite::start() else { return };
    let tenant = tenant(250);
    let (one, other) = (process(&tenant, &azurite), process(&tenant, &azurite));
    let running: Vec<Running> = [&one, &other].map(Asked::start).into();
    let (mut leader, mut waiting) = (&one, &other);
    one.until("one leads", |asked| (leads(asked) || leads(&other)) && (commits(asked) || commits(&other)));
    if leads(&other) {
        (leader, waiting) = (&other, &one);
    }
    signal(azurite.process_id(), "STOP");
    leader.until("the leader steps back", |asked| !leads(asked));
    assert!(!leads(waiting), "another could not know");
    // Three intervals of 1 s.
    leader.until("it says that it does nothing", |asked| {
        let (status, reasons) = asked.get("/readyz");
        status == 503 && reasons.contains("coordination") && reasons.contains("127.0.0.1")
    });
    signal(azurite.process_id(), "CONT");
    leader.until("one leads again", |asked| leads(asked) != leads(waiting));
    leader.until("it is ready again", |asked| asked.get("/readyz").0 == 200);
    until_all(&tenant, &[leader, waiting]);
    drop(running);
}

#[test]
fn a_storage_account_that_refuses_checkpoints_for_a_while_ends_nothing() {
    let Some(azurite) = Azurite::start() else { return };
    let tenant = tenant(250);
    let way = Way::to(&azurite);
    let process = process_at(&tenant, &way.connection_string(&azurite));
    let _running = process.start();
    process.until("it leads", |asked| leads(asked) && commits(asked));
    way.refuses.store(true, Ordering::Relaxed);
    process.until("it says that nothing is saved", |asked| {
        let (status, reasons) = asked.get("/readyz");
        status == 503 && reasons.contains("(checkpoint)") && reasons.contains("403")
    });
    assert!(leads(&process));
    way.refuses.store(false, Ordering::Relaxed);
    process.until("it saves again", |asked| asked.get("/readyz").0 == 200);
    until_all(&tenant, &[&process]);
    assert_eq!(process.metric("defenderbeat_input_elections_total"), Some(1.0));
}

#[test]
fn what_is_read_once_is_left_to_the_process_that_leads() {
    let Some(azurite) = Azurite::start() else { return };
    let tenant = tenant(100);
    let (leading, once) = (process(&tenant, &azurite), process(&tenant, &azurite));
    let _leading = leading.start();
    leading.until("it leads", leads);
    let said = once.program.once();
    let log = crate::program::log(&said);
    assert!(said.status.success() && log.contains("another process leads the input"), "{log}");
    assert!(once.program.documents().is_empty());
    until_all(&tenant, &[&leading, &once]);
}

#[test]
fn who_reads_once_and_cannot_know_whether_anybody_leads_fails() {
    let tenant = tenant(10);
    // Nothing listens there.
    let account = format!("AccountName=contoso;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:{}/contoso", free_port());
    let process = process_at(&tenant, &account);
    let said = process.program.once();
    let log = crate::program::log(&said);
    assert_eq!(said.status.code(), Some(1), "{log}");
    assert!(log.contains("input contoso: nobody is known to lead it") && log.contains("no answer from"), "{log}");
    assert!(process.program.documents().is_empty());
}
