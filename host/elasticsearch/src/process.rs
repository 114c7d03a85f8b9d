//! The process of a server, and all processes below it.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use tokio::sync::watch;

use crate::Error;

/// Whoever owns nothing: `nobody`.
pub(crate) const NOBODY: u32 = 65_534;

/// What to tell a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// End in order.
    Terminate,
    /// End at once.
    Kill,
    /// Do nothing until told to go on.
    Stop,
    /// Go on.
    Continue,
}

/// A running server. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// Of the first process, and of the group that all below it are in.
    id: u32,
    ended: watch::Receiver<Option<ExitStatus>>,
}

/// Whether this process may do everything, which Elasticsearch refuses.
pub(crate) fn is_root() -> bool {
    #[cfg(target_os = "linux")]
    return {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
    };
    #[cfg(not(target_os = "linux"))]
    false
}

impl Process {
    /// Starts the server of a distribution with a folder of its own; what it says goes to `log`.
    pub(crate) fn start(
        home: &Path,
        java: &Path,
        folder: &Path,
        core: Option<usize>,
        log: File,
    ) -> Result<Self, Error> {
        let mut words = Vec::new();
        if cfg!(target_os = "linux") {
            words.extend(["setpriv".to_owned(), "--pdeathsig".to_owned(), "KILL".to_owned()]);
            if is_root() {
                let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
                words.extend(user);
            }
            if let Some(core) = core {
                words.extend(["taskset".to_owned(), "--cpu-list".to_owned(), core.to_string()]);
            }
        }
        // Through the shell, because not everything that unpacks keeps what may be run.
        words.extend(["bash".to_owned(), home.join("bin/elasticsearch").display().to_string()]);
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(words).env("ES_PATH_CONF", folder.join("config"));
        command.env("ES_JAVA_HOME", java).env("ES_TMPDIR", folder.join("tmp"));
        command.env_remove("ES_JAVA_OPTS").env_remove("JAVA_HOME");
        command.stdin(Stdio::null()).stderr(log.try_clone().map_err(Error::file(folder))?).stdout(log);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self::spawn(command, program)
    }

    /// Linux kills a process when the thread that started it ends, so it has a thread that lives as long.
    fn spawn(mut command: Command, program: String) -> Result<Self, Error> {
        let (tell, ended) = watch::channel(None);
        let (answer, started) = mpsc::channel();
        thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                let _ = answer.send(Ok(child.id()));
                tell.send_replace(child.wait().ok());
            }
            Err(error) => drop(answer.send(Err(error))),
        });
        let started = started.recv().unwrap_or_else(|_| Err(std::io::ErrorKind::BrokenPipe.into()));
        Ok(Self { id: started.map_err(|source| Error::Run { program, source })?, ended })
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&self) -> bool {
        // The sender goes with the thread that waits for it.
        self.ended.borrow().is_none() && self.ended.has_changed().is_ok()
    }

    /// Tells it and all below it.
    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Terminate => "-TERM",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        // It may have ended already.
        let group = format!("-{}", self.id);
        let _ = Command::new("kill").args([name, "--", &group]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }

    /// Returns once it has ended.
    pub(crate) async fn ended(&mut self) {
        // An error means that the thread has gone.
        let _ = self.ended.wait_for(Option::is_some).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(Signal::Kill);
        }
    }
}
