//! `run` and `test config`, and what commands share that take a configuration.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{ArgAction, Args};
use defenderbeat_collector::config::{Config, ConfigFile, GeoipOptions, Kind};
use defenderbeat_collector::lookup::Data;
use defenderbeat_collector::metrics::Registry;
use defenderbeat_collector::privileges;
use defenderbeat_collector::run::{self, Options, Reload};
use defenderbeat_runtime::{Component, Engine};
use tokio::sync::{mpsc, watch};

use crate::progress::Progress;
use crate::stderr::say;
use crate::{components, log, message};

#[derive(Args)]
pub(crate) struct ConfigArguments {
    /// The configuration file.
    #[arg(short = 'c', long = "config", value_name = "FILE", default_value = "defenderbeat.yml")]
    config: PathBuf,
    /// Puts a value over one of the file, such as `-E output.console.pretty=true`.
    #[arg(short = 'E', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    strict: Strict,
}

#[derive(Args)]
pub(crate) struct Strict {
    /// Refuses a configuration file that others can write, and a keystore that others can read. `--strict.perms=false` takes them.
    #[arg(long = "strict.perms", value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) perms: bool,
}

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Ends after one cycle of every input.
    #[arg(long)]
    once: bool,
    /// Counts what components execute, for the metric fuel. They are compiled anew at the start, which takes seconds, and
    /// mapping takes longer.
    #[arg(long)]
    fuel: bool,
}

impl ConfigArguments {
    pub(crate) fn load(&self) -> Result<Config> {
        Ok(self.file().load(&environment)?)
    }

    pub(crate) fn file(&self) -> ConfigFile {
        let (path, overrides) = (self.config.clone(), self.overrides.clone());
        ConfigFile { path, overrides, strict_perms: self.strict.perms }
    }
}

/// A variable of the environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The components that the inputs of a configuration need.
pub(crate) fn load(config: &Config) -> Result<Vec<(Kind, Component)>> {
    let mut components = Vec::new();
    load_into(&mut components, &Engine::new(defenderbeat_runtime::Options::default())?, config)?;
    Ok(components)
}

/// Adds those that are not there yet: each is some megabytes of machine code.
fn load_into(components: &mut Vec<(Kind, Component)>, engine: &Engine, config: &Config) -> Result<()> {
    for input in &config.inputs {
        if !components.iter().any(|(kind, _)| *kind == input.kind) {
            components.push((input.kind, components::load(engine, input.kind.name(), None)?));
        }
    }
    Ok(())
}

/// The host's own data, with the databases of a configuration.
pub(crate) fn data(config: &Config) -> Result<Data> {
    let GeoipOptions { city, asn } = &config.geoip;
    Data::open(city.as_deref(), asn.as_deref()).context("geoip")
}

/// Gives up privileges, unless a configuration says otherwise. To be called before threads are started, as the log does.
pub(crate) fn give_up_privileges(config: &Config) -> Result<()> {
    if config.seccomp {
        privileges::give_up()?;
    }
    Ok(())
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    give_up_privileges(&config)?;
    let progress = Progress::of(&config);
    let log = log::start(&config, &progress);
    match collect(arguments, &config, &progress, log.rest()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Who reads lines of JSON gets nothing else.
        Err(error) if log.is_json() => {
            tracing::error!("{}", message(&error));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

/// All of `run` that is logged; `rest` is what the log says last where the process is ended at once.
fn collect(
    arguments: &Arguments,
    config: &Config,
    progress: &Progress,
    rest: impl FnOnce() + Send + 'static,
) -> Result<()> {
    let began = Instant::now();
    let fuel = defenderbeat_runtime::Options::default().with_fuel(arguments.fuel);
    let engine = Engine::new(fuel)?;
    let mut components = Vec::new();
    load_into(&mut components, &engine, config)?;
    let lookup = Arc::new(data(config)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let (tell, stop) = watch::channel(false);
    let metrics = Registry::new(config);
    let result = runtime.block_on(async {
        let (ask, asked) = mpsc::channel(1);
        tokio::spawn(hangups(tell.clone(), ask));
        tokio::spawn(signals(tell, rest));
        let _shown = progress.collecting(&metrics);
        let loaded = Mutex::new(components.clone());
        let components_of = move |config: &Config| {
            let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
            load_into(&mut loaded, &engine, config).map_err(|error| message(&error))?;
            Ok(loaded.clone())
        };
        let reload = Reload { file: arguments.config.file(), components: Arc::new(components_of), asked };
        let (once, metrics) = (arguments.once, metrics.clone());
        let options = Options { once, components, lookup, metrics, stop, reload: Some(reload) };
        run::run(config, options).await
    });
    // Threads that are in the middle of something do not keep the process from ending.
    runtime.shutdown_background();
    progress.summary(&metrics, began);
    Ok(result?)
}

/// Tells everything to end at the first SIGINT or SIGTERM, and ends the process at the second, once the log has said the rest.
pub(crate) async fn signals(tell: watch::Sender<bool>, rest: impl FnOnce()) {
    for number in 0_u32.. {
        if let Err(error) = signal().await {
            tracing::warn!(%error, "signals cannot be received: only a kill ends this process");
            // Dropping the sender would tell everything to end.
            return std::future::pending().await;
        }
        if number > 0 {
            tracing::warn!("told to end twice: ending at once; what was not settled is read again at the next start");
            rest();
            std::process::exit(1);
        }
        tell.send_replace(true);
    }
}

/// Asks for the configuration to be read again at each SIGHUP. On a terminal that means that it is closed, and tells everything to end.
#[cfg(unix)]
async fn hangups(tell: watch::Sender<bool>, ask: mpsc::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be received: it ends this process");
            return;
        }
    };
    let on_terminal = std::io::stderr().is_terminal();
    while hangups.recv().await.is_some() {
        if on_terminal {
            tell.send_replace(true);
        } else {
            // One that waits already is as good.
            let _ = ask.try_send(());
        }
    }
}

/// There is no SIGHUP.
#[cfg(not(unix))]
async fn hangups(_: watch::Sender<bool>, ask: mpsc::Sender<()>) {
    ask.closed().await;
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn test_config(arguments: &ConfigArguments) -> Result<ExitCode> {
    let config = arguments.load()?;
    run::check(&config, &load(&config)?)?;
    data(&config)?;
    config.warnings.iter().for_each(|warning| say(format_args!("warning: {warning}")));
    println!("Config OK");
    Ok(ExitCode::SUCCESS)
}
