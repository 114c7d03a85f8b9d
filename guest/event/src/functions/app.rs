//! Tables of identities, cloud applications and cloud audits.

use defenderbeat_mapping::{Args, Results, Value};

use super::{table, word, words};

/// The kinds that rows of `app.yml` distinguish: `identity`, `logon`, `cloud_app`, `cloud_audit`; `other` than identity.
pub(crate) fn kinds<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(
        0,
        match table::name(args, 0) {
            "IdentityInfo" => word("identity"),
            "IdentityLogonEvents" => words(["logon", "other"], args.arena()),
            "CloudAppEvents" => words(["cloud_app", "other"], args.arena()),
            "CloudAuditEvents" => words(["cloud_audit", "other"], args.arena()),
            _ => word("other"),
        },
    );
}

/// `event.kind`, `.category` and `.type`.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let identity = args.has(0, "identity");
    results.set(0, word(if identity { "asset" } else { "event" }));
    let category = [("logon", "authentication"), ("identity", "iam"), ("cloud_audit", "configuration")];
    if let Some((_, category)) = category.into_iter().find(|(kind, _)| args.has(0, kind)) {
        results.set(1, words([category], args.arena()));
    }
    results.set(2, if identity { words(["info", "user"], args.arena()) } else { words(["info"], args.arena()) });
}

/// The user that the record of the source service names.
pub(crate) fn user<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(id) = args.member(args.value(0), "UserId").and_then(|id| id.text()) {
        results.set(0, Value::from_text(args.keep(id)));
    }
}

/// An address that is known not to be private.
pub(crate) fn public_address<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if matches!(args.value(1), Value::Bool(false)) {
        results.set(0, args.value(0));
    }
}
