//! Compiles the pipeline of incidents.

fn main() -> Result<(), String> {
    defenderbeat_tables::build("incident")
}
