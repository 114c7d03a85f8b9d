//! The command `defenderbeat`.

mod components;
mod docs;
mod explain;
mod feeds;
mod fields;
mod golden;
mod keystore;
mod log;
mod opening;
mod progress;
mod replay;
mod run;
mod setup;
mod shell;
mod status;
mod stderr;
mod tap;
mod test_input;
mod test_output;
mod transform;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::stderr::say;

/// Collects Microsoft Defender XDR alerts and maps them, in a sandbox, to Elastic Common Schema documents.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit status: 0 done, or whoever read the output has gone; 1 failed, or replay has letters that fail again; 2 wrong usage; 3 records were rejected."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Collects as a configuration file says.
    Run(run::Arguments),
    /// Tests without collecting.
    #[command(subcommand)]
    Test(Test),
    /// Makes what Elasticsearch has to have: templates, lifecycles, the transform of the latest vulnerabilities.
    Setup(setup::Arguments),
    /// Prints what Elasticsearch and Kibana have to have, or the configuration without its secrets.
    Export(setup::ExportArguments),
    /// Keeps secrets for the configuration, encrypted.
    Keystore(keystore::Arguments),
    /// Sends dead letters again, once their cause is mended.
    Replay(replay::Arguments),
    /// Shows how a running process is: what it has collected, how far it is behind, what fails. Takes `http.enabled`. Ends with
    /// status 1 where it is not ready.
    Status(status::Arguments),
    /// Shows samples of documents and rejected records of a running process as they pass, one a line. Takes `http.tap.enabled`.
    Tap(tap::Arguments),
    /// Maps raw payloads to documents: a step of a shell pipe.
    Transform(transform::Arguments),
    /// Says which row of the mapping made each field of documents, and which columns of records none took.
    Explain(explain::Arguments),
    /// Documents what this program makes.
    #[command(subcommand)]
    Docs(docs::Docs),
    /// Runs golden cases: records with the documents expected of them.
    Golden(golden::Arguments),
    /// Prints the script by which a shell completes commands and options.
    Completions(shell::Completions),
    /// Prints the manual page.
    Man(shell::Man),
    /// Says what this is: version, components and the versions they follow.
    Version,
}

#[derive(Subcommand)]
enum Test {
    /// Checks the configuration file, and that the components take their settings.
    Config(run::ConfigArguments),
    /// Fetches a page of each input, maps it and saves nothing; names a permission that is missing.
    Input(test_input::Arguments),
    /// Connects to the output and says what is missing there: the way, the account, its privileges, the index templates.
    Output(run::ConfigArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(Test::Config(arguments)) => run::test_config(&arguments),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Export(arguments) => setup::export(&arguments),
        Command::Test(Test::Input(arguments)) => test_input::run(&arguments),
        Command::Keystore(arguments) => keystore::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Test(Test::Output(arguments)) => test_output::run(&arguments),
        Command::Transform(arguments) => transform::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Docs(docs::Docs::Fields(arguments)) => docs::run(&arguments),
        Command::Docs(docs::Docs::Metrics) => docs::metrics(),
        Command::Golden(arguments) => golden::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Tap(arguments) => tap::run(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => shell::man(&arguments, Arguments::command()),
        Command::Version => version(),
    };
    match result {
        Ok(code) => code,
        // Whoever read our output has gone, as `head` does: nothing is wrong.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<clap::Error>() {
            Some(usage) => {
                let _ = usage.print();
                ExitCode::from(2)
            }
            None => {
                say(format_args!("defenderbeat: {}", message(&error)));
                ExitCode::FAILURE
            }
        },
    }
}

/// An error and its causes, those left out that the message before has in it.
fn message(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if parts.last().is_none_or(|last| !last.contains(&cause)) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[allow(clippy::print_stdout, reason = "what was asked for")]
fn version() -> Result<ExitCode> {
    println!("defenderbeat {}", env!("CARGO_PKG_VERSION"));
    let engine = defenderbeat_runtime::Engine::new(defenderbeat_runtime::Options::default())?;
    for dataset in components::names() {
        let component = components::load(&engine, dataset, None)?;
        let descriptor = component.descriptor();
        println!(
            "component {} {}, ECS {}, tables {}, data streams {}",
            descriptor.name,
            descriptor.version,
            descriptor.ecs_version,
            descriptor.tables,
            descriptor.routes.join(" ")
        );
    }
    Ok(ExitCode::SUCCESS)
}
