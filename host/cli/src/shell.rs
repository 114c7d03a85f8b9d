//! `completions` and `man`: for those who install the program.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct Man {
    /// Writes a page for each command to this folder, instead of the first one to standard output.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Prints what a shell reads to complete a command line.
pub(crate) fn completions(arguments: &Completions, mut command: Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "defenderbeat", &mut script);
    std::io::stdout().write_all(&script).context("writing completions")?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(arguments: &Man, command: Command) -> Result<ExitCode> {
    if let Some(folder) = &arguments.folder {
        let failed = || format!("writing manual pages to {}", folder.display());
        std::fs::create_dir_all(folder).with_context(failed)?;
        clap_mangen::generate_to(command, folder).with_context(failed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("making the manual page")?;
    std::io::stdout().write_all(&page).context("writing the manual page")?;
    Ok(ExitCode::SUCCESS)
}
