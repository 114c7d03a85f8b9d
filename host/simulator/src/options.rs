//! What a tenant holds and how it behaves. Each option is a field here and a flag of the command.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use crate::defender::options::DefenderOptions;
use crate::event_hubs::options::EventHubsOptions;
use crate::generate::vulnerability::options::VulnerabilityOptions;

/// Seconds of a year.
const YEAR: f64 = 365.0 * 24.0 * 3600.0;

/// How a simulator is set up.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// TCP port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// The alerts.
    #[command(flatten)]
    pub alerts: AlertOptions,
    /// The vulnerabilities.
    #[command(flatten)]
    pub vulnerabilities: VulnerabilityOptions,
    /// Who may read them.
    #[command(flatten)]
    pub access: AccessOptions,
    /// How Graph answers.
    #[command(flatten)]
    pub graph: GraphOptions,
    /// How the Defender for Endpoint API answers.
    #[command(flatten)]
    pub defender: DefenderOptions,
    /// How both fail.
    #[command(flatten)]
    pub faults: FaultOptions,
    /// The Event Hubs namespace.
    #[command(flatten)]
    pub event_hubs: EventHubsOptions,
}

/// The alerts that a tenant holds.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Alerts")]
pub struct AlertOptions {
    /// What the tenant's records and faults are drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// When the newest alert was updated, as RFC 3339; without it, the present.
    #[arg(long, value_name = "TIME")]
    pub now: Option<DateTime<Utc>>,
    /// Number of alerts.
    #[arg(long, default_value_t = AlertOptions::default().count, value_name = "N")]
    pub count: usize,
    /// The time over which they were updated; it ends now.
    #[arg(long, default_value = "12h", value_parser = humantime::parse_duration)]
    pub spread: Duration,
    /// They, and their incidents, come at this rate from now on, instead of being there from the start.
    #[arg(id = "alerts_per_second", long = "alerts-per-second", value_name = "RATE")]
    pub per_second: Option<f64>,
    /// So many of them share one lastUpdateDateTime.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub ties: usize,
    /// Those share their createdDateTime too.
    #[arg(long)]
    pub ties_share_creation: bool,
    /// So many of them become visible late, although they were updated before others that were visible already.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub late: usize,
    /// How long before now late alerts were updated, at most.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration)]
    pub late_by: Duration,
    /// Late alerts stay hidden for so many API requests ...
    #[arg(long, default_value_t = AlertOptions::default().late_after_requests, value_name = "N")]
    pub late_after_requests: u64,
    /// ... and for so long after the start.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    pub late_after: Duration,
    /// Alerts of an incident.
    #[arg(long, default_value_t = AlertOptions::default().alerts_per_incident, value_name = "N")]
    pub alerts_per_incident: usize,
    /// So many incidents more have no alerts.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub bare_incidents: usize,
    /// Items of evidence in an alert, at least.
    #[arg(long, default_value_t = AlertOptions::default().min_evidence, value_name = "N")]
    pub min_evidence: usize,
    /// Items of evidence in an alert, at most.
    #[arg(long, default_value_t = AlertOptions::default().max_evidence, value_name = "N")]
    pub max_evidence: usize,
    /// Adds evidence until an alert has so many bytes. 200000 makes a page of 1000 alerts 200 MB long.
    #[arg(long, default_value_t = 0, value_name = "BYTES")]
    pub alert_size: usize,
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            now: None,
            count: 100,
            spread: Duration::from_secs(12 * 3600),
            per_second: None,
            ties: 0,
            ties_share_creation: false,
            late: 0,
            late_by: Duration::from_secs(300),
            late_after_requests: 5,
            late_after: Duration::ZERO,
            alerts_per_incident: 3,
            bare_incidents: 0,
            min_evidence: 2,
            max_evidence: 4,
            alert_size: 0,
        }
    }
}

/// Who may read what the tenant holds.
#[derive(Args, Clone, PartialEq)]
#[command(next_help_heading = "Access")]
pub struct AccessOptions {
    /// Id of the tenant.
    #[arg(long, default_value_t = AccessOptions::default().tenant_id, value_name = "GUID")]
    pub tenant_id: String,
    /// Id of the application that may ask for tokens.
    #[arg(long, default_value_t = AccessOptions::default().client_id, value_name = "GUID")]
    pub client_id: String,
    /// The application's secret. It is no flag, because process lists show flags; the command uses the default.
    #[arg(skip = AccessOptions::default().client_secret)]
    pub client_secret: String,
    /// PEM files with the application's certificates, separated by commas; read at each request for a token.
    #[arg(long, value_delimiter = ',', value_name = "FILES")]
    pub certificates: Vec<PathBuf>,
    /// Subjects whose tokens the application trusts that the tenant itself gives in the place of a Kubernetes cluster,
    /// separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SUBJECTS")]
    pub federated_subjects: Vec<String>,
    /// Managed identities of the machine: client ids of user-assigned ones, and `system`; separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub managed_identities: Vec<String>,
    /// Statuses that the first requests for a token of a managed identity are answered with, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STATUSES")]
    pub managed_failures: Vec<u16>,
    /// What App Service's token endpoint, `/msi/token`, wants to see. It is no flag; the command uses the default.
    #[arg(skip = AccessOptions::default().identity_header)]
    pub identity_header: String,
    /// With Azure Arc's way of asking for managed identities: the folder that its keys are written to.
    #[arg(long, value_name = "FOLDER")]
    pub arc_keys: Option<PathBuf>,
    /// By how many seconds the login server's clock is ahead; below zero, behind.
    #[arg(long, default_value_t = 0, value_name = "SECONDS", allow_negative_numbers = true)]
    pub clock_ahead: i64,
    /// Seconds that a token lives.
    #[arg(long, default_value_t = AccessOptions::default().token_lifetime, value_name = "SECONDS")]
    pub token_lifetime: u32,
    /// The application lacks its roles: the API answers 403.
    #[arg(long)]
    pub missing_role: bool,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            tenant_id: "3adb963c-8e61-48e8-a06d-6dbb0dacea39".into(),
            client_id: "0b1d5c2e-5a54-4d62-9f0e-27a8f7c1d2b4".into(),
            client_secret: "simulated-secret".into(),
            certificates: Vec::new(),
            federated_subjects: Vec::new(),
            managed_identities: Vec::new(),
            managed_failures: Vec::new(),
            identity_header: "simulated-header".into(),
            arc_keys: None,
            clock_ahead: 0,
            token_lifetime: 3599,
            missing_role: false,
        }
    }
}

impl std::fmt::Debug for AccessOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessOptions")
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .field("client_secret", &"[redacted]")
            .field("certificates", &self.certificates)
            .field("federated_subjects", &self.federated_subjects)
            .field("managed_identities", &self.managed_identities)
            .field("managed_failures", &self.managed_failures)
            .field("identity_header", &"[redacted]")
            .field("arc_keys", &self.arc_keys)
            .field("clock_ahead", &self.clock_ahead)
            .field("token_lifetime", &self.token_lifetime)
            .field("missing_role", &self.missing_role)
            .finish()
    }
}

/// How Graph answers.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Graph")]
pub struct GraphOptions {
    /// Records of a page where a request has no `$top`. Microsoft documents no number.
    #[arg(long, default_value_t = GraphOptions::default().page_size, value_name = "N")]
    pub page_size: usize,
    /// A larger `$top` counts as this.
    #[arg(long, default_value_t = GraphOptions::default().max_top, value_name = "N")]
    pub max_top: usize,
    /// A larger `$skip` is refused with 400.
    #[arg(long, default_value_t = GraphOptions::default().max_skip, value_name = "N")]
    pub max_skip: usize,
    /// Whether a page links to the next one.
    #[arg(long, value_enum, default_value_t = NextLink::WithoutTop)]
    pub next_link: NextLink,
    /// Refuses `$orderby` with 400.
    #[arg(long)]
    pub unordered: bool,
    /// Answers 500 where expanded incidents have more alerts than this together.
    #[arg(long, value_name = "N")]
    pub max_expanded: Option<usize>,
    /// The same for a single incident that is asked for by its id; without it `max_expanded` counts.
    #[arg(long, value_name = "N")]
    pub max_expanded_single: Option<usize>,
    /// Refuses a `$filter` of alerts by `incidentId` with 400, as it is in no documentation.
    #[arg(long)]
    pub no_incident_filter: bool,
    /// Compresses no answer, of the Defender for Endpoint API neither; otherwise gzip is used where it is accepted.
    #[arg(long)]
    pub plain: bool,
    /// Sends records no faster than this, also those of the Defender for Endpoint API.
    #[arg(long, value_name = "BYTES")]
    pub bytes_per_second: Option<u32>,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            page_size: 100,
            max_top: 1000,
            max_skip: 500,
            next_link: NextLink::WithoutTop,
            unordered: false,
            max_expanded: None,
            max_expanded_single: None,
            no_incident_filter: false,
            plain: false,
            bytes_per_second: None,
        }
    }
}

/// Whether a page links to the next one with `@odata.nextLink`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NextLink {
    /// With `$skiptoken`, and only where the request has no `$top`, as `alerts_v2` is reported to do.
    #[default]
    WithoutTop,
    /// Always, with `$skiptoken`.
    Skiptoken,
    /// Always, with `$skip`; once that is above the limit, following it is refused.
    Skip,
}

/// How often API requests fail. At most one fault befalls a request; the n-th request of one seed always meets the same.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Faults (rates from 0 to 1)")]
pub struct FaultOptions {
    /// Answered 429.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = rate)]
    pub throttled: f64,
    /// The Retry-After of a 429; may be 0.
    #[arg(long, default_value_t = FaultOptions::default().retry_after, value_name = "SECONDS")]
    pub retry_after: u32,
    /// Answered 500.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = rate)]
    pub failed: f64,
    /// All tokens are revoked, and the request is answered 401.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = rate)]
    pub revoked: f64,
    /// The connection ends in the middle of a record.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = rate)]
    pub broken: f64,
}

impl Default for FaultOptions {
    fn default() -> Self {
        Self { throttled: 0.0, retry_after: 1, failed: 0.0, revoked: 0.0, broken: 0.0 }
    }
}

/// Reads a number from 0 to 1.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

impl Options {
    /// Refuses what contradicts itself; says what and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.alerts.check()?;
        self.vulnerabilities.check()?;
        self.defender.check()?;
        self.event_hubs.check()?;
        let faults = &self.faults;
        let rates = [faults.throttled, faults.failed, faults.revoked, faults.broken];
        if rates.iter().any(|rate| !(0.0..=1.0).contains(rate)) || rates.iter().sum::<f64>() > 1.0 {
            return Err("the rates of faults must be from 0 to 1, and together not above 1".to_owned());
        }
        if self.graph.page_size == 0 || self.graph.max_top == 0 {
            return Err("page_size and max_top must be at least 1".to_owned());
        }
        if self.graph.bytes_per_second == Some(0) {
            return Err("bytes_per_second must be at least 1".to_owned());
        }
        Ok(())
    }
}

impl AlertOptions {
    /// Refuses what contradicts itself; says what and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.ties.saturating_add(self.late) > self.count {
            return Err(format!("ties ({}) and late ({}) are more than count ({})", self.ties, self.late, self.count));
        }
        if self.alerts_per_incident == 0 {
            return Err("alerts_per_incident must be at least 1".to_owned());
        }
        if self.min_evidence > self.max_evidence {
            return Err(format!("min_evidence ({}) is above max_evidence ({})", self.min_evidence, self.max_evidence));
        }
        if self.per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0 || self.count as f64 / rate > YEAR) {
            return Err("alerts_per_second must be above 0, and count must come within a year".to_owned());
        }
        let limit = Duration::from_secs(50 * 366 * 24 * 3600);
        if self.spread > limit || self.late_by > limit {
            return Err("spread and late_by must be below 50 years".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn flags_and_fields_have_the_same_defaults() {
        assert_eq!(Command::parse_from(["simulator"]).options, Options::default());
    }

    #[test]
    fn debug_output_has_no_secret() {
        let options = Options::default();
        assert!(!format!("{options:?}").contains(&options.access.client_secret));
        assert!(!format!("{options:?}").contains(&options.event_hubs.key));
    }

    #[test]
    fn contradictions_are_refused() {
        let check = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert!(check(|options| options.alerts.ties = 101).unwrap_err().contains("ties (101)"));
        assert!(check(|options| (options.faults.failed, options.faults.broken) = (0.6, 0.6)).is_err());
        assert!(check(|options| options.alerts.min_evidence = 5).is_err());
        assert!(check(|options| options.vulnerabilities.exposed = 51).unwrap_err().contains("exposed (51)"));
        assert!(check(|options| options.vulnerabilities.duplicates = 101).unwrap_err().contains("duplicates (101)"));
        assert!(check(|options| options.vulnerabilities.machines = 0).unwrap_err().contains("products (100)"));
        assert!(check(|options| options.defender.export_member_rows = Some(0)).is_err());
        assert!(check(|options| options.event_hubs.partitions = 0).unwrap_err().contains("partitions (0)"));
        assert!(check(|options| options.event_hubs.hubs = vec!["a/b".into()]).unwrap_err().contains("'a/b'"));
        assert!(check(|options| options.event_hubs.links_refused = 2.0).is_err());
        assert!(Command::try_parse_from(["simulator", "--failed", "1.5"]).is_err());
    }
}
