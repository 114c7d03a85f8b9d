//! A client that asks for what it is told to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use defenderbeat_simulator::{EventHub, EventHubsOptions, Options, Simulator};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::link::{LinkStateError, ReceiverAttachError, RecvError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::{Error, ErrorCondition};
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, Properties, Source};
use fe2o3_amqp::types::primitives::{OrderedMap, SimpleValue, Symbol, Value};
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use hmac::{Hmac, KeyInit, Mac};
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use sha2::Sha256;

/// The name of a shared access signature's type.
pub(crate) const SAS: &str = "servicebus.windows.net:sastoken";

pub(crate) async fn start(event_hubs: EventHubsOptions) -> Simulator {
    Simulator::start(Options { event_hubs, ..Options::default() }).await.unwrap()
}

pub(crate) fn hub(simulator: &Simulator) -> &EventHub {
    simulator.event_hubs().hub("defender").unwrap()
}

/// A shared access signature for a resource, with the simulator's key.
pub(crate) fn signature(simulator: &Simulator, resource: &str, lifetime: Duration) -> String {
    let options = &simulator.options().event_hubs;
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expiry = (SystemTime::now() + lifetime).duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(options.key.as_bytes()).unwrap();
    mac.update(format!("{}\n{expiry}", encode(resource)).as_bytes());
    let signature = encode(&BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    format!("SharedAccessSignature sr={}&sig={signature}&se={expiry}&skn={}", encode(resource), options.key_name)
}

/// The condition of the error with which the server closed a link.
pub(crate) fn condition(error: RecvError) -> ErrorCondition {
    match error {
        RecvError::LinkStateError(LinkStateError::RemoteClosedWithError(Error { condition, .. })) => condition,
        other => panic!("{other}"),
    }
}

/// What is received of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) sequence: i64,
    pub(crate) offset: String,
    pub(crate) enqueued: i64,
    pub(crate) key: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(crate) struct Client {
    _connection: ConnectionHandle<()>,
    pub(crate) session: SessionHandle<()>,
    links: u32,
}

impl Client {
    /// A client without a token.
    pub(crate) async fn anonymous(simulator: &Simulator) -> Self {
        Self::with(simulator, SaslProfile::Anonymous).await.unwrap()
    }

    pub(crate) async fn with(
        simulator: &Simulator,
        profile: SaslProfile,
    ) -> Result<Self, fe2o3_amqp::connection::OpenError> {
        let mut connection = Connection::builder()
            .container_id("test")
            .sasl_profile(profile)
            .max_frame_size(65536)
            .open(&*simulator.event_hubs().url())
            .await?;
        let session = Session::begin(&mut connection).await.unwrap();
        Ok(Self { _connection: connection, session, links: 0 })
    }

    /// A client that has put a token for the event hub `defender`.
    pub(crate) async fn new(simulator: &Simulator) -> Self {
        let mut client = Self::anonymous(simulator).await;
        let resource = "sb://127.0.0.1/defender";
        let token = signature(simulator, resource, Duration::from_secs(3600));
        assert_eq!(client.put_token(resource, SAS, token).await.0, 202);
        client
    }

    /// Links of a session have names of their own.
    pub(crate) fn name(&mut self) -> String {
        self.links += 1;
        format!("link {}", self.links)
    }

    /// Status, description and body of the answer to a request.
    pub(crate) async fn request(
        &mut self,
        node: &str,
        properties: &[(&str, &str)],
        body: Value,
    ) -> (i32, String, Value) {
        let (name, reply_to) = (self.name(), self.name());
        let mut sender = Sender::attach(&mut self.session, &*name, node).await.unwrap();
        let mut receiver = Receiver::builder()
            .name(&*reply_to)
            .source(node)
            .target(&*reply_to)
            .attach(&mut self.session)
            .await
            .unwrap();
        let named = properties.iter().map(|(name, value)| ((*name).to_owned(), SimpleValue::String((*value).into())));
        let message = Message::builder()
            .properties(Properties::builder().message_id(7_u64).reply_to(reply_to).build())
            .application_properties(ApplicationProperties(named.collect()))
            .body(AmqpValue(body))
            .build();
        sender.send(message).await.unwrap().accepted_or("not accepted").unwrap();
        let delivery = receiver.recv::<Value>().await.unwrap();
        receiver.accept(&delivery).await.unwrap();
        let answer = delivery.into_message();
        assert_eq!(answer.properties.unwrap().correlation_id, Some(7_u64.into()));
        let properties = answer.application_properties.unwrap();
        let (Some(SimpleValue::Int(status)), Some(SimpleValue::String(description))) =
            (properties.get("status-code"), properties.get("status-description"))
        else {
            panic!("{properties:?}")
        };
        let answer = (*status, description.clone(), answer.body);
        sender.close().await.unwrap();
        receiver.close().await.unwrap();
        answer
    }

    pub(crate) async fn put_token(&mut self, resource: &str, kind: &str, token: String) -> (i32, String) {
        let properties = [("operation", "put-token"), ("type", kind), ("name", resource)];
        let (status, description, _) = self.request("$cbs", &properties, Value::String(token)).await;
        (status, description)
    }

    /// The facts on an event hub or partition; the status where there are none.
    pub(crate) async fn read(
        &mut self,
        kind: &str,
        hub: &str,
        partition: &str,
    ) -> Result<OrderedMap<Value, Value>, i32> {
        let properties = [("operation", "READ"), ("type", kind), ("name", hub), ("partition", partition)];
        match self.request("$management", &properties, Value::Null).await {
            (200, _, Value::Map(facts)) => Ok(facts),
            (status, ..) => Err(status),
        }
    }

    /// A receiver of a partition of `defender`, from a position on.
    pub(crate) async fn receiver(&mut self, partition: u32, position: &str) -> Receiver {
        let address = format!("defender/ConsumerGroups/$Default/Partitions/{partition}");
        self.attach(&address, Some(position), None, CreditMode::Auto(100)).await.unwrap()
    }

    /// The condition with which a receiver is refused.
    pub(crate) async fn refused(
        &mut self,
        address: &str,
        position: Option<&str>,
        epoch: Option<i64>,
    ) -> ErrorCondition {
        let mut receiver = self.attach(address, position, epoch, CreditMode::Auto(1)).await.unwrap();
        condition(next(&mut receiver).await.unwrap_err())
    }

    pub(crate) async fn attach(
        &mut self,
        address: &str,
        position: Option<&str>,
        epoch: Option<i64>,
        credit: CreditMode,
    ) -> Result<Receiver, ReceiverAttachError> {
        let mut source = Source::builder().address(address);
        if let Some(position) = position {
            let name = Symbol::from("apache.org:selector-filter:string");
            let described = Described {
                descriptor: Descriptor::Code(0x0000_468c_0000_0004),
                value: Value::String(format!("amqp.annotation.{position}")),
            };
            source = source.filter([(name, Value::Described(Box::new(described)))].into_iter().collect());
        }
        let properties = epoch.map(|epoch| (Symbol::from("com.microsoft:epoch"), Value::Long(epoch)));
        let name = self.name();
        Receiver::builder()
            .name(name)
            .source(source.build())
            .credit_mode(credit)
            .properties(properties.into_iter().collect())
            .attach(&mut self.session)
            .await
    }
}

/// The next message.
pub(crate) async fn next(receiver: &mut Receiver) -> Result<Received, RecvError> {
    let delivery = receiver.recv::<Body<Value>>().await?;
    receiver.accept(&delivery).await.unwrap();
    let message = delivery.into_message();
    let annotations = message.message_annotations.unwrap();
    let annotation = |name: &str| annotations.iter().find(|(key, _)| **key == name.into()).map(|(_, value)| value);
    let (Some(Value::Long(sequence)), Some(Value::String(offset)), Some(Value::Timestamp(enqueued))) =
        (annotation("x-opt-sequence-number"), annotation("x-opt-offset"), annotation("x-opt-enqueued-time"))
    else {
        panic!("{annotations:?}")
    };
    let key = annotation("x-opt-partition-key").map(|key| match key {
        Value::String(key) => key.clone(),
        other => panic!("{other:?}"),
    });
    let body = message.body.try_into_data().unwrap().flat_map(|data| data.into_vec()).collect();
    Ok(Received { sequence: *sequence, offset: offset.clone(), enqueued: enqueued.milliseconds(), key, body })
}
