//! Databases that the tests write, and MaxMind's own test databases where they are beside the project.

use std::fs;
use std::io::Write as _;

use maxminddb::geoip2::{Names, city, country};
use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;

use super::*;

/// Writes a database of one record.
fn write<R: Serialize>(path: &Path, database_type: &str, network: &str, record: R) {
    let mut database = maxminddb_writer::Database::default();
    database.metadata.database_type = database_type.to_owned();
    database.metadata.binary_format_major_version = 2;
    database.metadata.build_epoch = 1;
    database.metadata.ip_version = IpVersion::V4;
    let record = database.insert_value(record).unwrap();
    database.insert_node(network.parse::<IpAddrWithMask>().unwrap(), record);
    database.write_to(fs::File::create(path).unwrap()).unwrap();
}

fn names(name: &str) -> Names<'_> {
    Names { english: Some(name), german: Some("anders"), ..Names::default() }
}

/// A place with everything that is answered, in a county of a region.
fn place() -> City<'static> {
    let subdivision =
        |iso_code, name| city::Subdivision { iso_code: Some(iso_code), names: names(name), geoname_id: None };
    City {
        city: city::City { names: names("Newbury"), ..city::City::default() },
        continent: country::Continent { names: names("Europe"), ..country::Continent::default() },
        country: country::Country {
            iso_code: Some("GB"),
            names: names("United Kingdom"),
            ..country::Country::default()
        },
        location: city::Location { latitude: Some(51.0), longitude: Some(-1.3231), ..city::Location::default() },
        subdivisions: vec![subdivision("ENG", "England"), subdivision("WBK", "West Berkshire")],
        ..City::default()
    }
}

fn network(number: Option<u32>, name: Option<&str>) -> Asn<'_> {
    Asn { autonomous_system_number: number, autonomous_system_organization: name }
}

#[test]
fn a_place_is_answered_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    write(&file, "GeoLite2-City", "192.0.2.0/24", place());
    let geoip = Geoip::open(Some(&file), None).unwrap();
    assert_eq!(
        geoip.geo("192.0.2.7").unwrap(),
        r#"{"city_name":"Newbury","continent_name":"Europe","country_iso_code":"GB","country_name":"United Kingdom","location":{"lat":51.0,"lon":-1.3231},"region_iso_code":"GB-WBK","region_name":"West Berkshire"}"#
    );
    for unknown in ["198.51.100.1", "2001:db8::1", "192.0.2.7/24", "host", ""] {
        assert_eq!(geoip.geo(unknown), None, "{unknown}");
    }
    assert_eq!(geoip.r#as("192.0.2.7"), None);
}

#[test]
fn only_what_is_known_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    for (change, expected) in [
        (
            // A region of no country, half a location.
            City { city: city::City::default(), country: country::Country::default(), ..place() },
            Some(r#"{"continent_name":"Europe","location":{"lat":51.0,"lon":-1.3231},"region_name":"West Berkshire"}"#),
        ),
        (
            City {
                location: city::Location { latitude: None, ..place().location },
                subdivisions: Vec::new(),
                city: city::City::default(),
                continent: country::Continent::default(),
                ..place()
            },
            Some(r#"{"country_iso_code":"GB","country_name":"United Kingdom"}"#),
        ),
        (City { registered_country: place().country, ..City::default() }, None),
    ] {
        write(&file, "GeoLite2-City", "192.0.2.0/24", change);
        assert_eq!(Geoip::open(Some(&file), None).unwrap().geo("192.0.2.7").as_deref(), expected);
    }
    let file = folder.path().join("asn.mmdb");
    for (record, expected) in [
        (
            network(Some(64496), Some("Example & Co")),
            Some(r#"{"number":64496,"organization":{"name":"Example & Co"}}"#),
        ),
        (network(Some(64496), None), Some(r#"{"number":64496}"#)),
        (network(None, None), None),
    ] {
        write(&file, "GeoLite2-ASN", "192.0.2.0/24", record);
        assert_eq!(Geoip::open(None, Some(&file)).unwrap().r#as("192.0.2.7").as_deref(), expected);
    }
}

#[test]
fn a_database_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    let error = || Geoip::open(Some(&file), None).err().unwrap().to_string();
    let begins = |error: &str, end: &str| {
        assert!(error.contains(&file.display().to_string()) && error.contains(end), "{error}");
    };
    begins(&error(), "reading ");
    write(&file, "GeoLite2-City", "192.0.2.0/24", place());
    let whole = fs::read(&file).unwrap();
    for length in [0, whole.len() / 2, whole.len() - 20] {
        fs::write(&file, &whole[..length]).unwrap();
        begins(&error(), "is no whole MaxMind database");
    }
    write(&file, "GeoLite2-ASN", "192.0.2.0/24", network(Some(1), None));
    begins(&error(), "is a database of type GeoLite2-ASN, where City, Enterprise or Country is wanted");
}

#[test]
fn a_damaged_record_has_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asn.mmdb");
    write(&file, "GeoLite2-ASN", "192.0.2.0/24", "no record");
    assert_eq!(Geoip::open(None, Some(&file)).unwrap().r#as("192.0.2.7"), None);
}

#[test]
fn databases_of_a_folder_are_told_by_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let error = || Geoip::find(folder.path()).err().unwrap().to_string();
    assert!(error().contains("has no City and no ASN database"), "{}", error());
    fs::write(path("README.txt"), "").unwrap();
    let country = City { city: city::City::default(), ..place() };
    write(&path("1.mmdb"), "GeoLite2-Country", "192.0.2.0/24", country);
    assert!(!Geoip::find(folder.path()).unwrap().geo("192.0.2.7").unwrap().contains("Newbury"));
    // A city says more than a country, whatever the files are called.
    for name in ["0.mmdb", "2.mmdb"] {
        write(&path(name), "DBIP-City-Lite", "192.0.2.0/24", place());
        write(&path("asn.mmdb"), "GeoLite2-ASN", "192.0.2.0/24", network(Some(64496), None));
        let geoip = Geoip::find(folder.path()).unwrap();
        assert!(geoip.geo("192.0.2.7").unwrap().contains("Newbury"), "{name}");
        assert!(geoip.r#as("192.0.2.7").is_some());
        fs::remove_file(path(name)).unwrap();
    }
    write(&path("other.mmdb"), "GeoIP2-ISP", "192.0.2.0/24", network(Some(1), None));
    assert!(Geoip::find(folder.path()).unwrap().r#as("192.0.2.7").unwrap().contains("64496"));
    write(&path("other.mmdb"), "GeoLite2-ASN", "192.0.2.0/24", network(Some(1), None));
    assert!(error().contains("asn.mmdb and ") && error().contains("keep one of them"), "{}", error());
    fs::write(path("other.mmdb"), "torn").unwrap();
    assert!(error().contains("other.mmdb is no whole MaxMind database"), "{}", error());
}

/// Figures of a real database, as Elasticsearch's documentation and test suites show them.
#[test]
fn maxminds_test_databases_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/geoip");
    if !folder.is_dir() {
        // The macros' output is shown for tests that fail only.
        let _ = writeln!(io::stderr(), "skipped: there are no test databases in {}", folder.display());
        return;
    }
    let geoip = Geoip::find(&folder).unwrap();
    assert_eq!(
        geoip.geo("81.2.69.142").unwrap(),
        r#"{"city_name":"London","continent_name":"Europe","country_iso_code":"GB","country_name":"United Kingdom","location":{"lat":51.5142,"lon":-0.0931},"region_iso_code":"GB-ENG","region_name":"England"}"#
    );
    assert_eq!(
        geoip.geo("67.43.156.1").unwrap(),
        r#"{"continent_name":"Asia","country_iso_code":"BT","country_name":"Bhutan","location":{"lat":27.5,"lon":90.5}}"#
    );
    assert_eq!(geoip.r#as("89.160.20.112").unwrap(), r#"{"number":29518,"organization":{"name":"Bredband2 AB"}}"#);
    assert!(geoip.geo("2a02:d200::1").unwrap().contains("\"FI\""), "IPv6 addresses are known too");
}
