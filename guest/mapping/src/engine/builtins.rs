//! Fields that every document has.

use super::{Presets, Times};
use crate::record::Record;
use crate::table::Builtin;
use crate::text::Text;
use crate::time;
use crate::value::Value;
use crate::write;

/// What fields are made of that every document has.
pub(super) struct Builtins<'w, 't, 'r> {
    pub(super) json: &'w str,
    pub(super) presets: &'w Presets,
    pub(super) state: &'w Record<'t, 'r>,
    pub(super) times: Times,
    /// Whether the record itself is kept.
    pub(super) original: bool,
    pub(super) failed: bool,
}

impl Builtins<'_, '_, '_> {
    /// Writes a field; false, and nothing written, where it is empty.
    #[inline(never)]
    pub(super) fn write(&self, builtin: Builtin, out: &mut Text) -> bool {
        let presets = self.presets;
        let text = match builtin {
            Builtin::Timestamp => return write::value(&Value::Time(self.times.event), out),
            Builtin::Ingested => return write::value(&Value::Time(time::from_millis(self.times.received)), out),
            Builtin::ErrorMessage => {
                let messages: Vec<Value<'_>> = self.state.errors.iter().map(|text| Value::Text(text)).collect();
                return write::list(&messages, out);
            }
            Builtin::Original => {
                if self.original {
                    write::string(self.json, out);
                }
                return self.original;
            }
            Builtin::Unmapped => return self.state.write_unmapped(out),
            Builtin::Agent => &presets.agent,
            Builtin::Dataset | Builtin::EventDataset => &presets.dataset,
            Builtin::Namespace => &presets.namespace,
            Builtin::Type => "\"logs\"",
            Builtin::EcsVersion => &presets.ecs,
            Builtin::Module => &presets.module,
            Builtin::Tags if self.failed => &presets.tags_on_error,
            Builtin::Tags => &presets.tags,
        };
        out.push_str(text);
        !text.is_empty()
    }
}
