//! A component that asks for a clock: a host refuses it.
#![cfg(target_arch = "wasm32")]

#[macro_use]
mod echo;

echo! {
    contract: "import",
    document: {  },
    exports: {  },
    open: { let _ = bindings::wasi::clocks::wall_clock::seconds(); }
}
