//! An explanation as a table to read.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Letters of a value that are shown.
const SHOWN: usize = 48;

/// What a component says of a document.
#[derive(Deserialize)]
pub(super) struct Explanation<'e> {
    #[serde(borrow)]
    fields: Vec<Field<'e>>,
    #[serde(borrow)]
    columns: Vec<Column<'e>>,
}

#[derive(Deserialize)]
struct Field<'e> {
    field: String,
    #[serde(borrow)]
    value: &'e RawValue,
    origins: Vec<Origin>,
}

#[derive(Deserialize)]
struct Origin {
    by: String,
    #[serde(default)]
    from: Vec<String>,
    file: Option<String>,
    line: Option<u32>,
    setting: Option<String>,
}

#[derive(Deserialize)]
struct Column<'e> {
    column: String,
    #[serde(borrow)]
    value: &'e RawValue,
    why: String,
}

/// The explanation of the document with an id.
pub(super) fn of_document(id: u128, explanation: &Explanation<'_>) -> String {
    let mut fields = vec![["FIELD", "VALUE", "MADE OF", "ROW"].map(str::to_owned)];
    for Field { field, value, origins } in &explanation.fields {
        for (number, origin) in origins.iter().enumerate() {
            let (field, value) = if number == 0 { (shown(field), value_of(value)) } else { Default::default() };
            fields.push([field, value, shown(&origin.made_of()), origin.row()]);
        }
    }
    let mut columns = vec![["COLUMN THAT NOTHING WAS MADE OF", "VALUE", "WHY"].map(str::to_owned)];
    columns.extend(explanation.columns.iter().map(|column| {
        let Column { column, value, why } = column;
        [shown(column), value_of(value), reason(why).to_owned()]
    }));
    let mut text = format!("document {id:032x}\n\n{}\n", lay_out(&fields));
    if columns.len() > 1 {
        text += &format!("{}\n", lay_out(&columns));
    }
    text
}

impl Origin {
    fn made_of(&self) -> String {
        let from = self.from.join(", ");
        match self.by.as_str() {
            "copy" => from,
            "const" => "a constant".to_owned(),
            by @ ("engine" | "settings") if from.is_empty() => by.to_owned(),
            by @ ("engine" | "settings") => format!("{by}: {from}"),
            function if function.contains("::") => format!("{function}({from})"),
            conversion => format!("{from} as {conversion}"),
        }
    }

    fn row(&self) -> String {
        match (&self.file, self.line, &self.setting) {
            (Some(file), Some(line), _) => format!("{file}:{line}"),
            (.., Some(setting)) => shown(setting),
            _ => String::new(),
        }
    }
}

fn reason(why: &str) -> &str {
    match why {
        "empty" => "it is empty",
        "unmapped" => "no row asks for it: kept under unmapped",
        "duplicate" => "left out as a duplicate: --preserve-duplicate-custom-fields keeps it",
        "no result" => "a row asks for it, but it gave nothing",
        "ignored" => "it is ignored",
        other => other,
    }
}

fn value_of(value: &RawValue) -> String {
    let text = shown(value.get());
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// Text without what would move the cursor of a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Rows as columns of equal width.
fn lay_out<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_the_cursor_is_not_shown() {
        let line = "{\"document\":{},\"fields\":[{\"field\":\"message\",\"value\":\"\u{9b}2J\",\"origins\":[{\"by\":\"copy\",\"from\":[\"a\u{85}b\"],\"file\":\"x.yml\",\"line\":7}]}],\"columns\":[]}";
        let text = of_document(7, &serde_json::from_str(line).unwrap());
        assert!(text.contains("message  \"\u{fffd}2J\"  a\u{fffd}b      x.yml:7"), "{text}");
        assert!(!text.contains(['\u{9b}', '\u{85}']));
    }

    #[test]
    fn long_values_are_cut() {
        let line = format!(
            r#"{{"document":{{}},"fields":[],"columns":[{{"column":"a","value":"{}","why":"empty"}}]}}"#,
            "é".repeat(99)
        );
        let text = of_document(7, &serde_json::from_str(&line).unwrap());
        assert!(text.contains(&format!("\"{}…  it is empty", "é".repeat(46))), "{text}");
    }
}
