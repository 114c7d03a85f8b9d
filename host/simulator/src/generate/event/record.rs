//! One record: which table, which device, when. Everything follows from its number.
//!
//! Records come in groups of 64 blocks with 64 positions: record 0 is at position 0 of block 0, record 1 at position 0 of
//! block 1, record 64 at position 1 of block 0. A block is what one device does for a while, so what belongs together is near
//! and yet mixed with what others do.

use std::sync::Arc;

use super::json::{Escapes, Object, Time};
use super::table::Table;
use super::world::{Device, World};
use crate::generate::Dice;
use crate::time::{DAY, SECOND, Ticks};

const BLOCKS: u64 = 64;
const POSITIONS: u64 = 64;

/// 9999-12-31T23:59:59Z: nothing is published later.
const LAST: Ticks = 253_402_300_799 * SECOND;

/// When what happens, and in which table it is reported.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    seed: u64,
    start: Ticks,
    spacing: Ticks,
    /// Each table as often as its weight says.
    tables: Arc<[Table]>,
}

impl Timeline {
    pub(super) fn new(seed: u64, start: Ticks, spacing: Ticks, tables: &[Table]) -> Self {
        let tables = if tables.is_empty() { &Table::ALL } else { tables };
        let weighted = tables.iter().flat_map(|table| std::iter::repeat_n(*table, table.weight()));
        Self { seed, start, spacing: spacing.min(DAY), tables: weighted.collect() }
    }

    /// When a record is published.
    fn published(&self, index: u64) -> Ticks {
        let index = Ticks::try_from(index).unwrap_or(Ticks::MAX);
        self.start.saturating_add(self.spacing.saturating_mul(index)).min(LAST)
    }

    /// When it happened. In a block it never decreases.
    pub(super) fn timestamp(&self, index: u64) -> Ticks {
        let delay = Dice::new(self.seed, "delay", block(index)).between(20 * SECOND, 400 * SECOND);
        let jitter = Dice::new(self.seed, "jitter", index).between(0, self.spacing * 32);
        self.published(index) - delay - jitter
    }

    /// The table of a record.
    pub(super) fn table(&self, index: u64) -> Option<Table> {
        Dice::new(self.seed, "table", index).among(&self.tables).copied()
    }
}

fn block(index: u64) -> u64 {
    index / (BLOCKS * POSITIONS) * BLOCKS + index % BLOCKS
}

/// A record under way.
pub(super) struct Record<'w> {
    pub(super) world: &'w World,
    pub(super) timeline: &'w Timeline,
    pub(super) index: u64,
    pub(super) block: u64,
    /// Which of its block.
    pub(super) position: u64,
    pub(super) table: Table,
    pub(super) device: &'w Device,
    /// When it happened.
    pub(super) timestamp: Ticks,
    pub(super) dice: Dice,
    /// Has columns that are documented, but that no capture has.
    pub(super) has_rare_columns: bool,
    pub(super) escapes: Escapes,
}

impl<'w> Record<'w> {
    pub(super) fn new(world: &'w World, timeline: &'w Timeline, index: u64) -> Option<Self> {
        let block = block(index);
        let mut dice = Dice::new(world.seed, "record", index);
        let exact = timeline.timestamp(index);
        Some(Self {
            world,
            timeline,
            index,
            block,
            position: index % (BLOCKS * POSITIONS) / BLOCKS,
            table: timeline.table(index)?,
            device: world.device(&mut Dice::new(world.seed, "block", block))?,
            timestamp: match dice.part() {
                draw if draw < 0.02 => exact / SECOND * SECOND,
                draw if draw < 0.2 => exact / 10_000 * 10_000,
                _ => exact,
            },
            has_rare_columns: dice.chance(0.1),
            escapes: if dice.chance(0.1) { Escapes::Many } else { Escapes::Few },
            dice,
        })
    }

    /// The number of the record at a position of this block.
    pub(super) fn index_at(&self, position: u64) -> u64 {
        self.index - (self.index % (BLOCKS * POSITIONS)) + position * BLOCKS + self.index % BLOCKS
    }

    /// Whether the record at a position of this block creates a process.
    pub(super) fn creates_process(&self, position: u64) -> bool {
        self.timeline.table(self.index_at(position)) == Some(Table::DeviceProcessEvents)
    }

    /// Dice for what several records of a block share: the same name and number, the same draws.
    pub(super) fn shared_dice(&self, what: &str, number: u64) -> Dice {
        Dice::new(self.world.seed, what, self.block * POSITIONS + number)
    }

    /// Appends the record with the columns of its table, published when record `sent` is.
    pub(super) fn write(&mut self, sent: u64, json: &mut String, columns: impl FnOnce(&mut Self, &mut Object<'_>)) {
        let published = self.timeline.published(sent);
        let received = published - self.dice.between(SECOND, 9 * SECOND);
        let (table, escapes) = (self.table, self.escapes);
        let is_time_first = self.dice.chance(0.5);
        Object::write(json, escapes, |record| {
            if is_time_first {
                record.set("time", Time(published));
                record.set("tenantId", &self.world.tenant_id);
                record.set("operationName", "Publish");
                record.set("category", format_args!("AdvancedHunting-{table}"));
                record.set("_TimeReceivedBySvc", Time(received));
            }
            record.object("properties", |row| columns(self, row));
            if !is_time_first {
                record.set("category", format_args!("AdvancedHunting-{table}"));
                record.set("operationName", "Publish");
                record.set("_TimeReceivedBySvc", Time(received));
                record.set("tenantId", &self.world.tenant_id);
                record.set("time", Time(published));
            }
            record.set("Tenant", "DefaultTenant");
        });
    }

    /// Columns of every table about devices but its action.
    pub(super) fn write_device(&self, row: &mut Object<'_>) {
        let (_, group) = self.device.machine.group;
        row.set("Timestamp", Time(self.timestamp));
        row.set("DeviceId", &self.device.machine.id);
        row.set("DeviceName", &self.device.name);
        row.set("MachineGroup", (!group.is_empty()).then_some(group));
    }

    /// Columns of every table about what happens on devices.
    pub(super) fn write_event(&self, row: &mut Object<'_>, action: &str) {
        self.write_event_without_action(row);
        row.set("ActionType", action);
    }

    /// Those without the action.
    pub(super) fn write_event_without_action(&self, row: &mut Object<'_>) {
        self.write_device(row);
        row.set("ReportId", self.index.saturating_add(1));
    }
}
