//! Into a real Elasticsearch, beside curl.

use std::process::Stdio;
use std::time::Instant;

use defenderbeat_elasticsearch::{Elasticsearch, Options, Sink};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::hub::Corpus;
use crate::median::median;
use crate::program::{Program, Tenant};
use crate::{EVENTS, ROUNDS, curl, pin};

const STREAM: &str = "logs-m365_defender.event-default";

pub(crate) fn measure(corpus: &Corpus) {
    let runtime = Runtime::new().unwrap();
    let options = Options { core: Some(pin::FIRST), ..Options::default() };
    let Some(server) = runtime.block_on(Elasticsearch::start_if_possible(options)).unwrap() else { return };
    let bench = Bench { runtime, server };
    bench.ask(Method::PUT, "/_index_template/logs-m365_defender", Some(template()));
    // A data stream begins with a document; this one does not count.
    bench.ask(Method::POST, &format!("/{STREAM}/_doc"), Some(json!({"@timestamp": "2025-01-01T00:00:00Z"})));
    pin::this(pin::SECOND);
    let tenant = corpus.tenant(1);

    // What the program sends is what curl sends.
    let folder = tempfile::tempdir().unwrap();
    let requests = folder.path().join("requests");
    std::fs::create_dir(&requests).unwrap();
    let keeping = bench.runtime.block_on(Sink::keeping(&requests)).unwrap();
    bench.run(&tenant, keeping.url());
    assert_eq!(keeping.documents(), EVENTS);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let seconds = bench.timed(|| curl::post(&requests, &bench.server, bench.server.writer(), pin::SECOND));
        let own = bench.timed(|| bench.run(&tenant, bench.server.url()));
        // The first round only warms up.
        if round > 0 {
            theirs.push(seconds);
            ours.push(own);
        }
    }
    let ratios: Vec<f64> = theirs.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect();
    println!("{EVENTS} events ({:.0} MB) into Elasticsearch on a core of its own", corpus.megabytes());
    println!("{:<30} {:>12} {:>10}", "", "documents/s", "of curl");
    println!("{:<30} {:>12.0} {:>10.2}", "curl, the same requests", EVENTS as f64 / median(&theirs), 1.0);
    println!("{:<30} {:>12.0} {:>10.2}", "defenderbeat", EVENTS as f64 / median(&ours), median(&ratios));
    println!();
}

/// Takes documents and indexes little of them, so that the server is as fast as it can be.
fn template() -> Value {
    json!({
        "index_patterns": ["logs-m365_defender.*-*"],
        "data_stream": {},
        "priority": 250,
        "template": {"mappings": {"dynamic": false, "properties": {"@timestamp": {"type": "date"}}}},
    })
}

struct Bench {
    runtime: Runtime,
    server: Elasticsearch,
}

impl Bench {
    fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = self.runtime.block_on(self.server.request(method, path, body)).unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer.body
    }

    /// Collects all there is, as a new process without memory.
    fn run(&self, tenant: &Tenant, url: &str) {
        let user = self.server.writer();
        let output = json!({"hosts": [url], "username": user.name, "password": user.password});
        let output = format!("output.elasticsearch={output}");
        let program = Program::of_events(tenant, &["output.file=null", &output]);
        let mut command = pin::on(pin::SECOND, &program.command(&["run", "--once"]));
        let ended = command.stdin(Stdio::null()).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    /// How many documents there are.
    fn count(&self) -> u64 {
        self.ask(Method::POST, &format!("/{STREAM}/_refresh"), None);
        self.ask(Method::GET, &format!("/{STREAM}/_count"), None)["count"].as_u64().unwrap()
    }

    /// The seconds that it takes to deliver all documents, into an index that is new: there no id is known.
    fn timed(&self, deliver: impl FnOnce()) -> f64 {
        self.ask(Method::POST, &format!("/{STREAM}/_rollover"), None);
        let before = self.count();
        let began = Instant::now();
        deliver();
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(self.count(), before + EVENTS, "every document is there");
        seconds
    }
}
