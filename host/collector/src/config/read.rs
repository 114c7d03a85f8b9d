//! Where a configuration is read from: the file, what the command line puts over it, the keystore.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;
use xxhash_rust::xxh3::xxh3_128;

use super::error::Problem;
use super::export::export;
use super::model::PathOptions;
use super::schema::in_order;
use super::variables::{VariableError, expand};
use super::yaml::{Node, Value};
use super::{Config, ConfigError, Env};
use crate::keystore::{Keystore, KeystoreError, password};
use crate::permissions::{Closed, fault};

/// The keystore's name where the configuration gives none.
const KEYSTORE: &str = "defenderbeat.keystore";

/// A configuration file, and what is put over it.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// Overrides of the form `key=value`, in their order.
    pub overrides: Vec<String>,
    /// Refuses a file that others can write, and a keystore that others can read.
    pub strict_perms: bool,
}

/// The keystore: secrets that are written as `${KEY}`. `defenderbeat keystore` makes it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct KeystoreOptions {
    /// The file of the keystore, in which `${KEY}` is looked up before the environment. Without it: `defenderbeat.keystore` below
    /// `path.data`. Here, and in `path.data`, variables are those of the environment.
    pub(super) path: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file, puts the overrides over it, and replaces `${KEY}` by what the keystore says, or else `env`.
    ///
    /// # Errors
    ///
    /// Says what is wrong where, all at once where that can be told, and what is wanted. None is worth a retry before something is changed.
    pub fn load(&self, env: Env<'_>) -> Result<Config, ConfigError> {
        Config::of(&mut Written::read(&self.text()?, self, env)?)
    }

    /// The options as they are in force, as they may be written in the file: with the overrides, with variables replaced. What is
    /// secret is not in it: an option that holds a secret is shown as it is written where that is only where the secret is kept
    /// (`${KEY}`, `file:PATH`), any other option where it takes something from the keystore; an address has no user and password.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn export(&self, env: Env<'_>) -> Result<Json, ConfigError> {
        let mut written = Written::read(&self.text()?, self, env)?;
        Config::of(&mut written)?;
        Ok(export(&written))
    }

    /// A digest of the text as it is now, or else of why there is none: tells whether it has changed.
    pub fn digest(&self) -> u128 {
        xxh3_128(self.text().unwrap_or_else(|error| error.to_string()).as_bytes())
    }

    fn text(&self) -> Result<String, ConfigError> {
        let failed = |cause: io::Error| ConfigError::Read { path: self.path.clone(), cause };
        let mut file = File::open(&self.path).map_err(failed)?;
        let fault = fault(&file, &self.path, Closed::ToWriting).map_err(failed)?;
        if let Some(fault) = fault.filter(|_| self.strict_perms) {
            return Err(ConfigError::Permissions { path: self.path.clone(), fault });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        Ok(text)
    }

    /// Where the keystore of this configuration is, or would be.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a variable is missing that says where it is.
    pub fn keystore_path(&self, env: Env<'_>) -> Result<PathBuf, ConfigError> {
        keystore_path(&Written::read(&self.text()?, self, env)?.node, env)
    }
}

/// A configuration as it is written, and where its variables are looked up.
pub(super) struct Written<'a> {
    /// The file, with what is put over it.
    pub(super) node: Node,
    pub(super) env: Env<'a>,
    strict: bool,
    /// Opened for the first variable: decrypting takes time, and those who need none of it may not be let in.
    keystore: OnceCell<Result<Option<Keystore>, ConfigError>>,
}

impl<'a> Written<'a> {
    /// Reads the text of a file, and puts over it what is to be.
    pub(super) fn read(text: &str, file: &ConfigFile, env: Env<'a>) -> Result<Self, ConfigError> {
        let mut node = Node::parse(&file.path.display().to_string(), text)?;
        node.put_over(&file.overrides)?;
        Ok(Self { node, env, strict: file.strict_perms, keystore: OnceCell::new() })
    }

    /// What the keystore has under a key. Nothing where it cannot be opened, which [`opened`](Self::opened) says.
    pub(super) fn kept(&self, key: &str) -> Option<String> {
        let keystore = self.keystore.get_or_init(|| keystore(&self.node, self.strict, self.env));
        keystore.as_ref().ok()?.as_ref()?.get(key).map(str::to_owned)
    }

    /// What a variable stands for: what the keystore has, or else the environment.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.kept(name).or_else(|| (self.env)(name))
    }

    /// Why the keystore could not be opened, where something was looked up in it.
    pub(super) fn opened(&mut self) -> Result<(), ConfigError> {
        if let Some(keystore) = self.keystore.take() {
            self.keystore = Ok(keystore?).into();
        }
        Ok(())
    }
}

/// The keystore that a configuration names, where there is one.
fn keystore(node: &Node, strict: bool, env: Env<'_>) -> Result<Option<Keystore>, ConfigError> {
    let path = keystore_path(node, env)?;
    match password(env).and_then(|password| Keystore::open(path, password, strict)) {
        Ok(keystore) => Ok(Some(keystore)),
        Err(KeystoreError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn keystore_path(node: &Node, env: Env<'_>) -> Result<PathBuf, ConfigError> {
    let written = |option: &str| -> Result<Option<PathBuf>, ConfigError> {
        let Some(Node { place, value: Value::Scalar(scalar) }) = node.find(option) else { return Ok(None) };
        match expand(&scalar.text, env) {
            Ok(expanded) => Ok(Some(expanded.unwrap_or_else(|| scalar.text.clone()).into())),
            Err(error) => {
                let message = match error {
                    VariableError::Missing(name) => format!(
                        "{name} is not set in the environment, and nothing else counts here, where it is said where the keystore is; \
                         `${{{name}:default}}` gives a default"
                    ),
                    other => other.to_string(),
                };
                Err(ConfigError::Options(vec![Problem { place: place.clone(), option: option.to_owned(), message }]))
            }
        }
    };
    if let Some(path) = written("keystore.path")? {
        return Ok(path);
    }
    Ok(written("path.data")?.unwrap_or_else(|| PathOptions::default().data).join(KEYSTORE))
}
