//! Compiles the pipelines of events.

fn main() -> Result<(), String> {
    defenderbeat_tables::build("event")
}
