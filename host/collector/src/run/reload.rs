//! The configuration, read again while inputs run.

use std::future::pending;
use std::sync::Arc;

use defenderbeat_runtime::Component;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::check;
use crate::config::{Config, ConfigFile, Kind, ReloadOptions};

/// Components of the types of inputs that a configuration has.
pub type Components = Vec<(Kind, Component)>;

/// Loads the components that a configuration takes; the error is for the operator.
pub type Load = dyn Fn(&Config) -> Result<Components, String> + Send + Sync;

/// How the configuration is read again.
pub struct Reload {
    /// Where it is.
    pub file: ConfigFile,
    /// Its [digest](ConfigFile::digest) before it was read for the start.
    pub digest: u128,
    /// Loads its components.
    pub components: Arc<Load>,
    /// Asks for it, with each message.
    pub asked: mpsc::Receiver<()>,
}

/// What was read, and checked; or what is wrong with it.
type Read = Result<(Config, Components), String>;

/// Reads it when it has changed, and when it is asked for.
pub(super) struct Reloads {
    reload: Option<Reload>,
    /// When it is looked whether it has changed.
    looks: Option<Interval>,
    /// Tells whether it has.
    digest: u128,
    reading: Option<JoinHandle<Read>>,
}

impl Reloads {
    pub(super) fn new(reload: Option<Reload>, options: &ReloadOptions) -> Self {
        let looks = reload.as_ref().filter(|_| options.enabled).map(|_| {
            let mut looks = interval(options.period);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks.reset();
            looks
        });
        let digest = reload.as_ref().map_or(0, |reload| reload.digest);
        Self { reload, looks, digest, reading: None }
    }

    /// Whether inputs may come without anybody asking.
    pub(super) fn is_watching(&self) -> bool {
        self.looks.is_some()
    }

    /// What was read next. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Read {
        let Some(reload) = &mut self.reload else { return pending().await };
        loop {
            if let Some(reading) = &mut self.reading {
                let read = reading.await.unwrap_or_else(|error| Err(error.to_string()));
                self.reading = None;
                return read;
            }
            let has_changed = async {
                match &mut self.looks {
                    Some(looks) => _ = looks.tick().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Some(()) = reload.asked.recv() => self.digest = reload.file.digest(),
                () = has_changed => {
                    let before = std::mem::replace(&mut self.digest, reload.file.digest());
                    if before == self.digest {
                        continue;
                    }
                }
            }
            let (file, components) = (reload.file.clone(), reload.components.clone());
            self.reading = Some(spawn_blocking(move || read(&file, &*components)));
        }
    }
}

fn read(file: &ConfigFile, components: &Load) -> Read {
    let config = file.load(&|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let components = components(&config)?;
    check(&config, &components).map_err(|error| error.to_string())?;
    Ok((config, components))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
inputs: [{id: a, type: alert, tenant_id: t, client_id: c, client_secret: s}]
output.discard: {}
config.reload: {enabled: true, period: 10ms}
";

    #[tokio::test]
    async fn what_has_changed_since_it_was_read_for_the_start_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.yml");
        std::fs::write(&path, TEXT).unwrap();
        let file = ConfigFile { path: path.clone(), overrides: Vec::new(), strict_perms: false };
        let digest = file.digest();
        let config = file.load(&|_| None).unwrap();
        // While components are loaded.
        std::fs::write(&path, TEXT.replace("discard", "nowhere")).unwrap();
        let (_ask, asked) = mpsc::channel(1);
        let reload = Reload { file, digest, components: Arc::new(|_| Ok(Vec::new())), asked };
        let error = Reloads::new(Some(reload), &config.reload).next().await.err().unwrap();
        assert!(error.contains("output.nowhere: is no option"), "{error}");
    }
}
