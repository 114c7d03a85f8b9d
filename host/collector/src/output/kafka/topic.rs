//! Names of topics, which may depend on a document's data stream.

/// The longest name that Kafka takes.
const LONGEST: usize = 249;

/// A name with places to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Type,
    Dataset,
    Namespace,
}

impl Topic {
    /// Reads `text%{[field]}` and `%{[field]:default}`, as Beats write it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("%{") {
            let (inside, behind) = after.split_once('}').ok_or("has a %{ without its }")?;
            let (name, default) = inside
                .strip_prefix('[')
                .and_then(|inside| inside.split_once(']'))
                .ok_or_else(|| format!("must have fields as %{{[data_stream.dataset]}}, not %{{{inside}}}"))?;
            let default = match default {
                "" => "",
                default => default.strip_prefix(':').ok_or("must have a default as %{[field]:default}")?,
            };
            let field = match name {
                "data_stream.type" => Field::Type,
                "data_stream.dataset" => Field::Dataset,
                "data_stream.namespace" => Field::Namespace,
                _ => {
                    return Err(format!(
                        "cannot have the field {name}: documents are not read again, so it takes data_stream.type, data_stream.dataset and data_stream.namespace"
                    ));
                }
            };
            pieces.extend([Piece::Text(legal(before)?), Piece::Field(field, legal(default)?)]);
            rest = behind;
        }
        pieces.push(Piece::Text(legal(rest)?));
        if text.is_empty() || pieces == [Piece::Text(".".into())] || pieces == [Piece::Text("..".into())] {
            return Err("must be a name".into());
        }
        Ok(Self(pieces))
    }

    /// The name for documents of a data stream.
    pub(super) fn of(&self, stream: &str) -> String {
        let mut parts = stream.splitn(3, '-');
        let values = [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
        let [kind, dataset, namespace] = values;
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(field, default) => {
                let value = match field {
                    Field::Type => kind,
                    Field::Dataset => dataset,
                    Field::Namespace => namespace,
                };
                if value.is_empty() { default.clone() } else { value.to_owned() }
            }
        };
        self.0.iter().map(piece).collect()
    }
}

fn legal(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.len() > LONGEST || !text.chars().all(allowed) {
        return Err(format!("must be of at most {LONGEST} letters, digits, `.`, `_` and `-`, and fields"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routing_facts_are_filled_in() {
        let stream = "logs-m365_defender.alert-default";
        for (text, name) in [
            ("defender", "defender"),
            ("%{[data_stream.dataset]}", "m365_defender.alert"),
            (
                "siem.%{[data_stream.type]}.%{[data_stream.dataset]}.%{[data_stream.namespace]}",
                "siem.logs.m365_defender.alert.default",
            ),
            ("a-%{[data_stream.namespace]:none}-b", "a-default-b"),
        ] {
            assert_eq!(Topic::parse(text).unwrap().of(stream), name, "{text}");
        }
        assert_eq!(Topic::parse("a-%{[data_stream.namespace]:none}").unwrap().of("logs-x"), "a-none");
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        for (text, said) in [
            ("", "must be a name"),
            ("..", "must be a name"),
            ("a b", "must be of at most"),
            ("%{[event.kind]}", "cannot have the field event.kind"),
            ("%{[data_stream.type]", "without its }"),
            ("%{data_stream.type}", "not %{data_stream.type}"),
            ("%{[data_stream.type]:a/b}", "must be of at most"),
            ("%{[data_stream.type]x}", "must have a default as"),
        ] {
            let error = Topic::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
