//! Kinds of values, and the table that a struct of them is made from together with its definitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::checkpoint::unix_millis;

/// Names that are counted by themselves; further ones are counted together, so that nobody who names things can make
/// metrics without end.
const NAMES: usize = 100;
/// Bytes of a name; the rest is cut.
const NAME: usize = 100;
/// The name of all names that are not counted by themselves.
pub const OTHER: &str = "(other)";

/// All that is known of a metric beside its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name in `/metrics`.
    pub name: &'static str,
    /// How values follow each other.
    pub kind: Kind,
    /// What is counted or measured.
    pub unit: &'static str,
    /// Labels that all metrics of its group have.
    pub labels: &'static [&'static str],
    /// A label of its own.
    pub own_label: Option<&'static str>,
    /// What it means.
    pub help: &'static str,
}

/// How values of a metric follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They only grow, from 0 at the start of the process.
    Counter,
    /// They go up and down.
    Gauge,
}

impl Kind {
    /// Its name in Prometheus' text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Takes a value, with the value of the metric's own label where it has one.
pub(super) type Take<'a> = &'a mut dyn FnMut(Option<&str>, f64);

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(super) const KIND: Kind = Kind::Counter;

    /// Adds to it.
    pub fn add(&self, number: impl TryInto<u64>) {
        self.0.fetch_add(number.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self, take: Take<'_>) {
        take(None, self.get() as f64);
    }
}

/// Time that was spent, in seconds.
#[derive(Debug, Default)]
pub struct Spent(AtomicU64);

impl Spent {
    pub(super) const KIND: Kind = Kind::Counter;

    /// Adds to it.
    pub fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// All of it.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn read(&self, take: Take<'_>) {
        take(None, self.get().as_secs_f64());
    }
}

/// An amount that is there.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub(super) const KIND: Kind = Kind::Gauge;

    /// Adds to it.
    pub fn add(&self, number: usize) {
        self.0.fetch_add(i64::try_from(number).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Takes from it.
    pub fn sub(&self, number: usize) {
        self.0.fetch_sub(i64::try_from(number).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self, take: Take<'_>) {
        take(None, self.get() as f64);
    }
}

/// What was measured last. Without a value as long as nothing was.
#[derive(Debug, Default)]
pub struct Reading(Mutex<Option<f64>>);

impl Reading {
    pub(super) const KIND: Kind = Kind::Gauge;

    /// Takes a new value, or none.
    pub fn set(&self, value: Option<f64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// Its value.
    pub fn get(&self) -> Option<f64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self, take: Take<'_>) {
        if let Some(value) = self.get() {
            take(None, value);
        }
    }
}

/// When something happened last, in seconds since 1970-01-01T00:00:00Z. Without a value until it does.
#[derive(Debug, Default)]
pub struct Moment(AtomicI64);

impl Moment {
    pub(super) const KIND: Kind = Kind::Gauge;

    /// It happens now.
    pub fn now(&self) {
        self.set(unix_millis());
    }

    /// It happened at a time in milliseconds.
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    /// When it happened, in milliseconds.
    pub fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|millis| *millis != 0)
    }

    pub(super) fn read(&self, take: Take<'_>) {
        if let Some(millis) = self.get() {
            take(None, millis as f64 / 1e3);
        }
    }
}

/// The same as seconds that have passed since.
#[derive(Debug, Default)]
pub struct Since(pub Moment);

impl Since {
    pub(super) const KIND: Kind = Kind::Gauge;

    pub(super) fn read(&self, take: Take<'_>) {
        if let Some(millis) = self.0.get() {
            take(None, unix_millis().saturating_sub(millis).max(0) as f64 / 1e3);
        }
    }
}

/// Numbers that only grow, by name.
#[derive(Debug, Default)]
pub struct Names(Mutex<BTreeMap<String, u64>>);

impl Names {
    pub(super) const KIND: Kind = Kind::Counter;

    /// Adds to the number of a name.
    pub fn add(&self, name: &str, number: impl TryInto<u64>) {
        let name = name.get(..name.floor_char_boundary(NAME)).unwrap_or_default();
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if names.len() < NAMES || names.contains_key(name) { name } else { OTHER };
        let total = names.entry(name.to_owned()).or_default();
        *total = total.saturating_add(number.try_into().unwrap_or(u64::MAX));
    }

    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    pub(super) fn read(&self, take: Take<'_>) {
        for (name, total) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            take(Some(name), *total as f64);
        }
    }
}

/// Makes a struct of values and the definitions of its metrics from one table. `also` are fields that are no metrics.
macro_rules! measures {
    (
        $(#[$about:meta])*
        $name:ident, $prefix:literal, $labels:expr;
        $($(#[doc = $help:literal])+ $field:ident: $measure:ident $([$own:literal])? = $metric:literal, $unit:literal;)+
        also { $($(#[$of_also:meta])* $visibility:vis $also:ident: $kind:ty,)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: $measure,)+
            $($(#[$of_also])* $visibility $also: $kind,)*
        }

        impl $name {
            /// Its metrics, in the order of the table.
            pub const DEFINITIONS: &'static [Definition] = &[$(Definition {
                name: concat!($prefix, $metric),
                kind: $measure::KIND,
                unit: $unit,
                labels: $labels,
                own_label: own_label!($($own)?),
                help: concat!($($help),+).trim_ascii(),
            }),+];

            /// Gives all values there are: the metric, the value of its own label, and the value.
            pub fn read(&self, take: &mut dyn FnMut(&'static Definition, Option<&str>, f64)) {
                let mut definitions = Self::DEFINITIONS.iter();
                $(if let Some(definition) = definitions.next() {
                    self.$field.read(&mut |own, value| take(definition, own, value));
                })+
            }
        }
    };
}

macro_rules! own_label {
    () => {
        None
    };
    ($label:literal) => {
        Some($label)
    };
}

pub(super) use {measures, own_label};

#[cfg(test)]
mod tests {
    use super::*;

    fn values(read: impl Fn(Take<'_>)) -> Vec<(Option<String>, f64)> {
        let mut values = Vec::new();
        read(&mut |own, value| values.push((own.map(str::to_owned), value)));
        values
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let names = Names::default();
        for number in 0..1000 {
            names.add(&format!("name{number:04}"), 2_u32);
        }
        names.add("name0000", 5_u32);
        names.add(&"é".repeat(1000), 1_u32);
        let values = values(|take| names.read(take));
        assert_eq!(values.len(), NAMES + 1);
        assert_eq!(values[0], (Some(OTHER.to_owned()), 1801.0));
        assert_eq!(values[1], (Some("name0000".to_owned()), 7.0));
        assert_eq!(names.sum(), 2006);
    }

    #[test]
    fn what_is_not_known_has_no_value() {
        let (reading, moment) = (Reading::default(), Moment::default());
        assert!(values(|take| reading.read(take)).is_empty() && values(|take| moment.read(take)).is_empty());
        reading.set(Some(1.5));
        moment.set(1_500);
        assert_eq!(values(|take| reading.read(take)), [(None, 1.5)]);
        assert_eq!(values(|take| moment.read(take)), [(None, 1.5)]);
    }
}
