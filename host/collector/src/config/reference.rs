//! The reference file: every option with its comment and default, from the structs that parse it.

use std::fmt::Write;

use serde_json::Value as Json;

use super::check::{input_options, source_options};
use super::model::{File, Kind};
use super::schema::{Opt, Shape, options};
use super::yaml::join;

/// What is on in the reference although it is not required: an output, and a way to be let in.
const ON: [&str; 2] = ["output.console.pretty", "connection_string"];

const HEAD: &str = "\
# Every option of defenderbeat. What begins with # and a letter is the default and need not be written.
#
# Dotted keys and levels are the same: `output.console.pretty: true` or
#     output:
#       console:
#         pretty: true
#
# ${KEY} in a value is replaced by what the keystore has under KEY, or else by the environment variable KEY; ${KEY:default} by the
# default where neither has it, or it is empty; ${KEY:?message} gives that message then, and $${ stands for these characters
# themselves. Secrets may also be file:PATH, which takes the text of a file without line breaks at its end, and takes it again when
# it changes. Within [ ] and { } such values need quotes.
#
# -E key=value on the command line overrides an option: -E logging.level=debug -E inputs.0.interval=1m. A value null
# takes one away. Other users of the machine can see the command line, so it is no place for secrets.
#
# Durations are written as 300ms, 5m, 24h or 1h30m, sizes as 64MiB, 10mb or a number of bytes.
";

/// Names of all options that hold secrets: those of inputs begin with the type of input, such as `alert.client_secret`.
pub fn secrets() -> Vec<String> {
    let mut names = Vec::new();
    collect_secrets(&mut names, "", &options::<File>());
    for kind in [Kind::Alert, Kind::Event, Kind::Vulnerability] {
        let options = [input_options(), source_options(kind).1].concat();
        collect_secrets(&mut names, kind.name(), &options);
    }
    names
}

fn collect_secrets(names: &mut Vec<String>, prefix: &str, options: &[Opt]) {
    for option in options {
        let name = join(prefix, &option.name);
        let mut shape = &option.shape;
        while let Shape::List(of) | Shape::Map(of) = shape {
            shape = of;
        }
        match shape {
            Shape::Options(below) | Shape::OrOff(below) => collect_secrets(names, &name, below),
            Shape::Secret => names.push(name),
            _ => {}
        }
    }
}

/// The commented reference file. It is a valid configuration that collects alerts, events and vulnerabilities, with tenant, application
/// and event hub taken from the environment.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for option in options::<File>() {
        if option.name == "inputs" {
            inputs(&mut text, &option);
        } else {
            entry(&mut text, "", "", &option);
        }
    }
    text
}

fn inputs(text: &mut String, inputs: &Opt) {
    text.push('\n');
    comment(text, "", &inputs.doc);
    text.push_str("inputs:");
    let mut input = String::new();
    for option in input_options().iter().chain(&source_options(Kind::Alert).1) {
        entry(&mut input, "    ", "", option);
    }
    // The first option that is not a comment begins the element of the list.
    text.push_str(&input.replacen("\n    id:", "\n  - id:", 1));

    // The options of all types are shown once.
    for (id, kind) in [("defender-events", Kind::Event), ("defender-vulnerabilities", Kind::Vulnerability)] {
        comment(text, "\n    ", "An input of another type. It has the options of all types too, such as `tags`.");
        // Infallible: a String takes any text.
        let _ = write!(text, "  - id: {id}\n    type: {}\n", kind.name());
        for option in &source_options(kind).1 {
            entry(text, "    ", "", option);
        }
    }
}

fn entry(text: &mut String, indent: &str, prefix: &str, option: &Opt) {
    let key = join(prefix, &option.name);
    text.push('\n');
    comment(text, indent, &option.doc);
    if let Shape::Choice(choices) = &option.shape {
        for choice in choices.iter().filter(|choice| !choice.doc.is_empty()) {
            let first = format!("- {}: ", choice.name);
            comment(text, indent, &(first + &choice.doc.replace('\n', "\n  ")));
        }
    }
    match &option.shape {
        Shape::Options(below) | Shape::OrOff(below) if !below.is_empty() => {
            for option in below {
                entry(text, indent, &key, option);
            }
        }
        _ => {
            let output = key.starts_with("output.");
            if option.required && !output {
                comment(text, indent, "Required.");
            }
            let on = option.required && !output || ON.contains(&key.as_str());
            let off = if on { "" } else { "#" };
            let shown = if option.required || on {
                option.example.as_ref().or(option.default.as_ref())
            } else {
                option.default.as_ref()
            };
            let value = match (shown, &option.shape) {
                (Some(value), _) => format!(" {}", yaml(value)),
                (None, Shape::Options(_) | Shape::Map(_)) => " {}".to_owned(),
                (None, _) => String::new(),
            };
            // Infallible: a String takes any text.
            let _ = writeln!(text, "{indent}{off}{key}:{value}");
        }
    }
}

fn comment(text: &mut String, indent: &str, doc: &str) {
    for line in doc.lines() {
        let _ = writeln!(text, "{}", format!("{indent}# {line}").trim_end());
    }
}

/// JSON is YAML; most texts need no quotes, though.
fn yaml(value: &Json) -> String {
    match value.as_str() {
        Some(text)
            if text.starts_with(|c: char| c.is_ascii_alphanumeric() || "/$".contains(c))
                && text.parse::<f64>().is_err()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "/:._-${}".contains(c)) =>
        {
            text.to_owned()
        }
        _ => value.to_string(),
    }
}
