//! A client's connection: its sessions, and which of its links are accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SessionAcceptor,
    SupportedReceiverSettleModes,
};
use fe2o3_amqp::types::definitions::{Error, Role};
use fe2o3_amqp::types::messaging::{Source, Target, TargetArchetype};
use fe2o3_amqp::types::performatives::Attach;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::frames::Complete;
use super::grants::{Access, Grants};
use super::hub::EventHub;
use super::links;
use super::namespace::Namespace;
use super::node::{self, Node};
use super::partition::Partition;
use super::position::Position;
use super::refusal::Refusal;
use super::request::{self, Answers, Service};
use super::sasl::Sasl;
use super::seats::Seat;
use crate::tenant::count;

/// A larger frame is split.
const FRAME: u32 = 64 * 1024;
/// Frames that wait to be sent, in a session and in a connection: they bound what a message of 1 MB costs.
const FRAMES: usize = 16;
/// As Event Hubs has it.
const CHANNELS: u16 = 4999;
/// Links of a session. Python's client needs a number.
const HANDLES: u32 = 255;
/// A larger message is not taken from a sender (Event Hubs quotas, standard tier).
const MESSAGE: u64 = 1024 * 1024;
/// Who does not answer a close within this time is left.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the links of a connection share.
pub(super) struct Connection {
    pub(super) namespace: Arc<Namespace>,
    pub(super) grants: Arc<Grants>,
    number: u64,
    delivered: AtomicU64,
}

/// What a link is attached to, once it may be.
enum Link {
    Requests(Service),
    Answers(Service, Option<String>),
    Receiver { partition: Arc<Partition>, next: u64, seat: Seat, path: String },
    HubSender(EventHub),
    PartitionSender(Arc<Partition>),
}

/// Serves a connection until either side ends it, or the simulator stops.
pub(super) async fn serve(stream: TcpStream, namespace: Arc<Namespace>, mut stopped: watch::Receiver<()>) {
    let number = count(&namespace.tally.connections);
    let Ok(stream) = register(stream, &namespace, number) else { return };
    let connection = Arc::new(Connection { namespace, grants: Arc::default(), number, delivered: AtomicU64::new(0) });
    tokio::select! {
        // An error says that the simulator was dropped.
        _ = stopped.changed() => {}
        () = accept(stream, &connection) => {}
    }
    connection.namespace.disconnected(number);
}

/// Keeps a second handle of the socket, with which the connection can be dropped.
fn register(stream: TcpStream, namespace: &Namespace, number: u64) -> std::io::Result<TcpStream> {
    // Where it fails, small frames wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let stream = stream.into_std()?;
    namespace.connected(number, stream.try_clone()?);
    TcpStream::from_std(stream)
}

async fn accept(stream: TcpStream, connection: &Arc<Connection>) {
    let acceptor = ConnectionAcceptor::builder()
        .container_id("defenderbeat-simulator")
        .max_frame_size(FRAME)
        .channel_max(CHANNELS)
        .buffer_size(FRAMES)
        .sasl_acceptor(Sasl { options: connection.namespace.options.clone(), grants: connection.grants.clone() })
        .build();
    let Ok(mut handle) = acceptor.accept(Complete::new(stream)).await else { return };
    let sessions = SessionAcceptor::builder().buffer_size(FRAMES).handle_max(HANDLES).build();
    while let Some(incoming) = handle.next_incoming_session().await {
        let Ok(session) = sessions.accept_incoming_session(incoming, &mut handle).await else { break };
        tokio::spawn(connection.clone().serve_session(session));
    }
    let _ = tokio::time::timeout(FAREWELL, handle.close()).await;
}

impl Connection {
    /// Counts a message, and drops the connection where that was the last before a fault.
    pub(super) fn has_delivered(&self) {
        let delivered = self.delivered.fetch_add(1, Ordering::Relaxed) + 1;
        if delivered == self.namespace.options.drop_connection_after {
            self.namespace.drop_connections(Some(self.number));
        }
    }

    async fn serve_session(self: Arc<Self>, mut session: ListenerSessionHandle) {
        let answers = Arc::new(Answers::default());
        while let Some(attach) = session.next_incoming_attach().await {
            match self.admit(&attach) {
                Ok(link) => self.clone().attach(attach, link, &mut session, &answers).await,
                Err(refusal) => {
                    count(&self.namespace.tally.refused);
                    refuse(attach, refusal, &mut session).await;
                }
            }
        }
    }

    /// Whether a link may be attached, and to what.
    fn admit(&self, attach: &Attach) -> Result<Link, Refusal> {
        let source = attach.source.as_deref().and_then(|source| source.address.as_deref());
        let target = match attach.target.as_deref() {
            Some(TargetArchetype::Target(target)) => target.address.as_deref(),
            _ => None,
        };
        let address = if attach.role == Role::Receiver { source } else { target }.unwrap_or_default();
        let unknown = || Refusal::not_found(&format!("sb://{}/{}", self.namespace.address, node::path(address)));
        let node = Node::parse(address).ok_or_else(unknown)?;
        match (node, &attach.role) {
            (Node::Cbs, Role::Sender) => Ok(Link::Requests(Service::Cbs)),
            (Node::Management, Role::Sender) => Ok(Link::Requests(Service::Management)),
            (Node::Cbs, Role::Receiver) => Ok(Link::Answers(Service::Cbs, target.map(str::to_owned))),
            (Node::Management, Role::Receiver) => Ok(Link::Answers(Service::Management, target.map(str::to_owned))),
            (Node::Receiver { hub, group, partition }, Role::Receiver) => {
                self.check(address)?;
                if !self.namespace.hub(hub)?.has_group(group) {
                    return Err(unknown());
                }
                let partition = self.namespace.partition(hub, partition)?;
                let source = attach.source.as_deref().ok_or_else(unknown)?;
                let next = partition.find(Position::of(source)?);
                let seat = partition.seats.take(group, epoch(attach)?)?;
                Ok(Link::Receiver { partition, next, seat, path: node::path(address).to_owned() })
            }
            (Node::Sender { hub, partition: Some(partition) }, Role::Sender) => {
                self.check(address)?;
                self.namespace.partition(hub, partition).map(Link::PartitionSender)
            }
            (Node::Sender { hub, partition: None }, Role::Sender) => {
                self.check(address)?;
                self.namespace.hub(hub).cloned().map(Link::HubSender)
            }
            _ => Err(unknown()),
        }
    }

    /// Access to an event hub, and faults of its links.
    fn check(&self, address: &str) -> Result<(), Refusal> {
        let namespace = &self.namespace;
        let number = namespace.tally.links.load(Ordering::Relaxed) + namespace.tally.refused.load(Ordering::Relaxed);
        if namespace.fails("hub-link", namespace.options.links_refused, number) {
            return Err(Refusal::busy());
        }
        match self.grants.access(Some(node::path(address))) {
            Access::None => Err(Refusal::unauthorized(format!(
                "Unauthorized access. 'Listen' or 'Send' claim is required for '{address}'."
            ))),
            _ => Ok(()),
        }
    }

    async fn attach(
        self: Arc<Self>,
        attach: Attach,
        link: Link,
        session: &mut ListenerSessionHandle,
        answers: &Arc<Answers>,
    ) {
        // Before the link is accepted: an answer may be needed at once.
        let answers = answers.clone();
        let routed = match &link {
            Link::Answers(service, target) => Some(answers.route(*service, target.clone())),
            _ => None,
        };
        let Ok(endpoint) = acceptor(&attach.role).accept_incoming_attach(attach, session).await else { return };
        if !matches!(link, Link::Requests(_) | Link::Answers(..)) {
            count(&self.namespace.tally.links);
        }
        match (endpoint, link) {
            (LinkEndpoint::Sender(sender), Link::Receiver { partition, next, seat, path }) => {
                tokio::spawn(async move { links::deliver(sender, seat, &partition, next, &self, &path).await });
            }
            (LinkEndpoint::Sender(sender), _) => {
                if let Some(routed) = routed {
                    tokio::spawn(request::send_answers(sender, routed));
                }
            }
            (LinkEndpoint::Receiver(receiver), Link::Requests(service)) => {
                tokio::spawn(async move { request::answer_all(receiver, service, &self, &answers).await });
            }
            (LinkEndpoint::Receiver(receiver), Link::HubSender(hub)) => {
                tokio::spawn(async move {
                    links::collect(receiver, &self, |message, key| hub.distribute(message, key)).await;
                });
            }
            (LinkEndpoint::Receiver(receiver), Link::PartitionSender(partition)) => {
                tokio::spawn(async move {
                    links::collect(receiver, &self, |message, _| {
                        partition.push(message);
                    })
                    .await;
                });
            }
            (LinkEndpoint::Receiver(_), Link::Receiver { .. } | Link::Answers(..)) => {}
        }
    }
}

/// Makes a node that a client wants to be made; none are.
type Dynamic<T> = fn(T) -> Option<T>;

/// Accepts links. What is accepted is settled at once, as Event Hubs does, whatever a sender would like.
fn acceptor(role: &Role) -> LinkAcceptor<Dynamic<Source>, Dynamic<Target>> {
    LinkAcceptor::builder()
        .supported_receiver_settle_modes(SupportedReceiverSettleModes::First)
        // 0 is no limit: what a receiver gets may have come with the options.
        .max_message_size(if *role == Role::Sender { MESSAGE } else { 0 })
        .verify_incoming_source(false)
        .verify_incoming_target(false)
        .build()
}

/// Refuses a link: it is attached, and closed with the reason. AMQP (2.6.3) would have it attached without a terminus; then
/// clients close it themselves, and where that comes first, the AMQP library answers without the reason.
async fn refuse(attach: Attach, refusal: Refusal, session: &mut ListenerSessionHandle) {
    let Ok(endpoint) = acceptor(&attach.role).accept_incoming_attach(attach, session).await else { return };
    tokio::spawn(async move {
        let error = Error::from(refusal);
        let closed = async {
            match endpoint {
                LinkEndpoint::Sender(sender) => sender.close_with_error(error).await,
                LinkEndpoint::Receiver(receiver) => receiver.close_with_error(error).await,
            }
        };
        // The client may be gone already.
        let _ = tokio::time::timeout(FAREWELL, closed).await;
    });
}

/// The epoch with which a receiver attaches.
fn epoch(attach: &Attach) -> Result<Option<i64>, Refusal> {
    let value = attach.properties.as_ref().and_then(|properties| properties.get(&Symbol::from("com.microsoft:epoch")));
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Long(epoch)) => Ok(Some(*epoch)),
        Some(Value::Int(epoch)) => Ok(Some((*epoch).into())),
        Some(Value::Uint(epoch)) => Ok(Some((*epoch).into())),
        Some(Value::Ulong(epoch)) => Ok(Some(i64::try_from(*epoch).unwrap_or(i64::MAX))),
        Some(_) => Err(Refusal::invalid("com.microsoft:epoch is no integer.")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{Ipv4Addr, SocketAddr};

    use fe2o3_amqp::types::definitions::{AmqpError, ErrorCondition, LinkError};

    use super::*;
    use crate::event_hubs::options::EventHubsOptions;
    use crate::options::Options;
    use crate::tenant::Tenant;

    const ADDRESS: &str = "defender/ConsumerGroups/$Default/Partitions/0";

    /// A connection with access to all.
    fn connection(event_hubs: EventHubsOptions) -> Connection {
        let tenant = Arc::new(Tenant::new(Options { event_hubs, ..Options::default() }, String::new()));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5672));
        let grants = Arc::new(Grants::default());
        grants.add("", None);
        Connection {
            namespace: Arc::new(Namespace::new(tenant, address)),
            grants,
            number: 0,
            delivered: AtomicU64::new(0),
        }
    }

    fn attach(role: Role, address: &str, epoch: Option<i64>) -> Attach {
        let epoch = epoch.map(|epoch| (Symbol::from("com.microsoft:epoch"), Value::Long(epoch)));
        Attach {
            name: "link".into(),
            handle: 0.into(),
            role,
            snd_settle_mode: Default::default(),
            rcv_settle_mode: Default::default(),
            source: Some(Box::new(Source::builder().address(address).build())),
            target: Some(Box::new(Target::builder().address(address).build().into())),
            unsettled: None,
            incomplete_unsettled: false,
            initial_delivery_count: None,
            max_message_size: None,
            offered_capabilities: None,
            desired_capabilities: None,
            properties: Some(epoch.into_iter().collect()),
        }
    }

    /// The condition with which a link is refused.
    fn refused(connection: &Connection, role: Role, address: &str, epoch: Option<i64>) -> Option<ErrorCondition> {
        connection.admit(&attach(role, address, epoch)).err().map(|refusal| refusal.condition)
    }

    #[test]
    fn what_does_not_exist_is_not_found() {
        let connection = connection(EventHubsOptions::default());
        for address in [
            "defender/ConsumerGroups/other/Partitions/0",
            "defender/ConsumerGroups/$Default/Partitions/4",
            "other/ConsumerGroups/$Default/Partitions/0",
            "defender/Subscriptions/a",
            "defender",
        ] {
            let found = refused(&connection, Role::Receiver, address, None);
            assert_eq!(found, Some(AmqpError::NotFound.into()), "{address}");
        }
        for address in ["other", "defender/Partitions/4", ADDRESS] {
            let found = refused(&connection, Role::Sender, address, None);
            assert_eq!(found, Some(AmqpError::NotFound.into()), "{address}");
        }
        assert_eq!(refused(&connection, Role::Receiver, ADDRESS, None), None);
        assert_eq!(refused(&connection, Role::Sender, "defender", None), None);
    }

    #[test]
    fn without_access_links_are_refused() {
        let connection = Connection { grants: Arc::default(), ..connection(EventHubsOptions::default()) };
        for (role, address) in
            [(Role::Receiver, ADDRESS), (Role::Sender, "defender"), (Role::Sender, "defender/Partitions/0")]
        {
            let found = refused(&connection, role, address, None);
            assert_eq!(found, Some(AmqpError::UnauthorizedAccess.into()), "{address}");
        }
        assert_eq!(refused(&connection, Role::Sender, "$cbs", None), None);
    }

    #[test]
    fn a_lower_epoch_is_refused() {
        let connection = connection(EventHubsOptions::default());
        let _highest = connection.admit(&attach(Role::Receiver, ADDRESS, Some(2))).ok().unwrap();
        for epoch in [Some(1), None] {
            let found = refused(&connection, Role::Receiver, ADDRESS, epoch);
            assert_eq!(found, Some(LinkError::Stolen.into()), "{epoch:?}");
        }
        assert_eq!(refused(&connection, Role::Receiver, ADDRESS, Some(2)), None);
    }

    #[test]
    fn links_are_refused_at_their_rate() {
        let connection = connection(EventHubsOptions { links_refused: 0.5, ..EventHubsOptions::default() });
        let mut counts = BTreeMap::new();
        for _ in 0..1000 {
            let condition = refused(&connection, Role::Sender, "defender", None);
            count(if condition.is_some() {
                &connection.namespace.tally.refused
            } else {
                &connection.namespace.tally.links
            });
            *counts.entry(condition.map(|condition| format!("{condition:?}"))).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 2);
        assert!(counts.into_values().all(|count| (400..=600).contains(&count)));
    }
}
