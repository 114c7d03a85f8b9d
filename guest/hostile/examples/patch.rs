//! A component built against a newer patch of the contract, which adds functions: a host of ours runs it.
#![cfg(target_arch = "wasm32")]

#[macro_use]
mod echo;

echo! {
    contract: "patch",
    document: {  },
    exports: { fn ready() -> bool { true } },
    open: {  }
}
