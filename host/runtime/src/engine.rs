//! wasmtime, set up for guests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wasmtime::{Config, OptLevel};

use crate::error::{Error, Result};

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest in bytes. Mapping nests as deep as the tables do, not as the records: 512 KiB is plenty.
const STACK: usize = 512 << 10;

/// How an engine is set up. Precompiled components load only into an engine with the options they were made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether calls have a deadline; without it a guest can spin for ever. Off only to measure its cost.
    pub interruption: bool,
    /// Whether instructions are counted ([`Pipeline::fuel_used`](crate::Pipeline::fuel_used)): a figure that does not
    /// depend on the machine.
    pub fuel: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { interruption: true, fuel: false }
    }
}

impl Options {
    /// Sets [`interruption`](field@Self::interruption).
    #[must_use]
    pub fn with_interruption(mut self, interruption: bool) -> Self {
        self.interruption = interruption;
        self
    }

    /// Sets [`fuel`](field@Self::fuel).
    #[must_use]
    pub fn with_fuel(mut self, fuel: bool) -> Self {
        self.fuel = fuel;
        self
    }
}

/// An engine: shared by all components and threads of a process, cheap to clone. It has a thread that moves the clock of
/// deadlines on, which ends with its last clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: wasmtime::Engine,
    pub(crate) options: Options,
    _clock: Arc<Clock>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine for the baseline CPU of this machine's architecture, so that precompiled code runs on every CPU of
    /// it.
    ///
    /// # Errors
    ///
    /// wasmtime does not support this machine, or no thread can be started.
    pub fn new(options: Options) -> Result<Self> {
        let failed = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let mut config = Config::new();
        config.wasm_component_model(true).epoch_interruption(options.interruption).consume_fuel(options.fuel);
        // Tells places in a guest's code, a sixth of what a component takes in memory: a trap is told by what the guest did.
        config.generate_address_map(false);
        config.cranelift_opt_level(OptLevel::Speed).max_wasm_stack(STACK).memory_init_cow(true);
        // The same bytes on every machine: WebAssembly leaves only these two to the CPU.
        config.relaxed_simd_deterministic(true).cranelift_nan_canonicalization(true);
        config.target(&baseline()).map_err(failed)?;
        let inner = wasmtime::Engine::new(&config).map_err(failed)?;
        let clock = if options.interruption { Clock::start(&inner)? } else { Clock::default() };
        Ok(Self { inner, options, _clock: Arc::new(clock) })
    }

    /// Compiles a component to machine code that [`Component::precompiled`](crate::Component::precompiled) loads.
    ///
    /// # Errors
    ///
    /// The bytes are no component.
    pub fn precompile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        self.inner.precompile_component(wasm).map_err(|error| Error::Compile(format!("{error:#}")))
    }
}

/// The target triple: naming it keeps wasmtime from using what only this machine's CPU has.
fn baseline() -> String {
    let system = match std::env::consts::OS {
        "macos" => "apple-darwin",
        "windows" => "pc-windows-msvc",
        "linux" if cfg!(target_env = "musl") => "unknown-linux-musl",
        _ => "unknown-linux-gnu",
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

/// Moves the epoch on, until dropped.
#[derive(Default)]
struct Clock {
    stop: Arc<AtomicBool>,
}

impl Clock {
    fn start(engine: &wasmtime::Engine) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.weak(), Arc::clone(&stop));
        let clock = thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        });
        clock.map_err(|error| Error::Engine(format!("starting the clock: {error}")))?;
        Ok(Self { stop })
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
