//! Compiles the pipeline of alerts.

fn main() -> Result<(), String> {
    defenderbeat_tables::build("alert")
}
