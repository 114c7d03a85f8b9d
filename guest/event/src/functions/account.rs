//! Accounts of device tables.

use defenderbeat_mapping::{Args, Results};

use super::kinds::{Kind, Kinds};
use super::word;

/// Accounts that every Windows has, by SID: Microsoft sends their names in lower case or translated.
const WELL_KNOWN: [(&str, &str); 3] =
    [("S-1-5-18", "SYSTEM"), ("S-1-5-19", "LOCAL SERVICE"), ("S-1-5-20", "NETWORK SERVICE")];

/// `user.name`, `.domain` and `.id`, then name and domain as they were sent. Arguments: kinds, then name, domain and SID
/// of the account, of the request and of the process that acts, and the operating system: Macs send SIDs of Windows, too.
pub(crate) fn of_device<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let windows = !args.has(10, "macos") && !args.has(10, "linux");
    let kinds = Kinds::of(args, 0);
    let acts = kinds.has_any(&[Kind::Library, Kind::Registry, Kind::Network, Kind::Driver, Kind::Api, Kind::File]);
    let first = |part: usize, order: &[usize]| {
        let found = order.iter().find(|account| !args.value(*account + part).is_missing()).copied();
        found.map(|account| (args.value(account + part), args.text(account + 2)))
    };
    let (account, request, actor) = (1, 4, 7);
    let own_name = [request, account, actor];
    let own_domain = [account, request, actor];
    let wanted = if acts { 3 } else { 2 };
    let mut known = false;
    if let Some((name, sid)) = first(0, own_name.get(..wanted).unwrap_or_default()) {
        let account = WELL_KNOWN.iter().find(|(known, _)| windows && sid == Some(*known));
        known = account.is_some();
        results.set(0, account.map_or(name, |(_, name)| word(name)));
        results.set(3, name);
    }
    let domain = first(1, own_domain.get(..wanted).unwrap_or_default()).map(|(domain, _)| domain).unwrap_or_default();
    results.set(1, if known { word("NT AUTHORITY") } else { domain });
    results.set(4, domain);
    let sid = |account: usize, allowed: bool| Some(args.value(account + 2)).filter(|sid| allowed && !sid.is_missing());
    let id = sid(account, true).or_else(|| sid(actor, acts)).or_else(|| sid(request, kinds.has(Kind::File)));
    results.set(2, id.unwrap_or_default());
}
