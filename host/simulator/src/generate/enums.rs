//! Enumerations of Graph Security v1.0, by its metadata.

/// Which members of enumerations are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// Those from before `unknownFutureValue`; others come as that.
    Old,
    /// All.
    All,
}

pub(crate) const CLASSIFICATIONS: [&str; 5] =
    ["unknown", "falsePositive", "truePositive", "informationalExpectedActivity", "unknownFutureValue"];

pub(crate) const DETERMINATIONS: [&str; 16] = [
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
    "unknownFutureValue",
];

pub(crate) const SERVICES: [&str; 15] = [
    "unknown",
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForIdentity",
    "microsoftDefenderForCloudApps",
    "microsoftDefenderForOffice365",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "microsoftAppGovernance",
    "dataLossPrevention",
    "unknownFutureValue",
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftSecurityForAI",
];

pub(crate) const SEVERITIES: [&str; 6] = ["unknown", "informational", "low", "medium", "high", "unknownFutureValue"];

pub(crate) const STATUSES: [&str; 5] = ["unknown", "new", "inProgress", "resolved", "unknownFutureValue"];

pub(crate) const INCIDENT_STATUSES: [&str; 6] =
    ["active", "resolved", "inProgress", "redirected", "unknownFutureValue", "awaitingAction"];

/// Members that were added to `serviceSource`, `detectionSource` and `evidenceRemediationStatus`, as far as alerts here
/// have them.
const ADDED: [&str; 23] = [
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftSecurityForAI",
    "microsoftDefenderForIoT",
    "microsoftDefenderForServers",
    "microsoftDefenderForStorage",
    "microsoftDefenderForContainers",
    "microsoftDefenderForKeyVault",
    "microsoftDefenderForResourceManager",
    "microsoftDefenderForAIServices",
    "nrtAlerts",
    "scheduledAlerts",
    "microsoftDefenderThreatIntelligenceAnalytics",
    "builtInMl",
    "securityCopilot",
    "active",
    "pendingApproval",
    "declined",
    "unremediated",
    "running",
    "partiallyRemediated",
];

impl Members {
    /// How a member of those enumerations is sent.
    pub(crate) fn show(self, member: &'static str) -> &'static str {
        if self == Self::Old && ADDED.contains(&member) { "unknownFutureValue" } else { member }
    }
}

macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        /// The subtypes of `alertEvidence`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($kind),* }

        impl Kind {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// `@odata.type`.
            pub(crate) fn odata_type(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("#microsoft.graph.security.", $name, "Evidence")),*
                }
            }
        }
    };
}

kinds! {
    ActiveDirectoryDomain "activeDirectoryDomain"
    AiAgent "aiAgent"
    AmazonResource "amazonResource"
    AnalyzedMessage "analyzedMessage"
    AzureResource "azureResource"
    Blob "blob"
    BlobContainer "blobContainer"
    CloudApplication "cloudApplication"
    CloudLogonRequest "cloudLogonRequest"
    CloudLogonSession "cloudLogonSession"
    Container "container"
    ContainerImage "containerImage"
    ContainerRegistry "containerRegistry"
    Device "device"
    Dns "dns"
    File "file"
    FileHash "fileHash"
    GitHubOrganization "gitHubOrganization"
    GitHubRepo "gitHubRepo"
    GitHubUser "gitHubUser"
    GoogleCloudResource "googleCloudResource"
    HostLogonSession "hostLogonSession"
    IoTDevice "ioTDevice"
    Ip "ip"
    KubernetesCluster "kubernetesCluster"
    KubernetesController "kubernetesController"
    KubernetesNamespace "kubernetesNamespace"
    KubernetesPod "kubernetesPod"
    KubernetesSecret "kubernetesSecret"
    KubernetesService "kubernetesService"
    KubernetesServiceAccount "kubernetesServiceAccount"
    MailCluster "mailCluster"
    Mailbox "mailbox"
    MailboxConfiguration "mailboxConfiguration"
    Malware "malware"
    NetworkConnection "networkConnection"
    Nic "nic"
    OauthApplication "oauthApplication"
    Process "process"
    RegistryKey "registryKey"
    RegistryValue "registryValue"
    SasToken "sasToken"
    SecurityGroup "securityGroup"
    ServicePrincipal "servicePrincipal"
    SubmissionMail "submissionMail"
    TeamsMessage "teamsMessage"
    Url "url"
    User "user"
}
