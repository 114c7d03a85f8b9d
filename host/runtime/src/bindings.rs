//! What wasmtime generates from the contract.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "transform",
    imports: { default: trappable },
    // Payloads go from the host's buffers straight into the guest's memory.
    ownership: Borrowing { duplicate_if_necessary: false },
});
