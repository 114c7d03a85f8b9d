//! Which requests fail, and how.

use crate::generate::Dice;
use crate::options::FaultOptions;

/// What happens to a request instead of a proper answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// 429.
    Throttled,
    /// 500.
    Failed,
    /// Tokens are revoked, 401.
    Revoked,
    /// The body ends after this part, from 0 to 1, of its records.
    Broken(f64),
}

impl FaultOptions {
    /// The fault of the n-th API request.
    pub(crate) fn draw(&self, seed: u64, number: u64) -> Option<Fault> {
        let mut dice = Dice::new(seed, "fault", number);
        let (mut draw, part) = (dice.part(), dice.part());
        [
            (self.throttled, Fault::Throttled),
            (self.failed, Fault::Failed),
            (self.revoked, Fault::Revoked),
            (self.broken, Fault::Broken(part)),
        ]
        .into_iter()
        .find(|(rate, _)| {
            let drawn = draw < *rate;
            draw -= rate;
            drawn
        })
        .map(|(_, fault)| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_at_their_rates_and_the_same_for_a_seed() {
        let options = FaultOptions { throttled: 0.05, failed: 0.1, revoked: 0.02, broken: 0.2, ..Default::default() };
        let faults: Vec<_> = (0..10_000).map(|number| options.draw(7, number)).collect();
        assert_eq!(faults, (0..10_000).map(|number| options.draw(7, number)).collect::<Vec<_>>());
        assert_ne!(faults, (0..10_000).map(|number| options.draw(8, number)).collect::<Vec<_>>());
        let mut counts = [0; 5];
        for fault in faults {
            counts[match fault {
                None => 0,
                Some(Fault::Throttled) => 1,
                Some(Fault::Failed) => 2,
                Some(Fault::Revoked) => 3,
                Some(Fault::Broken(_)) => 4,
            }] += 1;
        }
        for (count, expected) in counts.into_iter().zip([6300_i32, 500, 1000, 200, 2000]) {
            assert!((count - expected).abs() < expected / 10 + 50, "{counts:?}");
        }
    }

    #[test]
    fn without_rates_nothing_fails() {
        assert!((0..1000).all(|number| FaultOptions::default().draw(1, number).is_none()));
    }
}
