//! Functions that rows of `pipelines/incident.yml` name.

pub(crate) mod file;
pub(crate) mod incident;

pub(crate) use defenderbeat_mapping::functions::{ip, process, user};
