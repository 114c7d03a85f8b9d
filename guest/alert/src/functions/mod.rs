//! Functions that rows of `pipelines/alert.yml` name.

pub(crate) mod alert;

pub(crate) use defenderbeat_mapping::functions::{ip, process, time, user};
