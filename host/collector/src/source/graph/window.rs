//! Which records a request asks for, and how too many of them are divided.

use std::fmt::Write;

use super::feed::Feed;
use crate::source::Position;

/// Ticks of a second.
pub(super) const SECOND: Position = 10_000_000;

/// From a position up to, and not including, another; open where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: Option<Position>,
    to: Option<Position>,
}

/// A part of a feed: records updated within a range of time and, where one instant has to be divided, created within
/// another and with certain values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    updated: Range,
    created: Range,
    /// For each of the feed's splits that is in use: one of its values, or none for all others.
    chosen: Vec<Option<&'static str>>,
}

impl Window {
    /// Everything there is.
    pub(super) fn all() -> Self {
        let open = Range { from: None, to: None };
        Self { updated: open, created: open, chosen: Vec::new() }
    }

    /// Everything from a position on.
    pub(super) fn from(from: Position) -> Self {
        Self {
            updated: Range { from: Some(from), to: None },
            created: Range { from: None, to: None },
            chosen: Vec::new(),
        }
    }

    /// From a position up to, and not including, another.
    pub(super) fn between(from: Position, to: Position) -> Self {
        let mut window = Self::from(from);
        window.updated.to = Some(to);
        window
    }

    /// The position at which everything in it has been read. None where it is open or a part of an instant.
    pub(super) fn end(&self) -> Option<Position> {
        let whole = self.created == (Range { from: None, to: None }) && self.chosen.is_empty();
        self.updated.to.filter(|_| whole)
    }

    /// The position at which it begins.
    pub(super) fn start(&self) -> Option<Position> {
        self.updated.from
    }

    /// Whether its records all have the same position.
    pub(super) fn is_instant(&self) -> bool {
        matches!(self.updated, Range { from: Some(from), to: Some(to) } if to - from <= 1)
    }

    /// Divides it; the parts, in order, hold every record of it exactly once. None: nothing divides it any more.
    ///
    /// A range of time is halved, or cut around an instant that alone fills a page. An instant is divided by the time of creation: first what was created up to it and
    /// what is said to be created later, then by halving. Alerts are mostly created shortly before they are updated, so
    /// while the nearer end is much closer, the *distance* is halved in magnitude: days, hours, seconds. Then come the
    /// feed's values, one part for each and one for all others.
    pub(super) fn split(&self, feed: &Feed, full: Option<Position>) -> Option<Vec<Self>> {
        let Range { from: Some(from), to: Some(to) } = self.updated else { return None };
        if to - from > 1 {
            let bounds = match full.filter(|full| (from..to).contains(full)) {
                Some(full) => vec![from, full, full + 1, to],
                None => vec![from, from + (to - from) / 2, to],
            };
            let parts = bounds.iter().zip(bounds.iter().skip(1)).filter(|(from, to)| from < to);
            return Some(parts.map(|(from, to)| Self::between(*from, *to)).collect());
        }
        if let Some(middle) = self.created.middle(to) {
            let part = |from, to| Self { created: Range { from, to }, ..self.clone() };
            return Some(vec![part(self.created.from, Some(middle)), part(Some(middle), self.created.to)]);
        }
        let split = feed.splits.get(self.chosen.len())?;
        let part = |value| Self { chosen: self.chosen.iter().copied().chain([value]).collect(), ..self.clone() };
        Some(split.values.iter().copied().map(Some).chain([None]).map(part).collect())
    }

    /// The `$filter`.
    pub(super) fn filter(&self, feed: &Feed) -> String {
        let mut terms = Vec::new();
        for (property, range) in [(feed.updated, self.updated), (feed.created, self.created)] {
            let bounds = [("ge", range.from), ("lt", range.to)];
            terms.extend(bounds.into_iter().filter_map(|(operator, bound)| {
                bound.map(|bound| format!("{property} {operator} {}", timestamp(bound)))
            }));
        }
        for (split, chosen) in feed.splits.iter().zip(&self.chosen) {
            match chosen {
                Some(value) => terms.push(format!("{} eq '{value}'", split.property)),
                None => terms.extend(split.values.iter().map(|value| format!("{} ne '{value}'", split.property))),
            }
        }
        terms.join(" and ")
    }
}

impl Range {
    /// Where to divide a range of creation times of records updated just before `end`.
    fn middle(&self, end: Position) -> Option<Position> {
        match (self.from, self.to) {
            (None, None) => Some(end),
            (Some(_), None) => None,
            (from, Some(to)) => {
                let (near, far) = (end.checked_sub(to)?, end - from.unwrap_or(0));
                if far - near <= 1 {
                    return None;
                }
                let distance = if far / 4 > near {
                    // Half the magnitude: the square root of near times far, by bits.
                    let bits = (far.ilog2() + near.max(1).ilog2()) / 2;
                    (1 << bits).max(near + 1)
                } else {
                    near + (far - near) / 2
                };
                Some(end - distance)
            }
        }
    }
}

/// A position as Graph writes times, with all seven digits of the second.
pub(super) fn timestamp(position: Position) -> String {
    let seconds = i64::try_from(position / SECOND).unwrap_or(i64::MAX);
    let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    let mut text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    let _ = write!(text, ".{:07}Z", position % SECOND);
    text
}

#[cfg(test)]
mod tests {
    use super::super::feed::ALERTS;
    use super::*;

    #[test]
    fn times_keep_every_tick() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.0000000Z");
        assert_eq!(timestamp(17_000_000_001_234_567), "2023-11-14T22:13:20.1234567Z");
    }

    #[test]
    fn a_range_of_time_is_halved_without_gap() {
        let parts = Window::between(100, 201).split(&ALERTS, None).unwrap();
        assert_eq!(parts, [Window::between(100, 150), Window::between(150, 201)]);
        let parts = Window::between(100, 201).split(&ALERTS, Some(170)).unwrap();
        assert_eq!(parts, [Window::between(100, 170), Window::between(170, 171), Window::between(171, 201)]);
        let parts = Window::between(100, 201).split(&ALERTS, Some(200)).unwrap();
        assert_eq!(parts, [Window::between(100, 200), Window::between(200, 201)]);
    }

    /// A record as far as filters see it.
    struct Record {
        created: Position,
        severity: &'static str,
    }

    fn holds(window: &Window, record: &Record) -> bool {
        let severity = match window.chosen.first() {
            None => true,
            Some(Some(value)) => record.severity == *value,
            Some(None) => !SEVERITIES.contains(&record.severity),
        };
        severity
            && window.created.from.is_none_or(|from| record.created >= from)
            && window.created.to.is_none_or(|to| record.created < to)
    }

    const SEVERITIES: &[&str] = &["informational", "low", "medium", "high", "unknown"];

    #[test]
    fn the_parts_of_an_instant_hold_every_record_once_down_to_a_single_creation_time() {
        let instant: Position = 17_000_000_001_234_567;
        for created in [0, 1, instant / 2, instant - 36_000_000_000, instant - 3, instant, instant + 1, instant * 2] {
            for severity in ["high", "low", "unknown", "unheardOf"] {
                let record = Record { created, severity };
                let mut window = Window::between(instant, instant + 1);
                let mut depth = 0;
                while window.chosen.is_empty() {
                    let parts = window.split(&ALERTS, None).unwrap();
                    let mut holding: Vec<Window> = parts.into_iter().filter(|part| holds(part, &record)).collect();
                    assert_eq!(holding.len(), 1, "{created} {severity} in {window:?}");
                    window = holding.remove(0);
                    depth += 1;
                }
                assert!(depth < 70, "{created}: {depth}");
            }
        }
    }

    #[test]
    fn creation_shortly_before_is_reached_in_few_steps() {
        let instant: Position = 17_000_000_001_234_567;
        let record = Record { created: instant - 20 * 60 * SECOND, severity: "low" };
        let mut window = Window::between(instant, instant + 1);
        for _ in 0..9 {
            window = window.split(&ALERTS, None).unwrap().into_iter().find(|part| holds(part, &record)).unwrap();
        }
        let Range { from, to } = window.created;
        assert!(to.unwrap() - from.unwrap() < 3600 * SECOND, "{window:?}");
    }

    #[test]
    fn filters_quote_values_and_not_times() {
        let mut window = Window::between(0, 1);
        window.created = Range { from: Some(SECOND), to: None };
        window.chosen = vec![Some("high"), None];
        assert_eq!(
            window.filter(&ALERTS),
            "lastUpdateDateTime ge 1970-01-01T00:00:00.0000000Z and lastUpdateDateTime lt 1970-01-01T00:00:00.0000001Z \
             and createdDateTime ge 1970-01-01T00:00:01.0000000Z and severity eq 'high' \
             and status ne 'new' and status ne 'inProgress' and status ne 'resolved' and status ne 'unknown'"
        );
    }

    #[test]
    fn what_nothing_divides_is_said() {
        let mut window = Window::between(5, 6);
        window.created = Range { from: Some(3), to: Some(4) };
        window.chosen = vec![Some("high"), Some("new"), None];
        assert_eq!(window.split(&ALERTS, None), None);
        assert_eq!(Window::from(5).split(&ALERTS, None), None);
    }
}
