//! What differs between the feeds of Graph Security. A further one is a further row.

/// Where records are, how they are ordered and cut, and what reading them takes.
#[derive(Debug)]
pub struct Feed {
    /// The feed's name in the component.
    pub name: &'static str,
    /// Path below the base url.
    pub path: &'static str,
    /// The property that the cursor runs on. The guest gives it back as each record's position.
    pub updated: &'static str,
    /// A second time, which does not change, by which one instant can be divided.
    pub created: &'static str,
    /// Properties with few known values, by which what is left is divided, in this order.
    pub splits: &'static [Split],
    /// The largest `$top` that Graph accepts.
    pub max_top: usize,
    /// The permission that the application needs.
    pub permission: &'static str,
    /// What belongs to each record and may come with it.
    pub expand: Option<Expand>,
}

/// What belongs to a record, and how it is had where Graph cannot give both together.
#[derive(Debug)]
pub struct Expand {
    /// The property that holds it.
    pub property: &'static str,
    /// The feed of payloads that are a record and then what belongs to it, one a line.
    pub feed: &'static str,
    /// Where it is listed by itself.
    pub by: &'static Feed,
    /// The property there that names the record. To filter by it is not documented; 400 means that it cannot be had.
    pub key: &'static str,
}

/// A property and the values by which it divides records. Records with any other value are asked for as the rest.
#[derive(Debug)]
pub struct Split {
    /// The property.
    pub property: &'static str,
    /// Its values.
    pub values: &'static [&'static str],
}

/// Alerts: <https://learn.microsoft.com/graph/api/security-list-alerts_v2>.
pub static ALERTS: Feed = Feed {
    name: "alerts",
    path: "/v1.0/security/alerts_v2",
    updated: "lastUpdateDateTime",
    created: "createdDateTime",
    splits: &[
        SEVERITY,
        Split { property: "status", values: &["new", "inProgress", "resolved", "unknown"] },
        Split {
            property: "serviceSource",
            values: &[
                "microsoftDefenderForEndpoint",
                "microsoftDefenderForIdentity",
                "microsoftDefenderForCloudApps",
                "microsoftDefenderForOffice365",
                "microsoft365Defender",
                "azureAdIdentityProtection",
                "microsoftAppGovernance",
                "dataLossPrevention",
                "microsoftDefenderForCloud",
                "microsoftSentinel",
            ],
        },
    ],
    max_top: 1000,
    permission: "SecurityAlert.Read.All",
    expand: None,
};

/// Incidents: <https://learn.microsoft.com/graph/api/security-list-incidents>.
pub static INCIDENTS: Feed = Feed {
    name: "incidents",
    path: "/v1.0/security/incidents",
    updated: "lastUpdateDateTime",
    created: "createdDateTime",
    splits: &[SEVERITY, Split { property: "status", values: &["active", "resolved", "inProgress", "redirected"] }],
    max_top: 50,
    permission: "SecurityIncident.Read.All",
    expand: Some(Expand { property: "alerts", feed: "incident-alerts", by: &ALERTS, key: "incidentId" }),
};

const SEVERITY: Split = Split { property: "severity", values: &["informational", "low", "medium", "high", "unknown"] };
