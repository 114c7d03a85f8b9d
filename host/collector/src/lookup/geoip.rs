//! Addresses, from databases in the MaxMind DB format (<https://maxmind.github.io/MaxMind-DB/>).
//!
//! What is answered of a record is what Elasticsearch's `geoip` processor takes of it by default, under the names of ECS:
//! English names, and of several subdivisions the smallest.

use std::ffi::OsStr;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use maxminddb::geoip2::{Asn, City};
use maxminddb::{MaxMindDbError, Reader};
use serde::{Deserialize, Serialize};

/// Why databases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoipError {
    /// A file or folder cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is no database, or is damaged.
    #[error("{} is no whole MaxMind database: {source}; fetch it again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<MaxMindDbError>,
    },
    /// A database has other data than it is asked for.
    #[error("{} is a database of type {found}, where {wanted} is wanted", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// Its type.
        found: String,
        /// Types that would do.
        wanted: &'static str,
    },
    /// A folder has no database.
    #[error("{} has no City and no ASN database (*.mmdb)", folder.display())]
    None {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder has two databases that would do equally well.
    #[error("{} and {} are both databases of type {found}: keep one of them there", paths.0.display(), paths.1.display())]
    Several {
        /// The two.
        paths: (PathBuf, PathBuf),
        /// Their type.
        found: String,
    },
}

/// What a database has, the better first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Holds {
    /// Ends of the names of types, such as `GeoLite2-City` and `DBIP-City-Lite`.
    types: &'static [&'static str],
    wanted: &'static str,
}

const PLACES: Holds = Holds { types: &["City", "Enterprise", "Country"], wanted: "City, Enterprise or Country" };
const NETWORKS: Holds = Holds { types: &["ASN", "ISP"], wanted: "ASN or ISP" };

impl Holds {
    /// How well a type does, 0 best; none where it has nothing of this.
    fn rank(self, found: &str) -> Option<usize> {
        self.types.iter().position(|name| found.split(['-', ' ']).any(|word| word == *name))
    }
}

/// A database in memory.
struct Database {
    path: PathBuf,
    reader: Reader<Vec<u8>>,
    /// Whether a damaged record was met, which is said once.
    damaged: AtomicBool,
}

impl Database {
    fn open(path: &Path) -> Result<Self, GeoipError> {
        let bytes = std::fs::read(path).map_err(|source| GeoipError::Read { path: path.to_owned(), source })?;
        let reader = Reader::from_source(bytes)
            .map_err(|source| GeoipError::Broken { path: path.to_owned(), source: Box::new(source) })?;
        Ok(Self { path: path.to_owned(), reader, damaged: AtomicBool::new(false) })
    }

    fn holding(path: &Path, holds: Holds) -> Result<Self, GeoipError> {
        let database = Self::open(path)?;
        match holds.rank(database.holds()) {
            Some(_) => Ok(database),
            None => {
                let found = database.holds().to_owned();
                Err(GeoipError::Type { path: path.to_owned(), found, wanted: holds.wanted })
            }
        }
    }

    /// Its type.
    fn holds(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// The record of an address; none for what is no address, and where a record cannot be read.
    fn find<'a, R: Deserialize<'a>>(&'a self, address: &str) -> Option<R> {
        let address: IpAddr = address.parse().ok()?;
        match self.reader.lookup(address).and_then(|found| found.decode()) {
            Ok(record) => record,
            // An IPv6 address, and a database of IPv4 addresses.
            Err(MaxMindDbError::InvalidInput { .. }) => None,
            Err(error) => {
                if !self.damaged.swap(true, Ordering::Relaxed) {
                    let file = self.path.display();
                    tracing::warn!(%file, %address, %error, "a record of the database cannot be read: addresses like it stay without data");
                }
                None
            }
        }
    }
}

/// Databases of places and networks, as far as there are any. They are read whole at the start; an update takes another
/// one.
#[derive(Default)]
pub struct Geoip {
    places: Option<Database>,
    networks: Option<Database>,
}

impl Geoip {
    /// Reads the files of two databases, each of which may be absent.
    ///
    /// # Errors
    ///
    /// A file cannot be read, is damaged, or has other data.
    pub fn open(city: Option<&Path>, asn: Option<&Path>) -> Result<Self, GeoipError> {
        let open = |path: Option<&Path>, holds| path.map(|path| Database::holding(path, holds)).transpose();
        Ok(Self { places: open(city, PLACES)?, networks: open(asn, NETWORKS)? })
    }

    /// Finds databases among the files `*.mmdb` of a folder, by the type that they say they have.
    ///
    /// # Errors
    ///
    /// The folder or a file in it cannot be read; there is no database, or there are two of the best type.
    pub fn find(folder: &Path) -> Result<Self, GeoipError> {
        let reading = |source| GeoipError::Read { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(reading)? {
            let path = entry.map_err(reading)?.path();
            if path.extension() == Some(OsStr::new("mmdb")) {
                files.push(path);
            }
        }
        files.sort();
        let databases = files.iter().map(|file| Database::open(file)).collect::<Result<Vec<_>, _>>()?;
        let (mut places, mut networks) = (None, None);
        for database in databases {
            prefer(&mut places, database, PLACES)?.map(|other| prefer(&mut networks, other, NETWORKS)).transpose()?;
        }
        if places.is_none() && networks.is_none() {
            return Err(GeoipError::None { folder: folder.to_owned() });
        }
        Ok(Self { places, networks })
    }

    /// `geo` of ECS.
    pub(super) fn geo(&self, address: &str) -> Option<String> {
        let City { city, continent, country, location, subdivisions, .. } = self.places.as_ref()?.find(address)?;
        let region = subdivisions.last();
        let region_iso_code = country.iso_code.zip(region.and_then(|region| region.iso_code));
        let geo = Geo {
            city_name: city.names.english,
            continent_name: continent.names.english,
            country_iso_code: country.iso_code,
            country_name: country.names.english,
            location: location.latitude.zip(location.longitude).map(|(lat, lon)| Location { lat, lon }),
            region_iso_code: region_iso_code.map(|(country, region)| format!("{country}-{region}")),
            region_name: region.and_then(|region| region.names.english),
        };
        fragment(&geo)
    }

    /// `as` of ECS.
    pub(super) fn r#as(&self, address: &str) -> Option<String> {
        let Asn { autonomous_system_number: number, autonomous_system_organization: name } =
            self.networks.as_ref()?.find(address)?;
        fragment(&As { number, organization: name.map(|name| Organization { name }) })
    }
}

/// Puts a database in a place, unless it does not belong there or a better one is there; gives back what did not belong.
fn prefer(place: &mut Option<Database>, database: Database, holds: Holds) -> Result<Option<Database>, GeoipError> {
    let Some(rank) = holds.rank(database.holds()) else { return Ok(Some(database)) };
    let there = place.as_ref().and_then(|there| Some((there, holds.rank(there.holds())?)));
    match there {
        Some((there, other)) if other == rank => {
            let paths = (there.path.clone(), database.path.clone());
            return Err(GeoipError::Several { paths, found: database.holds().to_owned() });
        }
        Some((_, other)) if other < rank => {}
        _ => *place = Some(database),
    }
    Ok(None)
}

/// JSON text; none of what has no member.
fn fragment(object: &impl Serialize) -> Option<String> {
    serde_json::to_string(object).ok().filter(|text| text != "{}")
}

#[derive(Serialize)]
struct Geo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    city_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continent_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_iso_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region_iso_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region_name: Option<&'a str>,
}

/// Degrees.
#[derive(Serialize)]
struct Location {
    lat: f64,
    lon: f64,
}

#[derive(Serialize)]
struct As<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Organization<'a>>,
}

#[derive(Serialize)]
struct Organization<'a> {
    name: &'a str,
}

#[cfg(test)]
#[path = "geoip_tests.rs"]
mod tests;
