//! The mapping of device events as a program in VRL, the language of Vector (<https://vrl.dev>), compiled into this process:
//! what a well-made mapping over a tree of values takes. `benches/mapping` of `host/cli` runs it beside our own.
//!
//! ```text
//! defenderbeat-baseline program CORPUS     prints the program for these records, one a line
//! defenderbeat-baseline run CORPUS         maps all of them for each line on standard input, and answers with how many there
//!                                          were and the bytes of their documents
//! ```

mod program;

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::path::Path;

use vrl::compiler::runtime::Runtime;
use vrl::compiler::{Program, TargetValue, TimeZone};
use vrl::value::{KeyString, Secrets, Value};

const USAGE: &str = "usage: defenderbeat-baseline program|run CORPUS";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, corpus] = arguments.as_slice() else { return Err(USAGE.into()) };
    let corpus = std::fs::read(corpus)?;
    let records: Vec<&[u8]> = corpus.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let device = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/event/device.yml");
    let text = program::of(&device, &records)?;
    match command.as_str() {
        "program" => println!("{text}"),
        "run" => run(&compile(&text)?, &records)?,
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn compile(text: &str) -> Result<Program, Box<dyn Error>> {
    match vrl::compiler::compile(text, &vrl::stdlib::all()) {
        Ok(compiled) => Ok(compiled.program),
        Err(diagnostics) => Err(vrl::diagnostic::Formatter::new(text, diagnostics).to_string().into()),
    }
}

fn run(program: &Program, records: &[&[u8]]) -> Result<(), Box<dyn Error>> {
    let mut runtime = Runtime::default();
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        line?;
        let mut bytes = 0;
        for record in records {
            bytes += map(&mut runtime, program, record)?;
        }
        writeln!(output, "{} {bytes}", records.len())?;
        output.flush()?;
    }
    Ok(())
}

/// Maps a record; the length of its document.
fn map(runtime: &mut Runtime, program: &Program, record: &[u8]) -> Result<usize, Box<dyn Error>> {
    let value: Value = serde_json::from_slice(record)?;
    let metadata = Value::Object(std::collections::BTreeMap::<KeyString, Value>::new());
    let mut target = TargetValue { value, metadata, secrets: Secrets::new() };
    runtime.resolve(&mut target, program, &TimeZone::default()).map_err(|error| error.to_string())?;
    runtime.clear();
    let document = black_box(serde_json::to_vec(&target.value)?);
    Ok(document.len())
}
