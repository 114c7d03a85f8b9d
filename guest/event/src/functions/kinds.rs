//! The kinds of device events as a set, for functions that ask for many: rows ask for their words.

use defenderbeat_mapping::{Args, Value};

/// What rows and functions distinguish; see [`kinds`](super::device::kinds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Api,
    Authentication,
    Driver,
    File,
    Host,
    Library,
    Network,
    Process,
    Registry,
    Actor,
    ActorAction,
    ActorImage,
    ActorSignature,
    ActorToken,
    Categorized,
    Created,
    DeviceEvents,
    FileFields,
    FileSignature,
    ImageLoad,
    Inbound,
    LogonEvents,
    NetworkUndirected,
    NotAuthentication,
    Outbound,
    Subject,
    Target,
    Undirected,
}

impl Kind {
    /// The word that rows have for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Api => "api",
            Kind::Authentication => "authentication",
            Kind::Driver => "driver",
            Kind::File => "file",
            Kind::Host => "host",
            Kind::Library => "library",
            Kind::Network => "network",
            Kind::Process => "process",
            Kind::Registry => "registry",
            Kind::Actor => "actor",
            Kind::ActorAction => "actor_action",
            Kind::ActorImage => "actor_image",
            Kind::ActorSignature => "actor_signature",
            Kind::ActorToken => "actor_token",
            Kind::Categorized => "categorized",
            Kind::Created => "created",
            Kind::DeviceEvents => "device_events",
            Kind::FileFields => "file_fields",
            Kind::FileSignature => "file_signature",
            Kind::ImageLoad => "image_load",
            Kind::Inbound => "inbound",
            Kind::LogonEvents => "logon_events",
            Kind::NetworkUndirected => "network_undirected",
            Kind::NotAuthentication => "not_authentication",
            Kind::Outbound => "outbound",
            Kind::Subject => "subject",
            Kind::Target => "target",
            Kind::Undirected => "undirected",
        }
    }
}

/// A set of kinds: a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kinds(i64);

impl Kinds {
    /// The set that an argument is.
    pub(crate) fn of(args: &Args<'_, '_>, index: usize) -> Self {
        match args.value(index) {
            Value::Long(bits) => Self(bits),
            _ => Self::default(),
        }
    }

    /// The set as a value for functions.
    pub(crate) fn value<'r>(self) -> Value<'r> {
        Value::Long(self.0)
    }

    pub(crate) fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u32;
    }

    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }

    pub(crate) fn has_any(self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }
}
