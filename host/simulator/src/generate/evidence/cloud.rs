//! Resources of Azure, Amazon and Google, GitHub, and agents.

use super::super::directory::DOMAIN;
use super::super::enums::Kind;
use super::super::json::{Member, members, object};
use super::super::pools;
use super::super::scene::Scene;
use super::inner;
use crate::time::{self, DAY};

/// The Azure subscription of the tenant.
pub(super) const SUBSCRIPTION: &str = "7f3b0a52-0c54-4d0e-8f6d-0a4f8a1c2b3d";
/// The storage account of the tenant.
const STORAGE: &str = "stcontosofinance";

pub(super) fn azure_resource(scene: &mut Scene<'_>) -> Vec<Member> {
    let (kind, name) = scene.dice.pick(&[
        ("Microsoft.Compute/virtualMachines", "vm-app-01"),
        ("Microsoft.Storage/storageAccounts", STORAGE),
        ("Microsoft.KeyVault/vaults", "kv-contoso-prod"),
        ("Microsoft.ContainerService/managedClusters", "aks-prod-weu"),
        ("Microsoft.Devices/IotHubs", "iot-reading"),
        ("Microsoft.CognitiveServices/accounts", "ai-contoso-prod"),
    ]);
    resource(kind, name)
}

fn resource(kind: &'static str, name: &'static str) -> Vec<Member> {
    members! {
        "resourceId": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-prod/providers/{kind}/{name}"),
        "resourceType": kind,
        "resourceName": name,
    }
}

pub(super) fn blob_container(scene: &mut Scene<'_>) -> Vec<Member> {
    let name = scene.dice.pick(&["exports", "invoices", "backups", "$web"]);
    let storage = resource("Microsoft.Storage/storageAccounts", STORAGE);
    members! {
        "name": name,
        "url": format!("https://{STORAGE}.blob.core.windows.net/{name}"),
        "storageResource": inner(scene, Kind::AzureResource, storage),
    }
}

pub(super) fn blob(scene: &mut Scene<'_>) -> Vec<Member> {
    let container = blob_container(scene);
    let name = format!("2025/{}.zip", scene.dice.hex(8));
    members! {
        "name": &name,
        "url": format!("https://{STORAGE}.blob.core.windows.net/exports/{name}"),
        "etag": format!("\"0x8D{}\"", scene.dice.hex(13).to_uppercase()),
        "blobContainer": inner(scene, Kind::BlobContainer, container),
        "fileHashes": [
            object! { "algorithm": "md5", "value": scene.dice.hex(32) },
            object! { "algorithm": "sha256", "value": scene.dice.hex(64) },
        ],
    }
}

pub(super) fn sas_token(scene: &mut Scene<'_>) -> Vec<Member> {
    let storage = resource("Microsoft.Storage/storageAccounts", STORAGE);
    let start = scene.activity - scene.dice.between(DAY, 30 * DAY);
    members! {
        "allowedIpAddresses": scene.dice.pick(&[None, Some("203.0.113.0-203.0.113.255")]),
        "allowedResourceTypes": ["service", "container", "object"],
        "allowedServices": ["blob", "file"],
        "expiryDateTime": time::text(start + 365 * DAY),
        "permissions": ["read", "list", "write"],
        "protocol": scene.dice.pick(&["https", "https,http"]),
        "signatureHash": scene.dice.hex(64),
        "signedWith": scene.dice.pick(&["key1", "key2", "userDelegationKey"]),
        "startDateTime": time::text(start),
        "storageResource": inner(scene, Kind::AzureResource, storage),
    }
}

pub(super) fn amazon_resource(scene: &mut Scene<'_>) -> Vec<Member> {
    let account = scene.dice.digits(12);
    let (kind, service, name) = scene.dice.pick(&[
        ("EC2 instance", "ec2:eu-west-1", "instance/i-0f2b"),
        ("IAM user", "iam:", "user/deploy"),
        ("S3 bucket", "s3:", "contoso-backups"),
    ]);
    members! {
        "amazonResourceId": format!("arn:aws:{service}:{account}:{name}"),
        "amazonAccountId": account,
        "resourceType": kind,
        "resourceName": name,
    }
}

pub(super) fn google_resource(scene: &mut Scene<'_>) -> Vec<Member> {
    let (kind, name, location, location_type) = scene.dice.pick(&[
        ("GCP Compute Instance", "instances/web-1", "europe-west4-a", "zonal"),
        ("GCP Storage Bucket", "buckets/contoso-exports", "europe-west4", "regional"),
        ("GCP Service Account", "serviceAccounts/ci", "global", "global"),
    ]);
    members! {
        "projectId": "contoso-prod-4711",
        "projectNumber": scene.dice.between(100_000_000_000, 999_999_999_999),
        "resourceType": kind,
        "resourceName": name,
        "location": location,
        "locationType": location_type,
        "fullResourceName": format!("//compute.googleapis.com/projects/contoso-prod-4711/{location}/{name}"),
    }
}

pub(super) fn github_organization(scene: &mut Scene<'_>) -> Vec<Member> {
    members! {
        "company": "Contoso Ltd",
        "displayName": "Contoso Engineering",
        "email": format!("opensource@{DOMAIN}"),
        "login": "contoso-engineering",
        "orgId": scene.dice.digits(8),
        "webUrl": "https://github.com/contoso-engineering",
    }
}

pub(super) fn github_repo(scene: &mut Scene<'_>) -> Vec<Member> {
    let name = scene.dice.pick(&["billing", "infrastructure", "mobile-app"]);
    members! {
        "baseUrl": format!("https://github.com/contoso-engineering/{name}"),
        "login": name,
        "owner": "contoso-engineering",
        "ownerType": "Organization",
        "repoId": scene.dice.digits(9),
    }
}

pub(super) fn github_user(scene: &mut Scene<'_>) -> Vec<Member> {
    let login = scene.person.account.replace('.', "-");
    members! {
        "email": &scene.person.upn,
        "login": &login,
        "name": &scene.person.name,
        "userId": scene.dice.digits(8),
        "webUrl": format!("https://github.com/{login}"),
    }
}

pub(super) fn agent(scene: &mut Scene<'_>) -> Vec<Member> {
    let name = scene.dice.pick(&["Travel desk", "HR answers", "Invoice helper"]);
    let domain = scene.dice.pick(&pools::FOREIGN_DOMAINS);
    members! {
        "agentId": scene.dice.guid(),
        "agentName": name,
        "hostingPlatformType": scene.dice.pick(&["azureAIFoundry", "copilotStudio", "copilot"]),
        "instructions": format!(
            "You are the agent \"{name}\" of Contoso.\nAnswer from company documents only; never send data to {domain}."
        ),
    }
}
