//! The configuration as it is in force, to be shown: with what is put over the file, with variables replaced, without secrets.

use std::cell::Cell;

use serde_json::{Map, Value as Json};

use super::check::{input_options, kind, source_options, typed};
use super::model::File;
use super::read::Written;
use super::schema::{Opt, Shape, options};
use super::variables::expand;
use super::yaml::{Node, Scalar, Value};
use crate::http::Secret;
use crate::keystore::is_key;

/// Stands for what is not shown.
const REDACTED: &str = "<redacted>";

/// What is written, which was found to be in order.
pub(super) fn export(written: &Written<'_>) -> Json {
    let shown = Export { written }.value(&written.node, &Shape::Options(options::<File>()));
    shown.unwrap_or_else(|| Json::Object(Map::new()))
}

struct Export<'a> {
    written: &'a Written<'a>,
}

impl Export<'_> {
    /// None: it counts as not written.
    fn value(&self, node: &Node, shape: &Shape) -> Option<Json> {
        match (shape, &node.value) {
            (Shape::Free, _) => Some(self.free(node)),
            (Shape::Options(known) | Shape::OrOff(known), Value::Map(_)) => Some(self.options(node, known)),
            (Shape::Input, Value::Map(_)) => {
                let own = kind(node, &|name| self.written.value(name)).map(|kind| source_options(kind).1);
                Some(self.options(node, &[input_options(), own.unwrap_or_default()].concat()))
            }
            (Shape::List(shape), Value::List(elements)) => {
                Some(elements.iter().filter_map(|node| self.value(node, shape)).collect())
            }
            (Shape::List(shape), Value::Scalar(_)) => self.value(node, shape),
            (Shape::Map(shape), Value::Map(members)) => {
                let each = members.iter();
                Some(Json::Object(
                    each.filter_map(|(key, node)| Some((key.clone(), self.value(node, shape)?))).collect(),
                ))
            }
            (Shape::Secret, Value::Scalar(scalar)) => Some(secret(&scalar.text).into()),
            (_, Value::Scalar(scalar)) => {
                let text = self.text(scalar);
                let is_typed = matches!(shape, Shape::Number { .. } | Shape::Switch | Shape::Bytes);
                Some(if is_typed { typed(text, true) } else { text.into() })
            }
            _ => None,
        }
    }

    fn options(&self, node: &Node, known: &[Opt]) -> Json {
        let shown = |option: &Opt| Some((option.name.clone(), self.value(node.find(&option.name)?, &option.shape)?));
        Json::Object(known.iter().filter_map(shown).collect())
    }

    fn free(&self, node: &Node) -> Json {
        match &node.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) => {
                let text = self.text(scalar);
                if text == scalar.text { scalar.typed.clone() } else { typed(text, scalar.plain) }
            }
            Value::List(elements) => elements.iter().map(|node| self.free(node)).collect(),
            Value::Map(members) => {
                Json::Object(members.iter().map(|(key, node)| (key.clone(), self.free(node))).collect())
            }
        }
    }

    /// A text with its variables replaced, such that it is read as the same again. One that takes anything from the keystore stays as
    /// it is written.
    fn text(&self, scalar: &Scalar) -> String {
        let is_kept = Cell::new(false);
        let look_up = |name: &str| {
            is_kept.set(is_kept.get() || self.written.kept(name).is_some());
            self.written.value(name)
        };
        match expand(&scalar.text, &look_up) {
            Ok(Some(text)) if !is_kept.get() => without_user(&text.replace("${", "$${")),
            _ => without_user(&scalar.text),
        }
    }
}

/// A secret as it is written, where that is no more than where it is kept.
fn secret(written: &str) -> &str {
    let variable = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let is_elsewhere = written.is_empty() || Secret::is_file(written) || variable.is_some_and(is_key);
    if is_elsewhere { written } else { REDACTED }
}

/// A text whose addresses do not show `user:password@`.
fn without_user(text: &str) -> String {
    let hide = |address: &str| {
        let authority = address.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        match authority.rfind('@').and_then(|at| address.get(at..)) {
            Some(host) => format!("{REDACTED}{host}"),
            None => address.to_owned(),
        }
    };
    let mut parts = text.split("://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, address| shown + "://" + &hide(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_where_it_says_only_where_it_is_kept() {
        for written in ["", "${KEY}", "${es.api-key}", "file:/run/secrets/key", "file:${CREDENTIALS_DIRECTORY}/key"] {
            assert_eq!(secret(written), written);
        }
        for written in ["hunter2", "${KEY:hunter2}", "id:${KEY}", "${A}${B}", "$${KEY}", "https://user:hunter2@proxy"] {
            assert_eq!(secret(written), REDACTED);
        }
    }

    #[test]
    fn addresses_are_shown_without_user_and_password() {
        for (text, shown) in [
            ("https://u:hunter2@es:9200/path", "https://<redacted>@es:9200/path"),
            ("https://u:hunter@2@es", "https://<redacted>@es"),
            ("http://u@one http://u:hunter2@two", "http://<redacted>@one http://<redacted>@two"),
            ("https://es:9200/a@b?c=d@e", "https://es:9200/a@b?c=d@e"),
            ("someone@example.com", "someone@example.com"),
        ] {
            assert_eq!(without_user(text), shown);
        }
    }
}
