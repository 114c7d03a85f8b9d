//! Runs a command that finds something in its environment, for as long as the command takes.

use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};
use tokio::process::Command;

/// Runs a command, its program first, with these variables; ends with its status.
///
/// # Errors
///
/// It cannot be started or waited for.
pub(crate) async fn exec(command: &[String], variables: &[(&str, String)]) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else { return Ok(ExitCode::from(2)) };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("running {program}"))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.with_context(|| format!("waiting for {program}"))?,
            // The terminal interrupts the command too, which decides what to do.
            result = tokio::signal::ctrl_c() => result.context("waiting for an interrupt")?,
        }
    };
    Ok(ExitCode::from(code(status)))
}

/// As shells have it: 128 and the number of the signal, where one ended it.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or_else(|| signal.map(|signal: i32| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
