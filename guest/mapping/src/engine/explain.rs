//! Explanations in the place of documents.

use std::borrow::Cow;

use super::Engine;
use crate::explain::{Fields, Left};
use crate::table::{Builtin, From, Output};
use crate::text::Text;
use crate::time;
use crate::trace::{Made, Origin, Trace, object_path};
use crate::values::Values;

impl Engine {
    /// Applies rows and processors of the settings, and puts the explanation in the place of the document; false where it
    /// is dropped.
    pub(super) fn explain(
        &mut self,
        record: &str,
        trace: Trace,
        values: &Values<'_>,
        unmapped: &[(Cow<'static, str>, Cow<'_, str>)],
    ) -> bool {
        let scope = &self.table.scope;
        let (mut made, duplicates) = trace.finish(values, self.settings.preserve_duplicate_custom_fields);
        made.extend(scope.outputs.iter().filter_map(|output| {
            let From::Builtin(builtin) = output.from else { return None };
            let origins = vec![self.origin(builtin, output, values)];
            Some(Made { path: object_path(scope.objects, output), origins })
        }));
        self.explain_fields(made, record, Left { unmapped, duplicates: &duplicates })
    }

    /// As [`explain`](Self::explain), for the document of a failed collection.
    pub(super) fn explain_failure(&mut self, record: &str) -> bool {
        let made = ["error.code", "error.id", "error.message"].map(|path| {
            let path = path.to_owned();
            Made { path: path.clone(), origins: vec![Origin::Engine(vec![path])] }
        });
        self.explain_fields(made.into(), record, Left { unmapped: &[], duplicates: &[] })
    }

    fn explain_fields(&mut self, made: Vec<Made>, record: &str, left: Left<'_>) -> bool {
        let mut fields = Fields::new(made);
        let kept = self.process(record, Some(&mut fields));
        if kept {
            let document = std::mem::take(&mut self.document).into_string();
            self.document = Text::from(fields.explain(self.table, document.trim_end(), record, left));
            self.document.push('\n');
        }
        kept
    }

    /// Where a field comes from that every document has.
    fn origin(&self, builtin: Builtin, output: &Output, values: &Values<'_>) -> Origin {
        let settings = |path: &str| Origin::Settings(path.to_owned(), Vec::new());
        let holds_time = |slot: &u16| values.get(*slot).string().is_some_and(|text| time::parse(&text).is_some());
        match builtin {
            Builtin::Timestamp => match self.table.time.iter().position(holds_time) {
                Some(number) => {
                    let row = output.rows.first().copied().unwrap_or_default();
                    let from = self.table.rows.get(usize::from(row)).and_then(|row| row.from.get(number));
                    Origin::Row(row, from.iter().map(|path| (**path).to_owned()).collect())
                }
                None if self.settings.sync_start.is_some() => settings("$.sync_start"),
                None => Origin::Engine(Vec::new()),
            },
            Builtin::Agent => settings("$.agent"),
            Builtin::Namespace if self.settings.namespace.is_some() => settings("$.namespace"),
            Builtin::Tags if !self.settings.tags.is_empty() => settings("$.tags"),
            _ => Origin::Engine(Vec::new()),
        }
    }
}
