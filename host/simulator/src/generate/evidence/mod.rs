//! Items of evidence: what all have, and which function makes which kind.

mod cloud;
mod endpoint;
mod identity;
mod kubernetes;
mod mail;
mod network;

use super::enums::Kind;
use super::json::{Json, Member, members};
use super::scene::Scene;
use crate::time::{self, SECOND};

/// An item. The main one is what the alert is about.
pub(super) fn item(scene: &mut Scene<'_>, kind: Kind, main: bool) -> Json {
    let remediation = scene.dice.pick(&["none", "none", "remediated", "prevented", "blocked", "notFound", "active"]);
    let details = match remediation {
        "prevented" => Some("Entity was blocked"),
        "notFound" => Some("Entity was not found"),
        _ => None,
    };
    let verdict = scene.dice.pick(&["unknown", "suspicious", "suspicious", "malicious", "noThreatsFound"]);
    let common = members! {
        "@odata.type": kind.odata_type(),
        "createdDateTime": time::text(scene.created + scene.dice.between(0, SECOND)),
        "verdict": if main { "suspicious" } else { verdict },
        "remediationStatus": scene.members.show(remediation),
        "remediationStatusDetails": details,
        "roles": roles(scene, kind),
        "detailedRoles": detailed_roles(scene, main && kind == Kind::Device),
        "tags": if scene.dice.chance(0.05) { vec!["crown jewel"] } else { Vec::new() },
    };
    join(common, own(scene, kind))
}

/// An item within another, of which nothing but its own properties is known.
fn inner(scene: &Scene<'_>, kind: Kind, own: Vec<Member>) -> Json {
    let common = members! {
        "@odata.type": kind.odata_type(),
        "createdDateTime": time::text(scene.created),
        "verdict": "unknown",
        "remediationStatus": "none",
        "remediationStatusDetails": Json::Null,
        "roles": Vec::<Json>::new(),
        "detailedRoles": Vec::<Json>::new(),
        "tags": Vec::<Json>::new(),
    };
    join(common, own)
}

fn join(mut common: Vec<Member>, own: Vec<Member>) -> Json {
    common.extend(own);
    Json::Object(common)
}

fn roles(scene: &mut Scene<'_>, kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Device | Kind::User | Kind::Mailbox if scene.dice.chance(0.4) => {
            vec![scene.dice.pick(&["compromised", "attacked", "source"])]
        }
        Kind::Ip | Kind::Url if scene.dice.chance(0.4) => {
            vec![scene.dice.pick(&["attacker", "commandAndControl", "destination", "suspicious"])]
        }
        _ if scene.dice.chance(0.1) => vec!["contextual"],
        _ => Vec::new(),
    }
}

fn detailed_roles(scene: &mut Scene<'_>, primary: bool) -> Vec<&'static str> {
    match scene.dice.chance(0.03) {
        _ if primary => vec!["PrimaryDevice"],
        true => vec![scene.dice.pick(&["Main actor", "Seen by the sensor"])],
        false => Vec::new(),
    }
}

/// What an item has because of its kind.
fn own(scene: &mut Scene<'_>, kind: Kind) -> Vec<Member> {
    match kind {
        Kind::ActiveDirectoryDomain => identity::domain(scene),
        Kind::AiAgent => cloud::agent(scene),
        Kind::AmazonResource => cloud::amazon_resource(scene),
        Kind::AnalyzedMessage => mail::message(scene),
        Kind::AzureResource => cloud::azure_resource(scene),
        Kind::Blob => cloud::blob(scene),
        Kind::BlobContainer => cloud::blob_container(scene),
        Kind::CloudApplication => identity::cloud_application(scene),
        Kind::CloudLogonRequest => identity::cloud_logon_request(scene),
        Kind::CloudLogonSession => identity::cloud_logon_session(scene),
        Kind::Container => kubernetes::container(scene),
        Kind::ContainerImage => kubernetes::image(scene),
        Kind::ContainerRegistry => kubernetes::registry(scene),
        Kind::Device => endpoint::device(scene),
        Kind::Dns => network::dns(scene),
        Kind::File => endpoint::file(scene),
        Kind::FileHash => endpoint::file_hash(scene),
        Kind::GitHubOrganization => cloud::github_organization(scene),
        Kind::GitHubRepo => cloud::github_repo(scene),
        Kind::GitHubUser => cloud::github_user(scene),
        Kind::GoogleCloudResource => cloud::google_resource(scene),
        Kind::HostLogonSession => endpoint::logon_session(scene),
        Kind::IoTDevice => network::iot_device(scene),
        Kind::Ip => network::ip(scene),
        Kind::KubernetesCluster => kubernetes::cluster(scene),
        Kind::KubernetesController => kubernetes::controller(scene),
        Kind::KubernetesNamespace => kubernetes::namespace(scene),
        Kind::KubernetesPod => kubernetes::pod(scene),
        Kind::KubernetesSecret => kubernetes::secret(scene),
        Kind::KubernetesService => kubernetes::service(scene),
        Kind::KubernetesServiceAccount => kubernetes::service_account(scene),
        Kind::MailCluster => mail::cluster(scene),
        Kind::Mailbox => mail::mailbox(scene),
        Kind::MailboxConfiguration => mail::mailbox_configuration(scene),
        Kind::Malware => endpoint::malware(scene),
        Kind::NetworkConnection => network::connection(scene),
        Kind::Nic => network::nic(scene),
        Kind::OauthApplication => identity::oauth_application(scene),
        Kind::Process => endpoint::process(scene),
        Kind::RegistryKey => endpoint::registry_key(scene),
        Kind::RegistryValue => endpoint::registry_value(scene),
        Kind::SasToken => cloud::sas_token(scene),
        Kind::SecurityGroup => identity::security_group(scene),
        Kind::ServicePrincipal => identity::service_principal(scene),
        Kind::SubmissionMail => mail::submission(scene),
        Kind::TeamsMessage => mail::teams_message(scene),
        Kind::Url => network::url(scene),
        Kind::User => identity::user(scene),
    }
}
