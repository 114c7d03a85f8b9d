//! Looks whether event hubs can be read, and takes nothing.

use super::address::expand;
use super::connection::{Connector, close};
use super::error::{Error, Fault};
use super::{Client, EventHubSettings, container, root};

/// An event hub that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub eventhub: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// How many of them have messages.
    pub filled: usize,
}

/// Connects to each event hub of an input and asks for its partitions, and lists the container for checkpoints where there is
/// one. Receives no message, and writes neither ownership nor checkpoints.
///
/// # Errors
///
/// What cannot be reached, is refused or not there, and what to check.
pub async fn probe(settings: &EventHubSettings) -> Result<Vec<Found>, Error> {
    settings.check()?;
    let client = Client::new(&settings.http(), &root(settings)?)?;
    let connector = Connector::new(settings, &client)?;
    let mut found = Vec::new();
    for entry in &settings.eventhub {
        if settings.account()?.is_some()
            && let Some(container) = container(settings, entry, &client, connector.storage())?
        {
            container.list(&connector.address.namespace).await?;
        }
        let before = found.len();
        for eventhub in expand(entry) {
            match ask(&connector, &eventhub).await {
                Ok(hub) => found.push(hub),
                Err(error) if error.fault() == Fault::Missing && entry.contains('*') => {}
                Err(error) => return Err(error),
            }
        }
        if found.len() == before {
            return Err(Error::NoHub(entry.clone(), connector.address.namespace.clone()));
        }
    }
    Ok(found)
}

async fn ask(connector: &Connector, eventhub: &str) -> Result<Found, Error> {
    let client = connector.open(eventhub).await?;
    let asked = async {
        let partitions = client.get_eventhub_properties().await?.partition_ids;
        let mut filled = 0;
        for partition in &partitions {
            filled += usize::from(!client.get_partition_properties(partition).await?.is_empty);
        }
        Ok(Found { eventhub: eventhub.to_owned(), partitions: partitions.len(), filled })
    };
    let asked =
        asked.await.map_err(|error| Error::of(format!("asking for the partitions of event hub {eventhub}"), &error));
    close(client).await;
    asked
}
