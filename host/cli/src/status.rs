//! `status`: what a running process says of itself, readable.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use defenderbeat_collector::monitor::Ask;
use serde_json::Value as Json;

use crate::run::ConfigArguments;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Prints what /stats says instead.
    #[arg(long)]
    json: bool,
}

#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let ask = Ask::new(&config.http)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let (stats, reasons) = runtime.block_on(async { anyhow::Ok((ask.stats().await?, ask.reasons().await?)) })?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&stats).context("printing")?);
    } else {
        print!("{}", render(&stats, &reasons));
    }
    Ok(if reasons.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Columns of the table of inputs: the title, and what of an input it has.
type Column = (&'static str, fn(&Json) -> String);

const COLUMNS: [Column; 9] = [
    ("TYPE", |input| text(&input["type"])),
    ("RECORDS", |input| number(&input["records"])),
    ("DELIVERED", |input| number(&input["delivered"])),
    ("REJECTED", |input| number(&input["rejected"])),
    ("DEAD LETTERS", |input| number(&input["dead_letters"])),
    ("RECORDS/S", |input| input["records_per_second"].as_f64().map_or_else(dash, |rate| format!("{rate:.1}"))),
    ("BEHIND", |input| time(&input["lag_seconds"])),
    ("CHECKPOINT", |input| time(&input["checkpoint_age_seconds"])),
    ("429", |input| number(&input["throttled"])),
];

fn render(stats: &Json, reasons: &[String]) -> String {
    let info = at(stats, "/beat/info");
    let mut out = format!("defenderbeat {}", text(&info["version"]));
    if let Some(uptime) = at(info, "/uptime/ms").as_f64() {
        // Infallible: a String takes any text.
        let _ = write!(out, ", up {}", duration(uptime / 1e3));
    }
    if let Some(rss) = at(stats, "/beat/memstats/rss").as_u64() {
        let _ = write!(out, ", {} MiB of memory", rss >> 20);
    }
    out.push('\n');
    out.push_str(if reasons.is_empty() { "ready\n" } else { "not ready:\n" });
    for reason in reasons {
        let _ = writeln!(out, "  {reason}");
    }
    out.push('\n');
    let head = std::iter::once("INPUT".to_owned()).chain(COLUMNS.iter().map(|(title, _)| (*title).to_owned()));
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    for (id, input) in stats["inputs"].as_object().into_iter().flatten() {
        rows.push(std::iter::once(id.clone()).chain(COLUMNS.iter().map(|(_, cell)| cell(input))).collect());
    }
    out.push_str(&table(&rows));
    let output = &stats["output"];
    let _ = write!(out, "\noutput {}: {} documents delivered", text(&output["type"]), number(&output["delivered"]));
    for (name, words) in [
        ("duplicates", "there already"),
        ("refused", "refused"),
        ("failure_store", "in the failure store"),
        ("retried", "sent again"),
    ] {
        if output[name].as_u64().is_some_and(|count| count > 0) {
            let _ = write!(out, ", {} {words}", number(&output[name]));
        }
    }
    let _ = writeln!(out, "; {} KiB under way", output["in_flight_bytes"].as_u64().unwrap_or_default() >> 10);
    out
}

/// Rows in columns that are as wide as they have to be; numbers stand at the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, width))| if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

/// What is at a JSON pointer; null where nothing is.
fn at<'a>(json: &'a Json, pointer: &str) -> &'a Json {
    json.pointer(pointer).unwrap_or(&Json::Null)
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn number(json: &Json) -> String {
    json.as_u64().map_or_else(dash, count)
}

fn time(json: &Json) -> String {
    json.as_f64().map_or_else(dash, duration)
}

fn dash() -> String {
    "-".to_owned()
}

/// A number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.char_indices().flat_map(|(at, digit)| {
        let comma = at > 0 && (digits.len() - at).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    });
    grouped.collect()
}

/// A time by its two largest units.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if rest < 10 => format!("{seconds:.1}s"),
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, minutes) => format!("{minutes}m {rest}s"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        let times = [0.25, 42.9, 61.0, 7_260.0, 200_000.0].map(duration);
        assert_eq!(times, ["0.2s", "42s", "1m 1s", "2h 1m", "2d 7h"]);
    }

    #[test]
    fn the_status_says_what_is_wrong_and_shows_inputs_in_a_table() {
        let stats = json!({
            "beat": {"info": {"version": "1.2.3", "uptime": {"ms": 61_000}}, "memstats": {"rss": 50 << 20}},
            "inputs": {
                "contoso": {"type": "alert", "records": 12_345, "delivered": 12_340, "rejected": 5, "dead_letters": 5,
                    "records_per_second": 1.25, "lag_seconds": 42, "throttled": 0},
                "events": {"type": "event", "records": 1},
            },
            "output": {"type": "elasticsearch", "delivered": 12_341, "refused": 2, "duplicates": 0, "in_flight_bytes": 4096},
        });
        assert_eq!(
            render(&stats, &["input events has ended: no right".to_owned()]),
            "defenderbeat 1.2.3, up 1m 1s, 50 MiB of memory
not ready:
  input events has ended: no right

INPUT    TYPE   RECORDS  DELIVERED  REJECTED  DEAD LETTERS  RECORDS/S  BEHIND  CHECKPOINT  429
contoso  alert   12,345     12,340         5             5        1.2     42s           -    0
events   event        1          -         -             -          -       -           -    -

output elasticsearch: 12,341 documents delivered, 2 refused; 4 KiB under way
"
        );
        assert!(render(&stats, &[]).contains("\nready\n"));
    }
}
