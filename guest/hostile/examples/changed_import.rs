//! A component built against a contract whose `document` has a field more: a host refuses it.
#![cfg(target_arch = "wasm32")]

#[macro_use]
mod echo;

echo! {
    contract: "changed_import",
    document: { source: 0, },
    exports: {  },
    open: {  }
}
