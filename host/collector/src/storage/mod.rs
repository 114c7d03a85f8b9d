//! Blobs in an Azure storage account, for whatever several processes share: checkpoints and ownership of event hubs, and the
//! leases, checkpoints and facts of `coordination`.

mod account;
mod container;

pub(crate) use account::{Account, AccountOptions, PUBLIC};
pub(crate) use container::{Blob, Condition, Container, LeaseAction, Written, is_container_name};
