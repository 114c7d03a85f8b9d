//! Functions that rows of any pipeline may name.

pub mod ip;
pub mod process;
pub mod time;
pub mod url;
pub mod user;
