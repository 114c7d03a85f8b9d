//! What is kept of an alert: what can be filtered and ordered by.

use super::catalog::{self, Template};
use super::dice::Dice;
use super::pools;
use crate::options::AlertOptions;
use crate::time::{self, DAY, HOUR, SECOND, Ticks};

/// An alert, except for what its number gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outline {
    /// 0, 1, 2 .. of all alerts.
    pub(crate) index: usize,
    pub(crate) created: Ticks,
    pub(crate) updated: Ticks,
    /// Becomes visible late.
    pub(crate) late: bool,
    pub(crate) severity: &'static str,
    pub(crate) status: &'static str,
    pub(crate) classification: Option<&'static str>,
    pub(crate) determination: Option<&'static str>,
    assigned: bool,
    template: usize,
}

impl Outline {
    /// Draws one of all alerts, seen from `now`.
    pub(crate) fn draw(options: &AlertOptions, now: Ticks, index: usize) -> Self {
        let mut dice = Dice::new(options.seed, "outline", index as u64);
        let template = catalog::draw(&mut dice);
        let severity = dice.pick(&catalog::get(template).severities);
        let status = dice.pick(&["new", "new", "new", "inProgress", "resolved"]);
        let (classification, determination) = verdict(&mut dice, status);
        let assigned = status != "new" || dice.chance(0.2);
        let late = index >= options.count - options.late;
        let tied = !late && ties(options).contains(&index);
        let updated = updated(options, now, index, &mut dice);
        let created = match dice.part() {
            _ if tied && options.ties_share_creation => updated - HOUR,
            draw if draw < 0.1 => updated,
            draw if draw < 0.7 => updated - dice.between(SECOND, 20 * 60 * SECOND),
            _ => updated - dice.between(SECOND, 3 * DAY),
        };
        Self { index, created, updated, late, severity, status, classification, determination, assigned, template }
    }

    /// What kind of alert it is.
    pub(crate) fn template(&self) -> &'static Template {
        catalog::get(self.template)
    }

    /// `assignedTo`.
    pub(crate) fn assigned_to(&self) -> Option<&'static str> {
        self.assigned.then(|| pools::analyst(self.index))
    }
}

/// Numbers of those that share one instant: in the middle of all that are not late.
fn ties(options: &AlertOptions) -> std::ops::Range<usize> {
    let first = (options.count - options.late - options.ties) / 2;
    first..first + options.ties
}

/// When an alert was updated. Those that are neither late nor tied have a slot of time each, and the last was updated now.
fn updated(options: &AlertOptions, now: Ticks, index: usize, dice: &mut Dice) -> Ticks {
    let punctual = options.count - options.late;
    let spread = time::from_duration(options.spread);
    if index >= punctual {
        return now - 1 - dice.between(0, time::from_duration(options.late_by));
    }
    let ties = ties(options);
    let end_of_slot = |slot: usize| {
        let part = i128::from(spread) * (slot + 1) as i128 / punctual as i128;
        now - spread + Ticks::try_from(part).unwrap_or(spread)
    };
    if ties.contains(&index) {
        return end_of_slot(ties.start);
    }
    let length = spread / punctual as i64;
    if index + 1 == punctual { now } else { end_of_slot(index) - dice.between(0, length) }
}

fn verdict(dice: &mut Dice, status: &str) -> (Option<&'static str>, Option<&'static str>) {
    let (unknown, known) = match status {
        "resolved" => (0.1, 0.9),
        "inProgress" => (0.4, 0.2),
        _ => (0.3, 0.0),
    };
    let draw = dice.part();
    if draw < known {
        let (classification, determination) = dice.pick(&[
            ("truePositive", "malware"),
            ("truePositive", "phishing"),
            ("truePositive", "compromisedAccount"),
            ("truePositive", "maliciousUserActivity"),
            ("truePositive", "multiStagedAttack"),
            ("falsePositive", "notMalicious"),
            ("falsePositive", "notEnoughDataToValidate"),
            ("informationalExpectedActivity", "securityTesting"),
            ("informationalExpectedActivity", "lineOfBusinessApplication"),
            ("informationalExpectedActivity", "confirmedActivity"),
        ]);
        (Some(classification), Some(determination))
    } else if draw < known + unknown {
        (Some("unknown"), Some("unknown"))
    } else {
        (None, None)
    }
}
