//! Inputs by feed.

use std::path::{Path, PathBuf};
use std::str::FromStr;

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

/// What is read for a feed.
pub(crate) struct Input {
    pub(crate) feed: Feed,
    pub(crate) file: PathBuf,
}

/// What is read for each feed, in the component's order of feeds; files of one feed in the order in which they are given.
/// Without `--feed` it is `file` for the component's first feed.
///
/// # Errors
///
/// What is wrong with the command line.
pub(crate) fn inputs(descriptor: &Descriptor, feeds: &[FeedFile], file: &Path) -> Result<Vec<Input>, String> {
    let input = |feed: &Feed, file: &Path| Input { feed: feed.clone(), file: file.to_owned() };
    if feeds.is_empty() {
        return Ok(descriptor.feeds.first().map(|feed| input(feed, file)).into_iter().collect());
    }
    for FeedFile { name, .. } in feeds {
        if !descriptor.feeds.iter().any(|feed| feed.name == *name) {
            let known: Vec<&str> = descriptor.feeds.iter().map(|feed| feed.name.as_str()).collect();
            let component = &descriptor.name;
            return Err(format!("--feed {name}: {component} has no such feed; its feeds are {}", known.join(", ")));
        }
    }
    if feeds.iter().filter(|feed| feed.file == Path::new("-")).count() > 1 {
        return Err("--feed: standard input can be read for one feed only".to_owned());
    }
    let files = |feed| feeds.iter().map(move |file| (feed, file));
    let all = descriptor.feeds.iter().flat_map(files).filter(|(feed, file)| file.name == feed.name);
    Ok(all.map(|(feed, file)| input(feed, &file.file)).collect())
}
