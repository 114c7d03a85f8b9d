//! What is mapped.

use std::sync::{Arc, LazyLock};

use defenderbeat_collector::lookup::{Data, Geoip};
use defenderbeat_runtime::Bytes;
use defenderbeat_simulator::{AlertOptions, EventOptions, Table, alerts, events, incidents};
use maxminddb::geoip2::{Asn, City, Names, city, country};
use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;

/// Bytes of a batch, as the collector hands them over.
const BATCH: usize = 1 << 20;

/// Records of a feed, in batches.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    pub(crate) component: &'static str,
    pub(crate) feed: &'static str,
    pub(crate) records: usize,
    pub(crate) batches: Vec<Bytes>,
}

impl Corpus {
    /// Alerts with evidence of all kinds.
    pub(crate) fn alerts(count: usize) -> Self {
        let options = AlertOptions { count, now: Some(chrono::DateTime::UNIX_EPOCH), ..AlertOptions::default() };
        Self::new("alerts", "alert", "alerts", alerts(&options).unwrap())
    }

    /// The same alerts in incidents of twenty; counted as alerts, each of which becomes a document.
    pub(crate) fn incidents(count: usize) -> Self {
        let options = AlertOptions {
            count,
            now: Some(chrono::DateTime::UNIX_EPOCH),
            alerts_per_incident: 20,
            ..AlertOptions::default()
        };
        let corpus = Self::new("alerts in incidents", "incident", "incidents", incidents(&options).unwrap());
        Self { records: count, ..corpus }
    }

    /// Events of these tables; of all tables, in the proportions of a tenant, where none is named.
    pub(crate) fn events(count: u64, tables: &[Table]) -> Self {
        let options = EventOptions { count: Some(count), tables: tables.to_vec(), ..EventOptions::default() };
        Self::new("events", "event", "events", events(&options).map(String::into_bytes))
    }

    fn new(
        name: &'static str,
        component: &'static str,
        feed: &'static str,
        records: impl Iterator<Item = Vec<u8>>,
    ) -> Self {
        let mut batches = vec![Vec::new()];
        let mut count = 0;
        for record in records {
            if batches.last().is_some_and(|batch: &Vec<u8>| batch.len() >= BATCH) {
                batches.push(Vec::new());
            }
            let batch = batches.last_mut().unwrap();
            batch.extend_from_slice(&record);
            batch.push(b'\n');
            count += 1;
        }
        Self { name, component, feed, records: count, batches: batches.into_iter().map(Bytes::from).collect() }
    }

    /// Size of all records.
    pub(crate) fn megabytes(&self) -> f64 {
        self.batches.iter().map(Bytes::len).sum::<usize>() as f64 / 1e6
    }

    /// The first record.
    pub(crate) fn first(&self) -> &[u8] {
        self.batches[0].split(|byte| *byte == b'\n').next().unwrap()
    }
}

/// Databases in which every IPv4 address has a place and a network, and the rules for user agents.
pub(crate) static DATA: LazyLock<Arc<Data>> = LazyLock::new(|| {
    let names = |name| Names { english: Some(name), ..Names::default() };
    let folder = tempfile::tempdir().unwrap();
    let mut cities = database("GeoLite2-City");
    let mut networks = database("GeoLite2-ASN");
    for number in 0..16_u8 {
        let network: IpAddrWithMask = format!("{}.0.0.0/4", u32::from(number) * 16).parse().unwrap();
        let place = cities
            .insert_value(City {
                city: city::City { names: names("Linköping"), ..city::City::default() },
                continent: country::Continent { names: names("Europe"), ..country::Continent::default() },
                country: country::Country {
                    iso_code: Some("SE"),
                    names: names("Sweden"),
                    ..country::Country::default()
                },
                location: city::Location { latitude: Some(58.4), longitude: Some(15.6), ..city::Location::default() },
                ..City::default()
            })
            .unwrap();
        cities.insert_node(network, place);
        let network: IpAddrWithMask = format!("{}.0.0.0/4", u32::from(number) * 16).parse().unwrap();
        let owner = networks
            .insert_value(Asn {
                autonomous_system_number: Some(64_496 + u32::from(number)),
                autonomous_system_organization: Some("Example Networks"),
            })
            .unwrap();
        networks.insert_node(network, owner);
    }
    let files = [("city.mmdb", cities), ("asn.mmdb", networks)].map(|(name, database)| {
        let path = folder.path().join(name);
        database.write_to(std::fs::File::create(&path).unwrap()).unwrap();
        path
    });
    Arc::new(Data::new(Geoip::open(Some(&files[0]), Some(&files[1])).unwrap()))
});

fn database(kind: &str) -> maxminddb_writer::Database {
    let mut database = maxminddb_writer::Database::default();
    kind.clone_into(&mut database.metadata.database_type);
    database.metadata.binary_format_major_version = 2;
    database.metadata.build_epoch = 1;
    database.metadata.ip_version = IpVersion::V4;
    database
}
