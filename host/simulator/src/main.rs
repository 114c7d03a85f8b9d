//! The command `defenderbeat-simulator`: the tenant on loopback, for the shell.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use defenderbeat_simulator::{
    AlertOptions, EventOptions, Options, Simulator, Vulnerabilities, VulnerabilityOptions, VulnerabilityRecords,
    alerts, envelopes, events,
};

mod exec;

use exec::exec;

#[derive(Parser)]
#[command(version, about = "A Microsoft Defender tenant on loopback, for tests and demonstrations.")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Runs until it is interrupted.
    Serve(Serve),
    /// Runs as long as a command, which finds the tenant in its environment: SIMULATOR_URL, SIMULATOR_TENANT_ID,
    /// SIMULATOR_CLIENT_ID, SIMULATOR_CLIENT_SECRET, and for Event Hubs SIMULATOR_EVENT_HUBS_URL and
    /// SIMULATOR_EVENT_HUBS_CONNECTION_STRING. Ends with the command's status.
    Exec(Exec),
    /// Prints what a tenant holds or streams as NDJSON, the same for the same options.
    #[command(subcommand)]
    Generate(Generate),
}

#[derive(Subcommand)]
enum Generate {
    /// Alerts of Graph.
    Alerts(AlertOptions),
    /// Records of the event stream.
    Events(GenerateEvents),
    /// Machines, vulnerabilities and product rows of the Defender for Endpoint API, lines of an export, or changes.
    Vulnerabilities(GenerateVulnerabilities),
}

#[derive(Args)]
struct GenerateEvents {
    #[command(flatten)]
    options: EventOptions,
    /// Prints envelopes, `{"records":[..]}`, that are no longer than this unless one record is: what one message holds.
    #[arg(long, value_name = "BYTES")]
    envelope: Option<usize>,
}

#[derive(Args)]
struct GenerateVulnerabilities {
    /// Which records.
    #[arg(value_enum)]
    records: VulnerabilityRecords,
    #[command(flatten)]
    options: VulnerabilityOptions,
    /// What they are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When it is, as RFC 3339.
    #[arg(long, default_value = NOW, value_name = "TIME")]
    now: DateTime<Utc>,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    options: Options,
    /// Writes the address, such as http://127.0.0.1:41234, to this file once it can be used.
    #[arg(long, value_name = "FILE")]
    address_file: Option<PathBuf>,
    /// Writes the connection string of Event Hubs to this file, before the other.
    #[arg(long, value_name = "FILE")]
    connection_string_file: Option<PathBuf>,
}

#[derive(Args)]
struct Exec {
    #[command(flatten)]
    options: Options,
    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// When it is for `generate alerts` and `generate vulnerabilities`, where nothing else is said: any fixed time serves.
const NOW: &str = "2025-06-01T12:00:00Z";

fn main() -> Result<ExitCode> {
    match Arguments::parse().action {
        Action::Generate(generate) => generate.run().map(|()| ExitCode::SUCCESS),
        Action::Serve(serve) => runtime()?.block_on(serve.run()).map(|()| ExitCode::SUCCESS),
        Action::Exec(exec) => runtime()?.block_on(exec.run()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the tokio runtime")
}

impl Generate {
    fn run(self) -> Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let written = match self {
            Self::Alerts(mut options) => {
                if options.now.is_none() {
                    options.now = Some(NOW.parse().context("reading the built-in time")?);
                }
                write_lines(&mut out, alerts(&options)?)
            }
            Self::Events(GenerateEvents { options, envelope: None }) => write_lines(&mut out, events(&options)),
            Self::Events(GenerateEvents { options, envelope: Some(size) }) => {
                write_lines(&mut out, envelopes(events(&options), size))
            }
            Self::Vulnerabilities(GenerateVulnerabilities { records, options, seed, now }) => {
                write_lines(&mut out, Vulnerabilities::new(&options, seed, now)?.records(records))
            }
        };
        match written.and_then(|()| out.flush()) {
            // Whoever reads has enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.context("writing to the standard output"),
        }
    }
}

fn write_lines(out: &mut impl Write, lines: impl Iterator<Item = impl AsRef<[u8]>>) -> io::Result<()> {
    for line in lines {
        out.write_all(line.as_ref())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

impl Serve {
    async fn run(self) -> Result<()> {
        let simulator = Simulator::start(self.options).await?;
        if let Some(file) = &self.connection_string_file {
            write_whole(file, &simulator.event_hubs().connection_string())
                .with_context(|| format!("writing {}", file.display()))?;
        }
        if let Some(file) = &self.address_file {
            write_whole(file, simulator.url()).with_context(|| format!("writing {}", file.display()))?;
        }
        let access = &simulator.options().access;
        eprintln!(
            "listening on {} and {}: {} alerts, {} product rows, tenant {}, client {}",
            simulator.url(),
            simulator.event_hubs().url(),
            simulator.options().alerts.count,
            simulator.options().vulnerabilities.products,
            access.tenant_id,
            access.client_id
        );
        tokio::signal::ctrl_c().await.context("waiting for an interrupt")?;
        simulator.stop().await;
        Ok(())
    }
}

/// Who waits for the file never sees a part of it.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)?;
    fs::rename(&part, file)
}

impl Exec {
    async fn run(self) -> Result<ExitCode> {
        let simulator = Simulator::start(self.options).await?;
        let (access, hubs) = (&simulator.options().access, simulator.event_hubs());
        let variables = [
            ("SIMULATOR_URL", simulator.url().to_owned()),
            ("SIMULATOR_TENANT_ID", access.tenant_id.clone()),
            ("SIMULATOR_CLIENT_ID", access.client_id.clone()),
            ("SIMULATOR_CLIENT_SECRET", access.client_secret.clone()),
            ("SIMULATOR_EVENT_HUBS_URL", hubs.url().to_owned()),
            ("SIMULATOR_EVENT_HUBS_CONNECTION_STRING", hubs.connection_string().to_owned()),
        ];
        exec(&self.command, &variables).await
    }
}
