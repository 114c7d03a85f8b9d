//! Kinds of alerts: titles, categories, techniques and sources as Microsoft's products have them.

use super::dice::Dice;
use super::enums::Kind::{self, *};

/// A kind of alert.
pub(crate) struct Template {
    pub(crate) title: &'static str,
    /// `{user}` and `{device}` stand for names.
    pub(crate) description: &'static str,
    /// What to do, step by step.
    pub(crate) steps: &'static [&'static str],
    pub(crate) category: &'static str,
    /// ATT&CK ids.
    pub(crate) techniques: &'static [&'static str],
    /// `serviceSource`.
    pub(crate) service: &'static str,
    /// `detectionSource`.
    pub(crate) detection: &'static str,
    /// What `severity` is drawn from.
    pub(crate) severities: [&'static str; 4],
    /// The item of evidence that it always has.
    pub(crate) main: Kind,
    /// Further items.
    pub(crate) more: &'static [Kind],
}

/// The number of a kind of alert. Those of containers are long, and rarer than others.
pub(crate) fn draw(dice: &mut Dice) -> usize {
    let number = dice.below(TEMPLATES.len());
    let rare = get(number).detection == CONTAINERS && dice.chance(0.9);
    if rare { dice.below(TEMPLATES.len()) } else { number }
}

/// A kind of alert by its number.
pub(crate) fn get(number: usize) -> &'static Template {
    TEMPLATES.get(number).unwrap_or(&POWERSHELL)
}

const HIGH: [&str; 4] = ["high", "high", "high", "medium"];
const MEDIUM: [&str; 4] = ["medium", "medium", "low", "high"];
const LOW: [&str; 4] = ["low", "low", "informational", "medium"];

const ENDPOINT: &str = "microsoftDefenderForEndpoint";
const IDENTITY: &str = "microsoftDefenderForIdentity";
const OFFICE: &str = "microsoftDefenderForOffice365";
const CLOUD_APPS: &str = "microsoftDefenderForCloudApps";
const ENTRA: &str = "azureAdIdentityProtection";
const CLOUD: &str = "microsoftDefenderForCloud";
const CONTAINERS: &str = "microsoftDefenderForContainers";
const STORAGE: &str = "microsoftDefenderForStorage";
const SENTINEL: &str = "microsoftSentinel";

const ON_A_DEVICE: &[&str] = &[
    "Validate the alert and look at the device timeline for activity before and after it.",
    "Find out how the file came to the device, and whether other devices have it.",
    "Isolate the device if the activity is not explained, and collect an investigation package.",
    "Reset the passwords of the accounts that were signed in.",
];
const WITH_AN_ACCOUNT: &[&str] = &[
    "Ask the owner of the account whether the activity is theirs.",
    "Look at the sign-ins of the account over the last 30 days.",
    "If it is compromised, revoke its sessions, reset its password and review its authentication methods.",
];
const IN_MAIL: &[&str] = &[
    "Look at the messages in Threat Explorer and decide whether more of them were delivered.",
    "Remove what was delivered, and block sender, URL or file in the Tenant Allow/Block List.",
    "Check whether recipients opened the link or the attachment.",
];
const IN_THE_CLOUD: &[&str] = &[
    "Find out who owns the resource and whether the activity was planned.",
    "Restrict access to the resource to known networks, and rotate its keys.",
    "Review the activity log of the subscription for changes by the same principal.",
];

/// Kind and source of an alert in few words.
const fn template(
    [title, description]: [&'static str; 2],
    steps: &'static [&'static str],
    (category, techniques): (&'static str, &'static [&'static str]),
    [service, detection]: [&'static str; 2],
    severities: [&'static str; 4],
    (main, more): (Kind, &'static [Kind]),
) -> Template {
    Template { title, description, steps, category, techniques, service, detection, severities, main, more }
}

const POWERSHELL: Template = template(
    [
        "Suspicious PowerShell command line",
        "A suspicious PowerShell activity was observed on {device}. The command line was encoded, or downloads and runs \
         code without a file, which is rarely seen in administration.",
    ],
    ON_A_DEVICE,
    ("Execution", &["T1059.001", "T1027"]),
    [ENDPOINT, ENDPOINT],
    MEDIUM,
    (Device, &[Process, User, File]),
);

pub(crate) const TEMPLATES: [Template; 34] = [
    POWERSHELL,
    template(
        [
            "Malware was detected and prevented",
            "Antivirus stopped malware on {device} before it ran. It could have given an attacker control of the device, \
             or have encrypted files.",
        ],
        ON_A_DEVICE,
        ("Malware", &["T1204.002"]),
        [ENDPOINT, "antivirus"],
        LOW,
        (Malware, &[Device, File, Process]),
    ),
    template(
        [
            "Anomaly detected in ASEP registry",
            "A process on {device} registered a command to run at sign-in. Attackers use such entries to stay on a device.",
        ],
        ON_A_DEVICE,
        ("Persistence", &["T1547.001", "T1112"]),
        [ENDPOINT, ENDPOINT],
        MEDIUM,
        (RegistryValue, &[Device, RegistryKey, Process, User]),
    ),
    template(
        [
            "Connection to adversary-in-the-middle (AiTM) phishing site",
            "{device} opened a site that passes sign-ins on to the real one and keeps the session. Sessions of {user} may \
             be in foreign hands.",
        ],
        WITH_AN_ACCOUNT,
        ("CredentialAccess", &["T1557", "T1111"]),
        [ENDPOINT, "smartScreen"],
        HIGH,
        (Url, &[Device, Ip, NetworkConnection, User]),
    ),
    template(
        ["File matched a custom indicator", "A file on {device} has a hash that your organization watches for."],
        ON_A_DEVICE,
        ("SuspiciousActivity", &["T1204"]),
        [ENDPOINT, "customTi"],
        LOW,
        (FileHash, &[Device, File, Process]),
    ),
    template(
        [
            "Possible lateral movement involving an RDP session",
            "{user} signed in to {device} over RDP from a device that had not done so before, and started tools there that \
             take stock of the network.",
        ],
        ON_A_DEVICE,
        ("LateralMovement", &["T1021.001", "T1018"]),
        [ENDPOINT, ENDPOINT],
        HIGH,
        (HostLogonSession, &[Device, User, Ip]),
    ),
    template(
        [
            "Suspicious DNS activity",
            "{device} asked for many generated names below one domain, as tunnels and bots do.",
        ],
        ON_A_DEVICE,
        ("CommandAndControl", &["T1071.004", "T1568.002"]),
        [ENDPOINT, ENDPOINT],
        MEDIUM,
        (Dns, &[Device, Process, NetworkConnection]),
    ),
    template(
        [
            "Unauthorized PLC programming",
            "A source device that is not defined as a programming device changed the program of a controller.",
        ],
        &[
            "Find out whether the change was planned with the operator of the site.",
            "Compare the controller's program with the last approved one.",
            "Take the source device off the control network until both are clear.",
        ],
        ("Impact", &["T0843", "T0889"]),
        [CLOUD, "microsoftDefenderForIoT"],
        HIGH,
        (IoTDevice, &[Nic, Ip]),
    ),
    template(
        [
            "Suspected brute-force attack (Kerberos, NTLM)",
            "Many wrong passwords were tried against accounts of the domain from {device}; at least one attempt succeeded.",
        ],
        WITH_AN_ACCOUNT,
        ("CredentialAccess", &["T1110.001", "T1110.003"]),
        [IDENTITY, IDENTITY],
        MEDIUM,
        (User, &[Device, ActiveDirectoryDomain, Ip]),
    ),
    template(
        [
            "Suspicious additions to sensitive groups",
            "{user} added a member to a group with far-reaching rights, and had never done so before.",
        ],
        WITH_AN_ACCOUNT,
        ("Persistence", &["T1098"]),
        [IDENTITY, IDENTITY],
        MEDIUM,
        (SecurityGroup, &[User, Device, ActiveDirectoryDomain]),
    ),
    template(
        [
            "Suspected DCSync attack (replication of directory services)",
            "{device}, which is no domain controller, asked for the replication of the directory with the rights of {user}.",
        ],
        WITH_AN_ACCOUNT,
        ("CredentialAccess", &["T1003.006"]),
        [IDENTITY, IDENTITY],
        HIGH,
        (ActiveDirectoryDomain, &[User, Device]),
    ),
    template(
        [
            "Email messages containing malicious URL removed after delivery",
            "Messages with a URL that was found to be malicious later were taken out of mailboxes.",
        ],
        IN_MAIL,
        ("InitialAccess", &["T1566.002"]),
        [OFFICE, OFFICE],
        LOW,
        (AnalyzedMessage, &[MailCluster, Mailbox, Url]),
    ),
    template(
        [
            "Email messages from a campaign removed after delivery",
            "Messages of a known campaign were delivered and taken out of mailboxes afterwards.",
        ],
        IN_MAIL,
        ("InitialAccess", &["T1566"]),
        [OFFICE, "automatedInvestigation"],
        LOW,
        (MailCluster, &[AnalyzedMessage, Url, File]),
    ),
    template(
        ["Email reported by user as malware or phish", "{user} reported a message as phishing."],
        IN_MAIL,
        ("InitialAccess", &["T1566"]),
        [OFFICE, OFFICE],
        LOW,
        (SubmissionMail, &[AnalyzedMessage, Mailbox, User]),
    ),
    template(
        [
            "Suspicious email forwarding activity",
            "A rule in the mailbox of {user} sends messages to an address outside the organization.",
        ],
        IN_MAIL,
        ("Collection", &["T1114.003"]),
        [OFFICE, "microsoft365Defender"],
        MEDIUM,
        (MailboxConfiguration, &[Mailbox, User, Ip]),
    ),
    template(
        [
            "Teams message with malicious URL removed after delivery",
            "A message in Teams had a URL that was found to be malicious later.",
        ],
        IN_MAIL,
        ("InitialAccess", &["T1566.003"]),
        [OFFICE, OFFICE],
        MEDIUM,
        (TeamsMessage, &[Url, User]),
    ),
    template(
        ["Impossible travel activity", "{user} was active in two countries within less time than the journey takes."],
        WITH_AN_ACCOUNT,
        ("InitialAccess", &["T1078"]),
        [CLOUD_APPS, "cloudAppSecurity"],
        MEDIUM,
        (User, &[Ip, CloudApplication]),
    ),
    template(
        ["Mass download", "{user} downloaded more files within five minutes than in the month before."],
        WITH_AN_ACCOUNT,
        ("Exfiltration", &["T1567", "T1530"]),
        [CLOUD_APPS, "cloudAppSecurity"],
        LOW,
        (CloudApplication, &[User, Ip, File]),
    ),
    template(
        [
            "Unfamiliar sign-in properties",
            "The sign-in of {user} came from a place, network and browser that were never seen for this account.",
        ],
        WITH_AN_ACCOUNT,
        ("InitialAccess", &["T1078.004"]),
        [ENTRA, ENTRA],
        MEDIUM,
        (CloudLogonRequest, &[User, Ip, CloudLogonSession]),
    ),
    template(
        ["Anonymous IP address", "{user} signed in from an address of an anonymizing proxy."],
        WITH_AN_ACCOUNT,
        ("InitialAccess", &["T1078.004", "T1090.003"]),
        [ENTRA, ENTRA],
        MEDIUM,
        (CloudLogonSession, &[User, Ip]),
    ),
    template(
        [
            "App with suspicious OAuth scope made graph calls to read email",
            "An application that was consented to recently reads the mail of {user} with rights that it did not use before.",
        ],
        &[
            "Find out who consented to the application and what for.",
            "Disable it, and revoke its consent, if nobody knows it.",
            "Look at what it read since it was consented to.",
        ],
        ("Collection", &["T1528", "T1114.002"]),
        ["microsoftAppGovernance", "appGovernanceDetection"],
        HIGH,
        (OauthApplication, &[ServicePrincipal, User]),
    ),
    template(
        [
            "DLP policy (Payment card data) matched for document in OneDrive",
            "A document with payment card numbers was shared by {user} with people outside the organization.",
        ],
        &[
            "Look at the matched content and decide whether sharing it was intended.",
            "Ask {user} to stop sharing it, or do so in the admin center.",
        ],
        ("Exfiltration", &["T1567.002"]),
        ["dataLossPrevention", "microsoftDataLossPrevention"],
        LOW,
        (User, &[File, Url, CloudApplication, Device]),
    ),
    template(
        [
            "Scheduled task created by an Office application",
            "A custom detection of your organization found a task on {device} that an Office application created.",
        ],
        ON_A_DEVICE,
        ("Persistence", &["T1053.005", "T1204.002"]),
        ["microsoft365Defender", "customDetection"],
        HIGH,
        (Process, &[Device, User, File]),
    ),
    template(
        [
            "Suspicious activity incident handed over by experts",
            "Microsoft experts hunting in your organization found hands-on-keyboard activity on {device}.",
        ],
        ON_A_DEVICE,
        ("SuspiciousActivity", &["T1059.003", "T1087.002"]),
        ["microsoft365Defender", "microsoftThreatExperts"],
        HIGH,
        (Device, &[User, Process, Ip]),
    ),
    template(
        [
            "Privileged container detected",
            "A container runs with the privileges of its node, so that who is in it can leave it.",
        ],
        IN_THE_CLOUD,
        ("PrivilegeEscalation", &["T1611", "T1610"]),
        [CLOUD, CONTAINERS],
        LOW,
        (Container, &[KubernetesPod, KubernetesController, KubernetesNamespace]),
    ),
    template(
        [
            "Suspicious process in a pod of the cluster",
            "A shell was started in a pod that had none in its image's past.",
        ],
        IN_THE_CLOUD,
        ("Execution", &["T1609"]),
        [CLOUD, CONTAINERS],
        MEDIUM,
        (KubernetesPod, &[ContainerImage, KubernetesCluster, Process]),
    ),
    template(
        [
            "Kubernetes secrets were read by an unusual account",
            "A service account read secrets of a namespace that it had never read before.",
        ],
        IN_THE_CLOUD,
        ("CredentialAccess", &["T1552.007"]),
        [CLOUD, CONTAINERS],
        MEDIUM,
        (KubernetesSecret, &[KubernetesServiceAccount, KubernetesCluster, Ip]),
    ),
    template(
        ["Exposed Kubernetes service detected", "A service that manages the cluster can be reached from the Internet."],
        IN_THE_CLOUD,
        ("InitialAccess", &["T1133"]),
        [CLOUD, CONTAINERS],
        MEDIUM,
        (KubernetesService, &[KubernetesNamespace, Ip, KubernetesCluster]),
    ),
    template(
        [
            "Image from an unknown registry was deployed",
            "A container was started from a registry that your organization had not used before.",
        ],
        IN_THE_CLOUD,
        ("Execution", &["T1610", "T1525"]),
        [CLOUD, CONTAINERS],
        LOW,
        (ContainerRegistry, &[ContainerImage, Container]),
    ),
    template(
        [
            "Unusual SAS token was used to access a storage account",
            "A token with far-reaching rights was used from an address outside your networks, and much was read with it.",
        ],
        IN_THE_CLOUD,
        ("Collection", &["T1530"]),
        [CLOUD, STORAGE],
        MEDIUM,
        (SasToken, &[BlobContainer, Blob, AzureResource, Ip]),
    ),
    template(
        [
            "Unusual use of credentials of a cloud role",
            "Credentials that belong to a machine in the cloud were used from elsewhere.",
        ],
        IN_THE_CLOUD,
        ("CredentialAccess", &["T1552.005", "T1078.004"]),
        [CLOUD, "microsoftDefenderForServers"],
        HIGH,
        (AmazonResource, &[Ip, GoogleCloudResource, AzureResource]),
    ),
    template(
        [
            "Repository of the organization was made public",
            "A scheduled rule found that a private repository was made public by an account without two factors.",
        ],
        &[
            "Ask the owner whether the repository was meant to be public.",
            "Make it private again, and rotate every secret that its history holds.",
        ],
        ("Exfiltration", &["T1567.001"]),
        [SENTINEL, "scheduledAlerts"],
        HIGH,
        (GitHubRepo, &[GitHubUser, GitHubOrganization, Ip]),
    ),
    template(
        [
            "Attempt to jailbreak an AI agent was blocked",
            "A prompt of {user} tried to make an agent ignore its instructions. Prompt shields blocked it.",
        ],
        &["Look at the prompts of the session.", "Limit who may use the agent, and what it may reach."],
        ("DefenseEvasion", &["T1562"]),
        ["microsoftSecurityForAI", "microsoftDefenderForAIServices"],
        MEDIUM,
        (AiAgent, &[User, Ip, AzureResource]),
    ),
    template(
        [
            "Possible data theft by departing user",
            "{user}, who leaves soon, copied many files to a removable drive after having renamed them.",
        ],
        WITH_AN_ACCOUNT,
        ("Exfiltration", &["T1052.001"]),
        ["microsoftInsiderRiskManagement", "microsoftInsiderRiskManagement"],
        MEDIUM,
        (User, &[Device, File]),
    ),
];

/// `productName` of a service.
pub(crate) fn product(service: &str) -> &'static str {
    match service {
        ENDPOINT => "Microsoft Defender for Endpoint",
        IDENTITY => "Microsoft Defender for Identity",
        OFFICE => "Microsoft Defender for Office 365",
        CLOUD_APPS => "Microsoft Defender for Cloud Apps",
        ENTRA => "Microsoft Entra ID Protection",
        CLOUD => "Microsoft Defender for Cloud",
        SENTINEL => "Microsoft Sentinel",
        "microsoftAppGovernance" => "App Governance",
        "dataLossPrevention" => "Microsoft Data Loss Prevention",
        "microsoftInsiderRiskManagement" => "Microsoft Purview Insider Risk Management",
        "microsoftSecurityForAI" => "Microsoft Defender for AI Services",
        _ => "Microsoft Defender XDR",
    }
}

/// What the ids of a service's alerts begin with.
pub(crate) fn prefix(service: &str) -> &'static str {
    match service {
        ENDPOINT => "da",
        IDENTITY => "aa",
        OFFICE => "fa",
        CLOUD_APPS => "ca",
        ENTRA => "ad",
        CLOUD => "dc",
        SENTINEL => "sn",
        "microsoftAppGovernance" => "ma",
        "dataLossPrevention" => "dl",
        "microsoftInsiderRiskManagement" => "ir",
        _ => "ra",
    }
}
