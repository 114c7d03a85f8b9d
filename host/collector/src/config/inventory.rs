//! The option `inventory`: what a component may remember, or `off`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::in_order;

/// What a component remembers of devices and of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "Written", into = "Written")]
pub enum Inventory {
    /// Nothing.
    Off,
    /// As much as this.
    Sizes(InventorySizes),
}

impl Default for Inventory {
    fn default() -> Self {
        Self::Sizes(InventorySizes::default())
    }
}

/// How much is remembered. What was not met again for longest is forgotten first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>, extend("format" = "or-off"))]
pub struct InventorySizes {
    /// Devices whose operating system and name are remembered. Make it as many as the tenants have; each worker has them in memory.
    #[schemars(range(min = 1))]
    pub devices: u32,

    /// Files whose signer is remembered.
    #[schemars(range(min = 1))]
    pub signatures: u32,
}

impl Default for InventorySizes {
    fn default() -> Self {
        Self { devices: 50_000, signatures: 100_000 }
    }
}

/// In the file and in a component's settings: `false`, or the sizes.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Written {
    Switch(bool),
    Sizes(InventorySizes),
}

impl From<Written> for Inventory {
    fn from(written: Written) -> Self {
        match written {
            Written::Switch(false) => Self::Off,
            Written::Switch(true) => Self::default(),
            Written::Sizes(sizes) => Self::Sizes(sizes),
        }
    }
}

impl From<Inventory> for Written {
    fn from(inventory: Inventory) -> Self {
        match inventory {
            Inventory::Off => Self::Switch(false),
            Inventory::Sizes(sizes) => Self::Sizes(sizes),
        }
    }
}
