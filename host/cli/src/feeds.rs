//! Inputs by feed.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use defenderbeat_runtime::{Descriptor, Feed};

/// `--feed NAME=FILE`.
#[derive(Clone, Debug)]
pub(crate) struct FeedFile {
    name: String,
    file: PathBuf,
}

impl FromStr for FeedFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, file) = text.split_once('=').ok_or("has the form NAME=FILE, such as machines=machines.json")?;
        Ok(Self { name: name.to_owned(), file: file.into() })
    }
}

/// What is read for each feed, in the component's order of feeds; files of one feed in the order in which they are given.
/// Without `--feed` it is `file` for the component's first feed.
pub(crate) fn inputs<'a>(
    descriptor: &'a Descriptor,
    feeds: &'a [FeedFile],
    file: &'a Path,
) -> Result<Vec<(&'a Feed, &'a Path)>> {
    if feeds.is_empty() {
        return Ok(descriptor.feeds.first().map(|feed| (feed, file)).into_iter().collect());
    }
    for FeedFile { name, .. } in feeds {
        if !descriptor.feeds.iter().any(|feed| feed.name == *name) {
            let known: Vec<&str> = descriptor.feeds.iter().map(|feed| feed.name.as_str()).collect();
            bail!("--feed {name}: {} has no such feed; its feeds are {}", descriptor.name, known.join(", "));
        }
    }
    if feeds.iter().filter(|feed| feed.file == Path::new("-")).count() > 1 {
        bail!("--feed: standard input can be read for one feed only");
    }
    let of = |feed: &'a Feed| {
        feeds.iter().filter(|file| file.name == feed.name).map(move |file| (feed, file.file.as_path()))
    };
    Ok(descriptor.feeds.iter().flat_map(of).collect())
}
