//! What wit-bindgen generates from the contract: the only code of a guest that crosses the boundary by hand.
#![allow(unsafe_code, reason = "lifting and lowering at the component's boundary")]
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "transform",
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "defenderbeat_sdk::component::bindings",
});
