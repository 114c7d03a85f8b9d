//! A component built against a contract whose `batch` has a field more: a host refuses it.
#![cfg(target_arch = "wasm32")]

#[macro_use]
mod echo;

echo! {
    contract: "changed",
    document: {  },
    exports: {  },
    open: {  }
}
