//! Requests and answers: `$cbs` takes tokens, `$management` knows event hubs and partitions.
//!
//! A client attaches a sender and a receiver to the node; an answer goes to the receiver whose target is the request's
//! reply-to, or, where there is none, to the session's last receiver of the node.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, Properties};
use fe2o3_amqp::types::primitives::{Array, OrderedMap, SimpleValue, Timestamp, Value};
use fe2o3_amqp::{Receiver, Sender};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::grants::{self, Access};
use super::namespace::Namespace;
use super::node;
use super::refusal::Refusal;
use crate::tenant::count;
use crate::token::Audience;

const EVENT_HUB: &str = "com.microsoft:eventhub";
const PARTITION: &str = "com.microsoft:partition";

type Request = Message<Body<Value>>;
/// An answer.
pub(super) type Answer = Message<AmqpValue<Value>>;

/// A node that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Cbs,
    Management,
}

/// Where answers go, in one session.
#[derive(Default)]
pub(super) struct Answers(Mutex<Vec<Route>>);

struct Route {
    service: Service,
    /// Address of the receiver's target.
    target: Option<String>,
    answers: mpsc::UnboundedSender<Answer>,
}

impl Answers {
    /// Answers of a node for a receiver with this target.
    pub(super) fn route(&self, service: Service, target: Option<String>) -> mpsc::UnboundedReceiver<Answer> {
        let (answers, received) = mpsc::unbounded_channel();
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|route| !route.answers.is_closed());
        routes.push(Route { service, target, answers });
        received
    }

    fn send(&self, service: Service, reply_to: Option<&String>, answer: Answer) {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = routes.iter().rev().filter(|route| route.service == service && !route.answers.is_closed());
        let addressed = open.clone().find(|route| reply_to.is_some() && route.target.as_ref() == reply_to);
        if let Some(route) = addressed.or_else(|| open.next()) {
            // Who closed the receiver wants no answer.
            let _ = route.answers.send(answer);
        }
    }
}

/// Answers what comes from a client's sender.
pub(super) async fn answer_all(mut requests: Receiver, service: Service, connection: &Connection, answers: &Answers) {
    while let Ok(delivery) = requests.recv::<Body<Value>>().await {
        if requests.accept(&delivery).await.is_err() {
            return;
        }
        let request = delivery.into_message();
        let result = match service {
            Service::Cbs => put_token(connection, &request),
            Service::Management => read(connection, &request),
        };
        let properties = request.properties.unwrap_or_default();
        let mut answer = match result {
            Ok((status, value)) => answer(status, "OK", value),
            Err(refusal) => {
                let mut answer = answer(refusal.status, &refusal.description, Value::Null);
                let named = answer.application_properties.get_or_insert_default();
                named.insert("error-condition".to_owned(), SimpleValue::Symbol(refusal.name()));
                answer
            }
        };
        answer.properties = Some(Properties { correlation_id: properties.message_id, ..Properties::new() });
        answers.send(service, properties.reply_to.as_ref(), answer);
    }
}

/// Sends answers to a client's receiver.
pub(super) async fn send_answers(mut sender: Sender, mut answers: mpsc::UnboundedReceiver<Answer>) {
    loop {
        let answer = tokio::select! {
            answer = answers.recv() => answer,
            _ = sender.on_detach() => None,
        };
        let Some(answer) = answer else { return };
        if sender.send_batchable(answer).await.is_err() {
            return;
        }
    }
}

fn answer(status: i32, description: &str, value: Value) -> Answer {
    let named = ApplicationProperties::builder().insert("status-code", status);
    Message::builder()
        .application_properties(named.insert("status-description", description.to_owned()).build())
        .body(AmqpValue(value))
        .build()
}

/// A property of a request, which some clients send as bytes.
fn property(request: &Request, name: &str) -> Result<String, Refusal> {
    match request.application_properties.as_ref().and_then(|properties| properties.get(name)) {
        Some(SimpleValue::String(text)) => Ok(text.clone()),
        Some(SimpleValue::Symbol(text)) => Ok(text.as_str().to_owned()),
        Some(SimpleValue::Binary(bytes)) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        _ => Err(Refusal::invalid(format!("The request has no application property '{name}'."))),
    }
}

fn put_token(connection: &Connection, request: &Request) -> Result<(i32, Value), Refusal> {
    let namespace = &connection.namespace;
    let result = accept_token(connection, request);
    count(if result.is_ok() { &namespace.tally.tokens } else { &namespace.tally.unauthorized });
    result.map(|()| (202, Value::Null))
}

fn accept_token(connection: &Connection, request: &Request) -> Result<(), Refusal> {
    let namespace = &connection.namespace;
    let (resource, operation) = (property(request, "name")?, property(request, "operation")?);
    if operation != "put-token" {
        return Err(Refusal::invalid(format!("'{operation}' is no operation of $cbs.")));
    }
    let token = match &request.body {
        Body::Value(AmqpValue(Value::String(token))) => token.clone(),
        _ => return Err(Refusal::invalid("The body of put-token is no text.")),
    };
    let tally = &namespace.tally;
    let number = tally.tokens.load(Ordering::Relaxed) + tally.unauthorized.load(Ordering::Relaxed);
    if namespace.fails("hub-token", namespace.options.tokens_refused, number) {
        return Err(Refusal::unauthorized(
            "Unauthorized access. 'Listen' claim is required to perform this operation.",
        ));
    }
    let until = match &*property(request, "type")? {
        "jwt" => {
            let until = namespace.tenant.tokens.until(&token, Audience::EventHubs);
            until.ok().filter(|until| *until > Instant::now())
        }
        _ => Some(grants::check(&token, &resource, &namespace.options)?),
    };
    let until =
        until.ok_or_else(|| Refusal::unauthorized("InvalidToken: The token was not issued here, or has expired."))?;
    let path = node::path(&resource);
    let hub = path.split('/').next().unwrap_or_default();
    if !hub.is_empty() && !hub.starts_with('$') {
        namespace.hub(hub)?;
    }
    connection.grants.add(path, Some(until));
    Ok(())
}

fn read(connection: &Connection, request: &Request) -> Result<(i32, Value), Refusal> {
    let namespace = &connection.namespace;
    if connection.grants.access(None) == Access::None {
        return Err(Refusal::unauthorized("Unauthorized access. No token was put to $cbs."));
    }
    let (kind, name) = (property(request, "type")?, property(request, "name")?);
    let facts = match &*kind {
        EVENT_HUB => hub_facts(namespace, &name)?,
        PARTITION => partition_facts(namespace, &name, &property(request, "partition")?)?,
        _ => return Err(Refusal::invalid(format!("'{kind}' is no type of $management."))),
    };
    let facts: OrderedMap<Value, Value> =
        facts.into_iter().map(|(name, value)| (Value::String(name.to_owned()), value)).collect();
    Ok((200, Value::Map(facts)))
}

fn hub_facts(namespace: &Namespace, name: &str) -> Result<Vec<(&'static str, Value)>, Refusal> {
    let hub = namespace.hub(name)?;
    let ids: Vec<Value> = hub.ids().into_iter().map(Value::String).collect();
    Ok(vec![
        ("name", hub.name().into()),
        ("type", EVENT_HUB.into()),
        ("created_at", Value::Timestamp(Timestamp::from_milliseconds(hub.created()))),
        // How many regions have a copy; Go's client insists on it.
        ("georeplication_factor", Value::Int(1)),
        ("partition_count", Value::Int(i32::try_from(hub.partitions()).unwrap_or(i32::MAX))),
        ("partition_ids", Value::Array(Array::from(ids))),
    ])
}

fn partition_facts(namespace: &Namespace, name: &str, id: &str) -> Result<Vec<(&'static str, Value)>, Refusal> {
    let hub = namespace.hub(name)?;
    let partition = namespace.partition(name, id)?;
    let last = partition.last();
    // An empty partition has these numbers and the earliest time.
    let sequence = last.map_or(-1, |last| i64::try_from(last.sequence).unwrap_or(i64::MAX));
    Ok(vec![
        ("name", hub.name().into()),
        ("type", PARTITION.into()),
        ("partition", id.into()),
        ("begin_sequence_number", Value::Long(0)),
        ("last_enqueued_sequence_number", Value::Long(sequence)),
        ("last_enqueued_sequence_number_epoch", Value::Long(-1)),
        ("last_enqueued_offset", Value::String(last.map_or_else(|| "-1".to_owned(), |last| last.offset()))),
        (
            "last_enqueued_time_utc",
            Value::Timestamp(Timestamp::from_milliseconds(last.map_or(0, |last| last.enqueued))),
        ),
        ("is_partition_empty", Value::Bool(last.is_none())),
    ])
}
