//! Addresses of nodes: what a link is attached to.

/// A node of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// Tokens are put here.
    Cbs,
    /// Facts on event hubs and partitions are asked for here.
    Management,
    /// An event hub, or one of its partitions, to send to.
    Sender { hub: &'a str, partition: Option<&'a str> },
    /// A partition, to receive from as a member of a consumer group.
    Receiver { hub: &'a str, group: &'a str, partition: &'a str },
}

/// The path of an address, which may be a URL. Names of entities are compared without regard to case.
pub(super) fn path(address: &str) -> &str {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.trim_matches('/')
}

impl<'a> Node<'a> {
    /// None: there is no such kind of node.
    pub(super) fn parse(address: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path(address).split('/').collect();
        let is = |segment: &str, name: &str| segment.eq_ignore_ascii_case(name);
        match *segments.as_slice() {
            [cbs] if is(cbs, "$cbs") => Some(Self::Cbs),
            [management] | [_, management] if is(management, "$management") => Some(Self::Management),
            [hub] if !hub.is_empty() => Some(Self::Sender { hub, partition: None }),
            [hub, partitions, partition] if is(partitions, "Partitions") => {
                Some(Self::Sender { hub, partition: Some(partition) })
            }
            [hub, groups, group, partitions, partition]
                if is(groups, "ConsumerGroups") && is(partitions, "Partitions") =>
            {
                Some(Self::Receiver { hub, group, partition })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_or_urls() {
        let receiver = Some(Node::Receiver { hub: "hub", group: "$Default", partition: "3" });
        assert_eq!(Node::parse("hub/ConsumerGroups/$Default/Partitions/3"), receiver);
        assert_eq!(Node::parse("/hub/consumergroups/$Default/partitions/3/"), receiver);
        assert_eq!(Node::parse("amqps://127.0.0.1:5672/hub/ConsumerGroups/$Default/Partitions/3"), receiver);
        assert_eq!(Node::parse("amqps://host/hub"), Some(Node::Sender { hub: "hub", partition: None }));
        assert_eq!(Node::parse("hub/Partitions/0"), Some(Node::Sender { hub: "hub", partition: Some("0") }));
        assert_eq!(Node::parse("$cbs"), Some(Node::Cbs));
        assert_eq!(Node::parse("hub/$management"), Some(Node::Management));
        for none in ["", "amqps://host", "hub/Queues/1", "hub/ConsumerGroups/$Default"] {
            assert_eq!(Node::parse(none), None, "{none}");
        }
    }
}
