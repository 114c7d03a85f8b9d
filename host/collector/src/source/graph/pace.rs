//! How many records a page is asked for.

/// Records of a list without expansion, each of which takes requests of its own.
const LISTED: usize = 10;

/// Records of the smallest page with expansion. A page begins with the last record of the one before, so with one
/// record each would come three times.
const SMALLEST: usize = 2;

/// Pages that succeed before more is asked for again, at most. What was too much a moment ago mostly still is, and
/// finding that out may take the whole timeout; so the pause doubles each time.
const PAUSE: u32 = 64;

/// The size of pages: halved where so much cannot be had, doubled where it can.
#[derive(Debug)]
pub(super) struct Pace {
    /// The largest page; 0 leaves that to Graph, which links from one to the next then.
    top: usize,
    size: usize,
    /// Even the smallest page was too much: what belongs to it is asked for by itself.
    singly: bool,
    /// Pages to succeed before the next is larger.
    pause: u32,
    /// The pause after the next failure.
    next_pause: u32,
    /// The size was doubled since the last failure.
    grown: bool,
}

impl Pace {
    pub(super) fn new(top: usize) -> Self {
        Self { top, size: top, singly: false, pause: 0, next_pause: 1, grown: false }
    }

    /// Asks for less from now on; false where there is nothing less to ask for.
    pub(super) fn shrink(&mut self) -> bool {
        if self.singly {
            return false;
        }
        if std::mem::take(&mut self.grown) {
            self.next_pause = (self.next_pause * 2).min(PAUSE);
        }
        self.pause = self.next_pause;
        if self.size > SMALLEST {
            self.size = (self.size / 2).max(SMALLEST);
        } else {
            self.singly = true;
        }
        true
    }

    /// Asks for more again, after a page of so many records. An empty one says nothing of what can be had.
    pub(super) fn grow(&mut self, records: usize) {
        if std::mem::take(&mut self.singly) || records == 0 || self.size == self.top {
            return;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        self.size = self.size.max(records.saturating_mul(2)).min(self.top);
        self.grown = true;
        if self.size == self.top {
            self.next_pause = 1;
        }
    }

    /// Whether records are listed without expansion.
    pub(super) fn is_singly(&self) -> bool {
        self.singly
    }

    /// Records that make a page full; none where Graph chooses.
    pub(super) fn size(&self) -> Option<usize> {
        match (self.singly, self.top) {
            (_, 0) => None,
            (true, top) => Some(top.min(LISTED)),
            (false, _) => Some(self.size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_halved_until_records_are_listed_singly() {
        let mut pace = Pace::new(50);
        let mut sizes = Vec::new();
        while pace.shrink() {
            sizes.push(pace.size().filter(|_| !pace.is_singly()));
        }
        assert_eq!(sizes, [Some(25), Some(12), Some(6), Some(3), Some(2), None]);
        assert_eq!(pace.size(), Some(LISTED));
        pace.grow(7);
        assert_eq!((pace.size(), pace.is_singly()), (Some(2), false));
    }

    /// Where never more than three records can be had, few pages are wasted on finding that out.
    #[test]
    fn what_was_too_much_is_asked_for_ever_more_rarely() {
        let mut pace = Pace::new(50);
        let (mut good, mut bad) = (0, 0);
        for _ in 0..300 {
            if pace.size > 3 {
                assert!(pace.shrink());
                bad += 1;
            } else {
                pace.grow(pace.size);
                good += 1;
            }
        }
        assert!(good > 280 && bad < 20, "{good} {bad}");
    }

    #[test]
    fn what_can_be_had_is_asked_for_again() {
        let mut pace = Pace::new(50);
        (0..3).for_each(|_| assert!(pace.shrink()));
        pace.grow(0);
        assert_eq!(pace.size(), Some(6), "an empty page says nothing");
        let pages = (1..).find(|_| {
            pace.grow(pace.size);
            pace.size == 50
        });
        assert_eq!(pages, Some(5));
    }

    #[test]
    fn where_the_server_chooses_the_size_none_is_asked_for() {
        assert_eq!(Pace::new(0).size(), None);
    }
}
