//! Lines of JSON in the Elastic Common Schema, as Beats write them
//! (<https://www.elastic.co/docs/reference/ecs/logging/intro>).

use std::fmt::Debug;
use std::io::Write as _;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};

use super::module;

/// Version of the schema, as that of documents.
const ECS_VERSION: &str = "8.17.0";

/// Writes events as lines.
pub(super) struct Ecs<W>(W);

impl<W> Ecs<W> {
    pub(super) fn new(writer: W) -> Self {
        Self(writer)
    }
}

impl<S, W> Layer<S> for Ecs<W>
where
    S: Subscriber,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut line = line(&time, event).to_string();
        line.push('\n');
        // There is nowhere to say that the log cannot be written.
        let _ = self.0.make_writer().write_all(line.as_bytes());
    }
}

fn line(time: &str, event: &Event<'_>) -> Json {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let metadata = event.metadata();
    let level = match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    };
    let Fields { message, error, others } = fields;
    let mut line = json!({
        "@timestamp": time,
        "log.level": level,
        "log.logger": module(metadata.target()),
        "message": message,
        "service.name": "defenderbeat",
        "ecs.version": ECS_VERSION,
    });
    if let Some(line) = line.as_object_mut() {
        if let Some(error) = error {
            line.insert("error.message".to_owned(), error);
        }
        // What ECS has no field for is under the program's own name.
        if !others.is_empty() {
            line.insert("defenderbeat".to_owned(), others.into());
        }
    }
    line
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: Json,
    error: Option<Json>,
    others: Map<String, Json>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Json) {
        match field.name() {
            "message" => self.message = value,
            "error" => self.error = Some(value),
            name => _ = self.others.insert(name.to_owned(), value),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn an_event_is_a_line_of_ecs() {
        let kept = Kept::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Ecs::new(kept.clone())), || {
            let error = io::Error::other("no\nanswer");
            tracing::warn!(target: "defenderbeat_collector::http", input = "contoso", wait_ms = 5_u64, %error, "tried {} times", 3);
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let mut line: Json = serde_json::from_str(&text).unwrap();
        let time = line.as_object_mut().unwrap().remove("@timestamp").unwrap();
        chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap();
        assert_eq!(
            line,
            json!({
                "log.level": "warn",
                "log.logger": "http",
                "message": "tried 3 times",
                "error.message": "no\nanswer",
                "service.name": "defenderbeat",
                "ecs.version": ECS_VERSION,
                "defenderbeat": {"input": "contoso", "wait_ms": 5},
            })
        );
    }
}
