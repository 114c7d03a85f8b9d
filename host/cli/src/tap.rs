//! `tap`: samples of the documents and rejects of a running process, as they pass.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use defenderbeat_collector::monitor::Ask;

use crate::run::ConfigArguments;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Of this input only.
    input: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Ends after so many samples.
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let ask = Ask::new(&config.http)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let mut body = ask.tap(arguments.input.as_deref()).await?;
        let (mut out, mut left) = (std::io::stdout(), arguments.count.unwrap_or(u64::MAX));
        while left > 0 {
            let Some(bytes) = body.chunk().await? else { bail!("the collector has ended") };
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                if left == 0 {
                    break;
                }
                out.write_all(line).context("writing samples")?;
                left -= u64::from(line.ends_with(b"\n"));
            }
            out.flush().context("writing samples")?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
