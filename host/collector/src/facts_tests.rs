use super::*;

fn facts() -> (tempfile::TempDir, Facts) {
    let data = tempfile::tempdir().unwrap();
    let facts = Facts::load(data.path(), "event");
    (data, facts)
}

fn more(facts: &str) -> Option<News> {
    Some(News::More(facts.as_bytes().to_vec()))
}

fn anew(facts: &str) -> Option<News> {
    Some(News::Anew(facts.as_bytes().to_vec()))
}

#[test]
fn each_learns_what_it_has_not_learned_in_the_same_order() {
    let (_data, facts) = facts();
    let (mut one, mut other) = (Place::default(), Place::default());
    assert_eq!(facts.since(&mut one), None);
    facts.add(b"a");
    assert_eq!(facts.since(&mut one), more("a"));
    facts.add(b"b");
    facts.add(b"c");
    assert_eq!(facts.since(&mut other), more("abc"));
    assert_eq!(facts.since(&mut one), more("bc"));
    assert_eq!((facts.since(&mut one), facts.since(&mut other)), (None, None));
}

#[test]
fn a_long_log_is_replaced_and_nothing_added_meanwhile_is_lost() {
    let (_data, facts) = facts();
    let (mut one, mut other) = (Place::default(), Place::default());
    assert!(!facts.add(b"start"));
    facts.since(&mut other);
    assert!(facts.add(&vec![b'x'; LONG]));
    facts.since(&mut one);
    facts.add(b"late");
    facts.replace(&mut one, b"compact".to_vec());
    assert_eq!(facts.since(&mut one), more("late"));
    // One that had not learned all that was replaced begins anew.
    assert_eq!(facts.since(&mut other), anew("compactlate"));
    // Nobody replaces on top of what he has not learned.
    let mut old = Place::default();
    facts.replace(&mut old, b"wrong".to_vec());
    assert_eq!(facts.since(&mut other), None);
    assert!(!facts.add(b"y"), "it is not long any more");
}

#[test]
fn a_log_is_long_again_when_it_has_doubled() {
    let (_data, facts) = facts();
    let mut place = Place::default();
    facts.add(&vec![b'x'; 4 * LONG]);
    facts.since(&mut place);
    facts.replace(&mut place, vec![b'x'; 3 * LONG]);
    assert!(!facts.add(&vec![b'x'; 2 * LONG]));
    assert!(facts.add(&vec![b'x'; LONG]));
}

#[test]
fn a_log_without_bounds_is_forgotten() {
    let (_data, facts) = facts();
    let mut place = Place::default();
    facts.add(b"a");
    facts.since(&mut place);
    facts.replace(&mut place, vec![b'x'; LONGEST + 1]);
    facts.add(b"b");
    assert_eq!(facts.since(&mut Place::default()), anew("b"));
    // The one that made it knows more than the others, and begins anew.
    assert_eq!(facts.since(&mut place), anew("b"));
}

#[test]
fn what_is_forgotten_is_not_learned_again() {
    let (_data, facts) = facts();
    let mut place = Place::default();
    facts.add(b"a");
    facts.since(&mut place);
    facts.forget(place);
    facts.add(b"b");
    assert_eq!(facts.since(&mut place), anew("b"));
    // Once is enough.
    facts.forget(Place::default());
    assert_eq!(facts.since(&mut Place::default()), anew("b"));
}

#[test]
fn a_restart_remembers_what_was_saved() {
    let (data, facts) = facts();
    facts.save();
    assert!(!data.path().join("facts").exists(), "there was nothing to save");
    facts.add(b"a\nb");
    facts.save();
    facts.add(b"c");
    let again = Facts::load(data.path(), "event");
    assert_eq!(again.since(&mut Place::default()), more("a\nb"));
    assert_eq!(Facts::load(data.path(), "other").since(&mut Place::default()), None);
}

#[test]
fn a_file_that_is_damaged_anywhere_is_an_empty_start() {
    let (data, facts) = facts();
    facts.add(b"some facts");
    facts.save();
    let file = data.path().join("facts/event");
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, &damaged).unwrap();
        assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), None, "byte {at}");
        fs::write(&file, &whole[..at]).unwrap();
        assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), None, "cut to {at} bytes");
    }
    let again = Facts::load(data.path(), "event");
    again.add(b"new");
    again.save();
    assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), more("new"));
}

#[test]
fn what_others_found_comes_first_and_what_they_do_not_have_stays() {
    let (_data, facts) = facts();
    let mut place = Place::default();
    facts.add(b"old");
    facts.share();
    assert_eq!(facts.to_share(false), None);
    assert_eq!(decode(&facts.to_share(true).unwrap().0).unwrap(), b"old", "others have nothing");
    facts.add(b"ours");
    facts.since(&mut place);
    facts.merge(b"theirs".to_vec());
    assert_eq!(facts.since(&mut place), anew("theirsours"));
    let (all, own) = facts.to_share(false).unwrap();
    assert_eq!((decode(&all).unwrap(), own.length), (b"theirsours".to_vec(), 4));
    facts.add(b"more");
    facts.shared(own);
    facts.merge(b"compact".to_vec());
    assert_eq!(facts.since(&mut place), anew("compactmore"));
}

#[test]
fn what_others_do_not_have_for_long_is_no_more_than_all_that_is_known() {
    let (_data, facts) = facts();
    facts.share();
    facts.add(b"long before");
    let (_, on_its_way) = facts.to_share(false).unwrap();
    facts.add(b"and after");
    let mut place = Place::default();
    facts.since(&mut place);
    facts.replace(&mut place, b"compact".to_vec());
    assert_eq!(facts.to_share(false).unwrap().1.length, "compact".len());
    // What others had taken was made compact with what they had not.
    facts.shared(on_its_way);
    let (all, own) = facts.to_share(false).unwrap();
    assert_eq!((decode(&all).unwrap(), own.length), (b"compact".to_vec(), "compact".len()));
    facts.shared(own);
    assert_eq!(facts.to_share(false), None);
}

/// What processes share, and how often it was written.
#[derive(Default)]
struct Blob {
    bytes: Vec<u8>,
    version: u32,
}

/// A process that exchanges facts, and has them made compact by a component that knows the last ones.
struct Process {
    _data: tempfile::TempDir,
    facts: Facts,
    version: u32,
}

/// Bytes of one fact, and of those that a component keeps.
const FACT: usize = 1 << 10;
const KEPT: usize = 256 << 10;

impl Process {
    fn start() -> Self {
        let (_data, facts) = facts();
        facts.share();
        Self { _data, facts, version: 0 }
    }

    fn find(&self, number: usize) {
        if self.facts.add(format!("{number:FACT$}").as_bytes()) {
            let mut place = Place::default();
            let Some(News::More(log) | News::Anew(log)) = self.facts.since(&mut place) else { unreachable!() };
            self.facts.replace(&mut place, log[log.len().saturating_sub(KEPT)..].to_vec());
        }
    }

    fn exchange(&mut self, blob: &mut Blob) {
        if blob.version != self.version {
            self.facts.merge(decode(&blob.bytes).unwrap());
            self.version = blob.version;
        }
        if let Some((all, own)) = self.facts.to_share(blob.version == 0) {
            *blob = Blob { bytes: all, version: blob.version + 1 };
            self.version = blob.version;
            self.facts.shared(own);
        }
    }

    fn knows(&self, number: usize) -> bool {
        let fact = format!("{number:FACT$}");
        self.facts.log().bytes.chunks(FACT).any(|known| known == fact.as_bytes())
    }
}

#[test]
fn facts_of_several_processes_stay_compact_and_all_know_the_last_of_each() {
    for processes in [2, 3] {
        let mut blob = Blob::default();
        let mut all: Vec<Process> = (0..processes).map(|_| Process::start()).collect();
        for round in 0..3_000 {
            let at = round % processes;
            for (number, process) in all.iter().enumerate() {
                process.find(10 * round + number);
            }
            all[at].exchange(&mut blob);
            assert!(blob.bytes.len() < 4 * LONG, "round {round}: {}", blob.bytes.len());
        }
        // Who waits for its log to be made compact is next.
        for _ in 0..3 {
            all.iter_mut().for_each(|process| process.exchange(&mut blob));
        }
        for process in &all {
            assert!((0..processes).all(|number| process.knows(10 * 2_950 + number)));
            assert!(process.facts.log().bytes.len() < 4 * LONG);
        }
    }
}

#[test]
fn what_cannot_be_saved_is_saved_later() {
    let (data, facts) = facts();
    fs::write(data.path().join("facts"), "in the way").unwrap();
    facts.add(b"a");
    facts.save();
    fs::remove_file(data.path().join("facts")).unwrap();
    facts.save();
    assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), more("a"));
}
