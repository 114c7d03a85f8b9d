//! The command `defenderbeat-elasticsearch`: the server for the shell.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use defenderbeat_elasticsearch::{Elasticsearch, Options, Tls};

#[path = "../../simulator/src/exec.rs"]
mod exec;

use exec::exec;

#[derive(Parser)]
#[command(version, about = "A real Elasticsearch on loopback, for tests and demonstrations.")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Runs until it is interrupted.
    Serve(Server),
    /// Runs as long as a command, which finds the server in its environment: ELASTICSEARCH_URL; ELASTICSEARCH_USER and
    /// ELASTICSEARCH_PASSWORD, who may write documents of defenderbeat; ELASTICSEARCH_ADMIN_USER and ELASTICSEARCH_ADMIN_PASSWORD, who may
    /// do everything; with --tls also ELASTICSEARCH_CA, ELASTICSEARCH_CERTIFICATE and ELASTICSEARCH_KEY. Ends with the command's
    /// status.
    Exec(Exec),
}

#[derive(Args)]
struct Server {
    /// TCP port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Talks TLS, with an authority of its own.
    #[arg(long)]
    tls: bool,
    /// Asks clients for a certificate.
    #[arg(long, requires = "tls")]
    client_certificate: bool,
    /// The only core that it may run on.
    #[arg(long, value_name = "N")]
    core: Option<usize>,
}

#[derive(Args)]
struct Exec {
    #[command(flatten)]
    server: Server,
    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the tokio runtime")?;
    match Arguments::parse().action {
        Action::Serve(server) => runtime.block_on(server.run()).map(|()| ExitCode::SUCCESS),
        Action::Exec(exec) => runtime.block_on(exec.run()),
    }
}

impl Server {
    async fn start(&self) -> Result<Elasticsearch> {
        let tls = match (self.tls, self.client_certificate) {
            (false, _) => Tls::Off,
            (true, false) => Tls::On,
            (true, true) => Tls::ClientCertificate,
        };
        let options = Options { port: self.port, tls, core: self.core, settings: Vec::new() };
        Ok(Elasticsearch::start(options).await?)
    }

    async fn run(self) -> Result<()> {
        let mut server = self.start().await?;
        eprintln!("Elasticsearch {} listens on {}", defenderbeat_elasticsearch::VERSION, server.url());
        for (name, value) in variables(&server, self.tls) {
            eprintln!("  {name}={value}");
        }
        tokio::select! {
            () = server.ended() => anyhow::bail!("Elasticsearch has ended"),
            result = tokio::signal::ctrl_c() => result.context("waiting for an interrupt"),
        }
    }
}

/// What a command finds in its environment.
fn variables(server: &Elasticsearch, tls: bool) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("ELASTICSEARCH_URL", server.url().to_owned()),
        ("ELASTICSEARCH_USER", server.writer().name.to_owned()),
        ("ELASTICSEARCH_PASSWORD", server.writer().password.clone()),
        ("ELASTICSEARCH_ADMIN_USER", server.admin().name.to_owned()),
        ("ELASTICSEARCH_ADMIN_PASSWORD", server.admin().password.clone()),
    ];
    if tls {
        let files = server.certificates();
        variables.extend([
            ("ELASTICSEARCH_CA", files.authority.display().to_string()),
            ("ELASTICSEARCH_CERTIFICATE", files.client.display().to_string()),
            ("ELASTICSEARCH_KEY", files.client_key.display().to_string()),
        ]);
    }
    variables
}

impl Exec {
    async fn run(self) -> Result<ExitCode> {
        let server = self.server.start().await?;
        exec(&self.command, &variables(&server, self.server.tls)).await
    }
}
