//! Brings what is written in line with the options there are: unknown ones are reported with the nearest known one,
//! texts become what their option takes, and all problems are found in one go.

use serde_json::{Map, Value as Json};

use super::error::{Place, Problem};
use super::model::{Input, Kind};
use super::schema::{Opt, Shape, options};
use super::units::{Bytes, Permissions, Time};
use super::yaml::{Node, Scalar, Value, join};
use super::{Env, variables};
use crate::http::Secret;
use crate::source::defender::DefenderSettings;
use crate::source::event_hubs::EventHubSettings;
use crate::source::graph::GraphSettings;

/// Checks a file against the options `T` has. The JSON is what `T` is deserialised from; it is whole only where there
/// are no problems.
pub(super) fn check(file: &Node, known: &[Opt], env: Env<'_>) -> Checked {
    let mut check = Check { env, problems: Vec::new(), warnings: Vec::new() };
    let json = check.options(file, known, "").unwrap_or_else(|| Json::Object(Map::new()));
    // The order of the file; what is not from the file comes last.
    check.problems.sort_by_key(|problem| if problem.place.line == 0 { u64::MAX } else { problem.place.line });
    Checked { json, problems: check.problems, warnings: check.warnings }
}

/// What came of a check.
pub(super) struct Checked {
    pub(super) json: Json,
    pub(super) problems: Vec<Problem>,
    /// What is to be said of options that are taken.
    pub(super) warnings: Vec<Problem>,
}

/// The options that inputs of all types have.
pub(super) fn input_options() -> Vec<Opt> {
    options::<Input>()
}

/// The source of a type of input, and the options it has.
pub(super) fn source_options(kind: Kind) -> (&'static str, Vec<Opt>) {
    match kind {
        Kind::Alert | Kind::Incident => ("graph", options::<GraphSettings>()),
        Kind::Event => ("eventhubs", options::<EventHubSettings>()),
        Kind::Vulnerability => ("defender", options::<DefenderSettings>()),
    }
}

/// The type of an input, where it has a valid one.
pub(super) fn kind(node: &Node, env: Env<'_>) -> Option<Kind> {
    let Value::Scalar(scalar) = &node.find("type")?.value else { return None };
    let text = variables::expand(&scalar.text, env).ok()?.unwrap_or_else(|| scalar.text.clone());
    serde_json::from_value(text.into()).ok()
}

/// Options of which those below `auth` take the place.
const SHORT: [&str; 3] = ["tenant_id", "client_id", "client_secret"];

struct Check<'a> {
    env: Env<'a>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, place: &Place, option: &str, message: impl Into<String>) {
        self.problems.push(Problem { place: place.clone(), option: option.to_owned(), message: message.into() });
    }

    /// None: absent, or a problem was reported.
    fn value(&mut self, node: &Node, shape: &Shape, option: &str) -> Option<Json> {
        match (shape, &node.value) {
            (Shape::Free, _) => self.free(node, option),
            (_, Value::Null) => None,
            (Shape::OrOff(_), Value::Scalar(scalar)) => {
                let text = self.expand(node, scalar, option)?;
                if !is_off(&text) {
                    self.problem(&node.place, option, format!("wants {shape}"));
                }
                Some(false.into())
            }
            (Shape::Options(known) | Shape::OrOff(known), _) => self.options(node, known, option),
            (Shape::Input, _) => self.input(node, option),
            (Shape::List(shape), Value::List(elements)) => {
                let each = elements.iter().enumerate();
                Some(each.filter_map(|(at, node)| self.value(node, shape, &join(option, &at.to_string()))).collect())
            }
            (Shape::List(shape), Value::Scalar(_)) => match self.value(node, shape, option)? {
                Json::String(text) if text.is_empty() => Some(Json::Array(Vec::new())),
                single => Some(Json::Array(vec![single])),
            },
            (Shape::Map(shape), Value::Map(members)) => {
                let each = members.iter();
                Some(Json::Object(
                    each.filter_map(|(key, node)| Some((key.clone(), self.value(node, shape, &join(option, key))?)))
                        .collect(),
                ))
            }
            (_, Value::Scalar(scalar)) => {
                let text = self.expand(node, scalar, option)?;
                if matches!(shape, Shape::Secret) && node.place.is_override() {
                    self.warn_of_secret(node, scalar, option);
                }
                self.scalar(&text, shape).map_err(|message| self.problem(&node.place, option, message)).ok()
            }
            (_, found) => {
                self.problem(&node.place, option, format!("wants {shape}, not {}", name(found)));
                None
            }
        }
    }

    fn warn_of_secret(&mut self, node: &Node, scalar: &Scalar, option: &str) {
        if !scalar.text.is_empty() && !scalar.text.contains("${") && !Secret::is_file(&scalar.text) {
            let message =
                "is a secret, and every user of this machine can see the command line: write ${KEY} and keep it in \
                           the keystore or the environment, or file:PATH"
                    .to_owned();
            self.warnings.push(Problem { place: node.place.clone(), option: option.to_owned(), message });
        }
    }

    fn scalar(&self, text: &str, shape: &Shape) -> Result<Json, String> {
        let wanted = || format!("wants {shape}");
        match shape {
            Shape::Text => Some(text.into()),
            Shape::Secret => return Secret::try_from(text.to_owned()).map(|_| text.into()),
            Shape::Time => Time::parse(text).map(|_| text.into()),
            Shape::Bytes => Bytes::parse(text).map(|_| text.into()),
            Shape::Permissions => Permissions::parse(text).map(|_| text.into()),
            Shape::Number { min, max } => {
                text.parse::<u64>().ok().filter(|number| (min..=max).contains(&number)).map(Json::from)
            }
            Shape::Switch => match text {
                "true" | "True" | "TRUE" => Some(true.into()),
                "false" | "False" | "FALSE" => Some(false.into()),
                _ => None,
            },
            Shape::Choice(choices) => {
                let names = || choices.iter().map(|choice| choice.name.as_str());
                if !names().any(|name| name == text) {
                    let near = nearest(text, names()).filter(|_| choices.len() > 1);
                    return Err(wanted() + &near.map(|name| format!("; did you mean {name}?")).unwrap_or_default());
                }
                Some(text.into())
            }
            Shape::Options(_) | Shape::OrOff(_) | Shape::Input | Shape::List(_) | Shape::Map(_) | Shape::Free => None,
        }
        .ok_or_else(wanted)
    }

    fn options(&mut self, node: &Node, known: &[Opt], option: &str) -> Option<Json> {
        let none = std::collections::BTreeMap::new();
        let members = match &node.value {
            Value::Map(members) => members,
            Value::Null => &none,
            found => {
                let shape = Shape::Options(known.to_vec());
                self.problem(&node.place, option, format!("wants {shape}, not {}", name(found)));
                return None;
            }
        };
        let mut object = Map::new();
        for (key, node) in members {
            let path = join(option, key);
            match known.iter().find(|known| known.name == *key) {
                Some(known) => {
                    if let Some(json) = self.value(node, &known.shape, &path) {
                        if known.required && (json == "" || json == Json::Array(Vec::new())) {
                            self.problem(&node.place, &path, "must not be empty");
                        }
                        object.insert(key.clone(), json);
                    }
                }
                None => self.problem(&node.place, &path, unknown(key, known)),
            }
        }
        for known in known.iter().filter(|known| known.required) {
            if members.get(&known.name).is_none_or(|node| matches!(node.value, Value::Null)) {
                let doc = known.doc.replace('\n', " ");
                let what = doc.split_inclusive(". ").next().unwrap_or_default().trim_end();
                self.problem(&node.place, &join(option, &known.name), format!("is missing. {what}"));
            }
        }
        Some(Json::Object(object))
    }

    fn input(&mut self, node: &Node, option: &str) -> Option<Json> {
        let mut all = input_options();
        let Some(kind) = kind(node, self.env) else {
            // What is wrong with the type is said, and of the others only what no type has.
            let any =
                [Kind::Alert, Kind::Event, Kind::Vulnerability].into_iter().flat_map(|kind| source_options(kind).1);
            all.extend(any.map(|option| Opt { required: false, ..option }));
            self.options(node, &all, option)?;
            return None;
        };
        let (name, own) = source_options(kind);
        let otherwise = matches!(&node.value, Value::Map(members) if members.contains_key("auth"));
        all.extend(own.iter().cloned().map(|option| Opt {
            required: option.required && !(otherwise && SHORT.contains(&option.name.as_str())),
            ..option
        }));
        let Json::Object(object) = self.options(node, &all, option)? else { return None };
        let (source, mut object): (Map<_, _>, Map<_, _>) =
            object.into_iter().partition(|(key, _)| own.iter().any(|own| own.name == *key));
        object.insert("source".into(), Json::Object(Map::from_iter([(name.to_owned(), Json::Object(source))])));
        Some(Json::Object(object))
    }

    /// As YAML has it, for what the component checks.
    fn free(&mut self, node: &Node, option: &str) -> Option<Json> {
        Some(match &node.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) => {
                let text = self.expand(node, scalar, option)?;
                if text == scalar.text { scalar.typed.clone() } else { typed(text, scalar.plain) }
            }
            Value::List(elements) => {
                let each = elements.iter().enumerate();
                each.filter_map(|(at, node)| self.free(node, &join(option, &at.to_string()))).collect()
            }
            Value::Map(members) => {
                let each = members.iter();
                each.filter_map(|(key, node)| Some((key.clone(), self.free(node, &join(option, key))?))).collect()
            }
        })
    }

    fn expand(&mut self, node: &Node, scalar: &Scalar, option: &str) -> Option<String> {
        match variables::expand(&scalar.text, self.env) {
            Ok(expanded) => Some(expanded.unwrap_or_else(|| scalar.text.clone())),
            Err(error) => {
                self.problem(&node.place, option, error.to_string());
                None
            }
        }
    }
}

fn is_off(text: &str) -> bool {
    ["off", "Off", "OFF", "false", "False", "FALSE"].contains(&text)
}

/// What a variable holds is a number or a switch where it looks like one and is not in quotes.
pub(super) fn typed(text: String, plain: bool) -> Json {
    match if plain { Node::parse("", &text).map(|node| node.value) } else { Ok(Value::Null) } {
        Ok(Value::Scalar(scalar)) if !scalar.typed.is_string() => scalar.typed,
        _ => Json::String(text),
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Scalar(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "options below it",
    }
}

fn unknown(key: &str, known: &[Opt]) -> String {
    let mut names = Vec::new();
    collect(known, "", &mut names);
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let near = nearest(key, known.iter().map(|option| option.name.as_str()))
        .or_else(|| names.iter().find(|name| last(name) == key).map(String::as_str));
    match near {
        Some(name) => format!("is no option; did you mean `{name}`?"),
        None => {
            let names: Vec<&str> = known.iter().map(|option| option.name.as_str()).collect();
            format!("is no option; there are {}", names.join(", "))
        }
    }
}

fn collect(known: &[Opt], prefix: &str, names: &mut Vec<String>) {
    for option in known {
        let name = join(prefix, &option.name);
        if let Shape::Options(below) | Shape::OrOff(below) = &option.shape {
            collect(below, &name, names);
        }
        names.push(name);
    }
}

/// The name that differs in the fewest letters, a third of them at most.
fn nearest<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let key = key.to_lowercase();
    names
        .map(|name| (strsim::damerau_levenshtein(&key, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::super::model::File;
    use super::super::yaml::FREE;
    use super::*;

    fn free(known: &[Opt]) -> Vec<&str> {
        let is_free = |shape: &Shape| match shape {
            Shape::Map(_) | Shape::Free => true,
            Shape::List(elements) => matches!(**elements, Shape::Free),
            _ => false,
        };
        let each = known.iter().flat_map(|option| match &option.shape {
            Shape::Options(below) => free(below),
            shape if is_free(shape) => vec![option.name.as_str()],
            _ => Vec::new(),
        });
        each.collect()
    }

    /// Reading YAML goes by names, before options are known.
    #[test]
    fn options_with_names_of_the_user_are_those_that_keep_dots() {
        let (common, file) = (input_options(), options::<File>());
        let sources = [Kind::Alert, Kind::Event, Kind::Vulnerability].map(|kind| source_options(kind).1).concat();
        let mut names = [free(&common), free(&sources), free(&file)].concat();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names, FREE);
    }
}
