//! `transform COMPONENT FEED < payload`: maps a payload and prints its documents.

use std::io::{Read, Write};
use std::{env, error, fs, io};

use defenderbeat_runtime::{Batch, Component, Engine, Options, Part, Pipeline, Setup, Transform};

fn main() -> Result<(), Box<dyn error::Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(file), Some(feed)) = (arguments.next(), arguments.next()) else {
        return Err("usage: transform COMPONENT FEED < payload".into());
    };
    let mut payload = Vec::new();
    io::stdin().read_to_end(&mut payload)?;

    let engine = Engine::new(Options::default())?;
    let component = Component::compile(&engine, &fs::read(file)?)?;
    let mut pipeline = Pipeline::open(&component, Setup::default())?;

    let batch = Batch { feed, received_at: 0, payloads: vec![payload.into()] };
    let receipt = pipeline.push(&batch, &mut |part: Part| Ok(io::stdout().write_all(&part.ndjson)?))?;
    for reject in receipt.rejects {
        eprintln!("{} bytes at {}: {}: {}", reject.length, reject.offset, reject.code, reject.message);
    }
    Ok(())
}
