//! A component, compiled and checked against the contract.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{Transform as Bindings, TransformPre};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::instance::Instance;
use crate::types::Descriptor;

/// Interfaces that a component may import.
const ALLOWED: [&str; 3] = ["diagnostics", "sink", "lookup"];

/// A component that fits the contract. Cheap to clone, and shared by threads; instances of it share the code.
#[derive(Clone)]
pub struct Component {
    pub(crate) engine: Engine,
    pub(crate) pre: TransformPre<Host>,
    descriptor: Descriptor,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Component").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

impl Component {
    /// Compiles a component.
    ///
    /// # Errors
    ///
    /// The bytes are no component, it imports more than the contract gives, or it was built against another contract.
    pub fn compile(engine: &Engine, wasm: &[u8]) -> Result<Self> {
        let component = wasmtime::component::Component::new(&engine.inner, wasm);
        Self::check(engine, component.map_err(|error| Error::Compile(format!("{error:#}")))?)
    }

    /// Loads precompiled code; where it does not load, because another wasmtime or other options made it, the component
    /// `wasm` is compiled, which takes a hundred times as long and is logged.
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile).
    ///
    /// # Safety
    ///
    /// `code` is what [`Engine::precompile`] made, unchanged. It runs with this process's rights, and of anything else
    /// wasmtime checks no more than version, options and target; so it should come from where the program comes from: made
    /// at build time and embedded, never read from a file of the user.
    #[allow(unsafe_code, reason = "machine code cannot be checked: the caller says where it comes from")]
    pub unsafe fn precompiled(engine: &Engine, code: &[u8], wasm: &[u8]) -> Result<Self> {
        // SAFETY: our caller's promise is the one that wasmtime asks for.
        match unsafe { wasmtime::component::Component::deserialize(&engine.inner, code) } {
            Ok(component) => Self::check(engine, component),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "precompiled code does not load: compiling the component");
                Self::compile(engine, wasm)
            }
        }
    }

    fn check(engine: &Engine, component: wasmtime::component::Component) -> Result<Self> {
        for (name, _) in component.component_type().imports(&engine.inner) {
            let interface = name.strip_prefix("defenderbeat:pipeline/").and_then(|rest| rest.split('@').next());
            if !interface.is_some_and(|interface| ALLOWED.contains(&interface)) {
                return Err(Error::ForbiddenImport(name.to_owned()));
            }
        }
        let contract = |error: wasmtime::Error| Error::Contract(format!("{error:#}"));
        let mut linker: Linker<Host> = Linker::new(&engine.inner);
        Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).map_err(contract)?;
        let pre = linker.instantiate_pre(&component).and_then(TransformPre::new).map_err(contract)?;
        let descriptor = Instance::describe(engine, &pre)?;
        Ok(Self { engine: engine.clone(), pre, descriptor })
    }

    /// What the component says it is.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}
