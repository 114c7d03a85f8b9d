//! `keystore`: secrets for the configuration, in a file that is encrypted.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use defenderbeat_collector::http::read_secret;
use defenderbeat_collector::keystore::{Keystore, password};
use zeroize::Zeroizing;

use crate::run::{ConfigArguments, environment};
use crate::stderr::say;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes an empty keystore.
    Create {
        #[command(flatten)]
        config: ConfigArguments,
        /// Puts it in the place of one that is there, with all its secrets.
        #[arg(long)]
        force: bool,
    },
    /// Puts a secret in, which the configuration takes as `${KEY}`. It is asked for on the terminal and not shown.
    Add {
        /// Its key: letters, digits, `_`, `.` and `-`.
        key: String,
        #[command(flatten)]
        config: ConfigArguments,
        /// Takes it from standard input, without line breaks at its end.
        #[arg(long)]
        stdin: bool,
        /// Puts it in the place of the one that this key has.
        #[arg(long)]
        force: bool,
    },
    /// Shows the keys, without their secrets.
    List {
        #[command(flatten)]
        config: ConfigArguments,
    },
    /// Takes a secret out.
    Remove {
        /// Its key.
        key: String,
        #[command(flatten)]
        config: ConfigArguments,
    },
}

#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Command::Create { config, force } => {
            let keystore = Keystore::new(config.file().keystore_path(&environment)?, password(&environment)?);
            keystore.save(*force)?;
            say(format_args!("made the keystore {}", keystore.path().display()));
        }
        Command::Add { key, config, stdin, force } => {
            let mut keystore = open(config)?;
            if keystore.get(key).is_some() && !force {
                bail!("{key} is in the keystore {} already; --force replaces it", keystore.path().display());
            }
            // What is wrong with the key is said before the secret is asked for.
            keystore.add(key, Zeroizing::default())?;
            keystore.add(key, secret(key, *stdin)?)?;
            keystore.save(true)?;
        }
        Command::List { config } => open(config)?.keys().for_each(|key| println!("{key}")),
        Command::Remove { key, config } => {
            let mut keystore = open(config)?;
            if !keystore.remove(key) {
                bail!("{key} is not in the keystore {}", keystore.path().display());
            }
            keystore.save(true)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(config: &ConfigArguments) -> Result<Keystore> {
    let file = config.file();
    Ok(Keystore::open(file.keystore_path(&environment)?, password(&environment)?, file.strict_perms)?)
}

fn secret(key: &str, stdin: bool) -> Result<Zeroizing<String>> {
    let secret = if stdin {
        read_secret(io::stdin()).context("reading the secret from standard input")?
    } else if io::stdin().is_terminal() {
        let asked = rpassword::prompt_password(format!("Secret for {key}: "));
        asked.map(Zeroizing::new).context("reading the secret from the terminal")?
    } else {
        bail!("there is no terminal to ask for the secret on; --stdin takes it from standard input");
    };
    if secret.is_empty() {
        bail!("the secret is empty");
    }
    Ok(secret)
}
