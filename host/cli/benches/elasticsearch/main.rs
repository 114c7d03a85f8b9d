//! What delivery costs: 50,000 events from an event hub into a real Elasticsearch, beside a loop that only posts the same requests
//! with curl; and into a server that only answers.
//!
//! Both ways run in turns, for several rounds; a ratio compares the two of one round. Elasticsearch has the first core, the program or
//! curl the second, and the event hub, whose messages are there from the start, runs beside the program. Figures are medians.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints"
)]

mod curl;
mod hub;
#[path = "../mapping/median.rs"]
mod median;
mod pin;
#[path = "../../tests/collect/program.rs"]
#[allow(dead_code, reason = "a helper of tests, of which the bench takes a part")]
mod program;
mod server;
mod sink;

/// Events of the corpus.
const EVENTS: u64 = 50_000;
const ROUNDS: usize = 5;

fn main() {
    // `cargo bench --bench elasticsearch -- sink` measures what is named only.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let corpus = hub::Corpus::new(EVENTS);
    if is_wanted("sink") {
        sink::measure(&corpus);
    }
    if is_wanted("server") {
        server::measure(&corpus);
    }
}
