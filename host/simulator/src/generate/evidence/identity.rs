//! Accounts, groups, applications and their sessions.

use super::super::directory::{DNS_DOMAIN, NT_DOMAIN};
use super::super::enums::Kind;
use super::super::json::{Json, Member, members, object};
use super::super::pools;
use super::super::scene::Scene;
use super::inner;

/// The stream of data that found an entity: a workload's name, for some entities.
pub(super) fn stream(scene: &mut Scene<'_>) -> Json {
    if scene.dice.chance(0.1) {
        object! { "name": "CloudAppEvents" }
    } else {
        Json::Null
    }
}

pub(super) fn user(scene: &mut Scene<'_>) -> Vec<Member> {
    members! { "stream": stream(scene), "userAccount": scene.account() }
}

pub(super) fn domain(scene: &mut Scene<'_>) -> Vec<Member> {
    let trusted = if scene.dice.chance(0.4) {
        let own = members! { "activeDirectoryDomainName": "fabrikam.local", "trustedDomains": Vec::<Json>::new() };
        vec![inner(scene, Kind::ActiveDirectoryDomain, own)]
    } else {
        Vec::new()
    };
    members! { "activeDirectoryDomainName": DNS_DOMAIN, "trustedDomains": trusted }
}

pub(super) fn security_group(scene: &mut Scene<'_>) -> Vec<Member> {
    let (name, number) = scene.dice.pick(&[
        ("Domain Admins", 512),
        ("Enterprise Admins", 519),
        ("Schema Admins", 518),
        ("DnsAdmins", 1101),
        ("Helpdesk Operators", 1377),
    ]);
    members! {
        "securityGroupId": scene.dice.guid(),
        "displayName": name,
        "friendlyName": format!("{NT_DOMAIN}\\{name}"),
        "sid": format!("S-1-5-21-1004336348-1177238915-682003330-{number}"),
        "distinguishedName": format!("CN={name},CN=Users,DC=corp,DC=contoso,DC=com"),
        "activeDirectoryObjectGuid": scene.dice.guid(),
    }
}

pub(super) fn service_principal(scene: &mut Scene<'_>) -> Vec<Member> {
    let tenant = scene.tenant_id.to_owned();
    members! {
        "servicePrincipalObjectId": scene.dice.guid(),
        "servicePrincipalName": scene.dice.pick(&["Mail Insights", "backup-automation", "Contoso Sync", "id-app-prod"]),
        "servicePrincipalType": scene.dice.pick(&["application", "managedIdentity", "legacy"]),
        "appId": scene.dice.guid(),
        "appOwnerTenantId": scene.dice.guid(),
        "tenantId": tenant,
    }
}

pub(super) fn oauth_application(scene: &mut Scene<'_>) -> Vec<Member> {
    members! {
        "appId": scene.dice.guid(),
        "displayName": scene.dice.pick(&["Mail Insights", "PDF Converter Pro", "Calendar Helper", "Contoso Sync"]),
        "objectId": scene.dice.guid(),
        "publisher": scene.dice.pick(&[Some("Tailspin Toys"), Some("Proseware, Inc."), None]),
    }
}

pub(super) fn cloud_application(scene: &mut Scene<'_>) -> Vec<Member> {
    let (name, id) = scene.dice.pick(&pools::CLOUD_APPLICATIONS);
    members! {
        "appId": id,
        "displayName": name,
        "instanceId": scene.dice.pick(&[0, 0, 1]),
        "instanceName": scene.dice.pick(&["Microsoft 365", "Contoso", "Contoso (test)"]),
        "saasAppId": id,
        "stream": stream(scene),
    }
}

pub(super) fn cloud_logon_request(scene: &mut Scene<'_>) -> Vec<Member> {
    members! { "requestId": scene.dice.guid() }
}

pub(super) fn cloud_logon_session(scene: &mut Scene<'_>) -> Vec<Member> {
    let [browser, system, user_agent] = scene.dice.pick(&pools::BROWSERS);
    let user = user(scene);
    let device = scene.machine.host.clone();
    members! {
        "sessionId": scene.dice.guid(),
        "account": inner(scene, Kind::User, user),
        "userAgent": user_agent,
        "browser": browser,
        "operatingSystem": system,
        "deviceName": scene.maybe(0.5, device),
        "protocol": scene.dice.pick(&["OAuth2", "SAML20", "WS-Federation"]),
        "startUtcDateTime": scene.before(3600),
        "previousLogonDateTime": scene.before(200_000),
    }
}
