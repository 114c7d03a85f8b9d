//! Writing the item of a list.

use crate::kept::{Kept, write_kept};
use crate::record::Record;
use crate::table::{From, Scope};
use crate::text::Text;
use crate::values::{Numbers, Values};
use crate::write::{self, ObjectWriter};

impl<'r> Record<'_, 'r> {
    /// Writes an item of a list.
    pub(crate) fn write_item(
        &mut self,
        scope: &'static Scope,
        values: &Values<'r>,
        kept: &[Kept<'r>],
        out: &mut Text,
    ) -> bool {
        let mut writer = ObjectWriter::new(out, scope.objects);
        let mut numbers = Numbers::new(scope.outputs.len(), scope.outputs_always);
        numbers.gather(values.touched(), scope.outputs_of);
        for output in numbers.filter_map(|number| scope.outputs.get(usize::from(number))) {
            if output.duplicate && !self.duplicates {
                continue;
            }
            match output.from {
                From::Value(value) => {
                    let value = values.get(value);
                    if !value.is_missing() {
                        writer.field(output.object, &output.key, |out| write::value(&value, out));
                    }
                }
                From::First(all) => {
                    writer.field(output.object, &output.key, |out| write::value(&values.first(all), out));
                }
                From::Rest => write_kept(kept, output.object, &mut writer),
                From::Accumulator(_) | From::Builtin(_) => {}
            }
        }
        writer.end()
    }
}
