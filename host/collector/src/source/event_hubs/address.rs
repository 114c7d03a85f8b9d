//! Where event hubs are: the namespace, the way there, and the names of hubs.

use azure_messaging_eventhubs::ConnectionString;
use url::Url;

use super::settings::{EventHubSettings, is_loopback};
use crate::http::{Error, Secret};

/// Where a namespace is.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Its fully qualified name, which begins the names of checkpoints.
    pub(super) namespace: String,
    /// The hub that a connection string is for.
    entity: Option<String>,
    /// Where to connect to instead.
    pub(super) endpoint: Option<Url>,
}

impl Address {
    /// Reads it from the options.
    pub(super) fn of(settings: &EventHubSettings) -> Result<Self, Error> {
        let mut address = if settings.by_connection_string() {
            Self::of_connection_string(settings)?
        } else {
            let name = settings.eventhub_namespace.trim();
            let option = "eventhub_namespace";
            if name.is_empty() {
                return Err(Error::Settings { option, message: "is missing: name the namespace".into() });
            }
            // Only a name that has a domain can be reached; filebeat too wants all of it.
            if name.contains([':', '/', ' ']) || !name.contains('.') {
                let message = "must be a name such as contoso.servicebus.windows.net".into();
                return Err(Error::Settings { option, message });
            }
            Self { namespace: name.to_owned(), entity: None, endpoint: None }
        };
        if !settings.custom_endpoint.is_empty() {
            address.endpoint = Some(endpoint(&settings.custom_endpoint)?);
        }
        Ok(address)
    }

    fn of_connection_string(settings: &EventHubSettings) -> Result<Self, Error> {
        let option = "connection_string";
        let wrong = |message: String| Error::Settings { option, message };
        let text = settings.connection_string.as_ref().map(Secret::expose).unwrap_or_default();
        if text.trim().is_empty() {
            return Err(wrong("is missing: auth_type connection_string wants it".into()));
        }
        // No message of the parser repeats what it has read but names of keys.
        let parsed: ConnectionString =
            text.parse().map_err(|error: azure_core::Error| wrong(format!("cannot be used: {error}")))?;
        let emulator = text.split(';').filter_map(|part| part.split_once('=')).any(|(key, value)| {
            key.trim().eq_ignore_ascii_case("UseDevelopmentEmulator") && value.trim().eq_ignore_ascii_case("true")
        });
        let endpoint = if emulator {
            let url = Url::parse(&parsed.endpoint).map_err(|error| wrong(format!("has no valid Endpoint: {error}")))?;
            if !is_loopback(&url) {
                let message = "is for an emulator, without TLS, and that is accepted on loopback only";
                return Err(wrong(message.into()));
            }
            let host = url.host_str().unwrap_or_default();
            // The emulator's port where none is written.
            let port = url.port().unwrap_or(5672);
            let url = format!("amqp://{host}:{port}");
            Some(Url::parse(&url).map_err(|error| wrong(format!("has no valid Endpoint: {error}")))?)
        } else {
            None
        };
        Ok(Self { namespace: parsed.fully_qualified_namespace, entity: parsed.entity_path, endpoint })
    }

    /// Refuses a hub that the connection string is not for.
    pub(super) fn check_entity(&self, eventhub: &str) -> Result<(), Error> {
        let option = "eventhub";
        if eventhub.is_empty() || eventhub.contains(['/', ' ', '*', '?', '#']) {
            return Err(Error::Settings { option, message: format!("has no valid name: {eventhub:?}") });
        }
        match &self.entity {
            Some(entity) if entity != eventhub => {
                let message = format!(
                    "is {eventhub}, and connection_string is for {entity} (EntityPath) only: name that, or take the connection string of the namespace"
                );
                Err(Error::Settings { option, message })
            }
            _ => Ok(()),
        }
    }
}

fn endpoint(text: &str) -> Result<Url, Error> {
    let option = "custom_endpoint";
    let wrong = |message: &str| Error::Settings { option, message: message.into() };
    let url = Url::parse(text).map_err(|error| wrong(&format!("is no address: {error}")))?;
    if url.host_str().is_none_or(str::is_empty) || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must be an address such as amqps://gateway.example.com:5671, without credentials"));
    }
    match url.scheme() {
        "amqps" => Ok(url),
        "amqp" if is_loopback(&url) => Ok(url),
        "amqp" => Err(wrong("must be amqps: records do not travel in the clear (amqp is accepted on loopback only)")),
        _ => Err(wrong("must be amqps, such as amqps://gateway.example.com:5671")),
    }
}

/// The hubs that an entry of `eventhub` stands for.
pub(super) fn expand(entry: &str) -> Vec<String> {
    if entry.contains('*') {
        TABLES.iter().map(|table| entry.replace('*', table)).collect()
    } else {
        vec![entry.to_owned()]
    }
}

/// Names of advanced-hunting tables as hubs of their own have them
/// (<https://learn.microsoft.com/defender-xdr/supported-event-types>).
const TABLES: [&str; 30] = [
    "alertevidence",
    "alertinfo",
    "behaviorentities",
    "behaviorinfo",
    "cloudappevents",
    "cloudauditevents",
    "cloudprocessevents",
    "cloudstorageaggregatedevents",
    "deviceevents",
    "devicefilecertificateinfo",
    "devicefileevents",
    "deviceimageloadevents",
    "deviceinfo",
    "devicelogonevents",
    "devicenetworkevents",
    "devicenetworkinfo",
    "deviceprocessevents",
    "deviceregistryevents",
    "emailattachmentinfo",
    "emailevents",
    "emailpostdeliveryevents",
    "emailurlinfo",
    "identitydirectoryevents",
    "identityinfo",
    "identitylogonevents",
    "identityqueryevents",
    "messageevents",
    "messagepostdeliveryevents",
    "messageurlinfo",
    "urlclickevents",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn address(connection_string: &str, custom_endpoint: &str) -> Result<Address, String> {
        let settings = EventHubSettings {
            connection_string: Some(Secret::new(connection_string)),
            custom_endpoint: custom_endpoint.into(),
            ..EventHubSettings::default()
        };
        Address::of(&settings).map_err(|error| error.to_string())
    }

    const NAMESPACE: &str =
        "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0";

    #[test]
    fn a_connection_string_says_where_and_for_which_hub() {
        let all = address(NAMESPACE, "").unwrap();
        assert_eq!((all.namespace.as_str(), &all.endpoint), ("contoso.servicebus.windows.net", &None));
        all.check_entity("any").unwrap();
        let one = address(&format!("{NAMESPACE};EntityPath=events"), "").unwrap();
        one.check_entity("events").unwrap();
        let error = one.check_entity("others").unwrap_err().to_string();
        assert!(error.contains("EntityPath") && error.contains("events"), "{error}");
        address("Endpoint=sb://a.example.com/;SharedAccessSignature=SharedAccessSignature sr=x&sig=y", "").unwrap();
        for wrong in ["", "nonsense", "Endpoint=sb://a.example.com/", "SharedAccessKeyName=a;SharedAccessKey=c2VjcmV0"]
        {
            let error = address(wrong, "").unwrap_err();
            assert!(error.contains("connection_string") && !error.contains("c2VjcmV0"), "{error}");
        }
    }

    #[test]
    fn an_emulator_is_spoken_to_without_tls_on_loopback_only() {
        let emulator = |host: &str| {
            address(
                &format!("Endpoint=sb://{host};SharedAccessKeyName=k;SharedAccessKey=v;UseDevelopmentEmulator=true;"),
                "",
            )
        };
        for (host, endpoint) in [("localhost", "amqp://localhost:5672"), ("127.0.0.1:9999", "amqp://127.0.0.1:9999")] {
            assert_eq!(emulator(host).unwrap().endpoint.unwrap().as_str(), endpoint);
        }
        assert!(emulator("emulator.example.com").unwrap_err().contains("loopback"));
    }

    #[test]
    fn records_do_not_travel_in_the_clear() {
        for (endpoint, accepted) in [
            ("amqps://gateway.example.com:5671", true),
            ("amqp://127.0.0.1:5672", true),
            ("amqp://localhost", true),
            ("amqp://gateway.example.com", false),
            ("https://gateway.example.com", false),
            ("amqps://user:password@gateway.example.com", false),
            ("gateway", false),
        ] {
            assert_eq!(address(NAMESPACE, endpoint).is_ok(), accepted, "{endpoint}");
        }
    }

    #[test]
    fn a_star_stands_for_every_table() {
        let hubs = expand("insights-logs-advancedhunting-*");
        assert_eq!(hubs.len(), 30);
        assert!(hubs.contains(&"insights-logs-advancedhunting-deviceprocessevents".to_owned()));
        assert_eq!(expand("events"), ["events"]);
    }
}
