//! Kubernetes and containers.

use super::super::enums::Kind;
use super::super::json::{Json, Member, members, object};
use super::super::scene::Scene;
use super::{cloud, inner, network};

/// A workload: its name, and the image of its container.
type Workload = (&'static str, &'static str, &'static str);

const WORKLOADS: [Workload; 4] = [
    ("payments-api", "contoso.azurecr.io", "payments/api:4.2.1"),
    ("web-frontend", "contoso.azurecr.io", "web/frontend:2025.2"),
    ("log-shipper", "docker.io", "library/fluent-bit:3.2"),
    ("miner", "registry.example.net", "pub/xmr:latest"),
];

const NAMESPACES: [&str; 4] = ["payments", "kube-system", "default", "monitoring"];

fn workload(scene: &mut Scene<'_>) -> Workload {
    scene.dice.pick(&WORKLOADS)
}

fn labels(name: &'static str) -> Json {
    object! { "app": name, "app.kubernetes.io/managed-by": "Helm", "tier": "backend" }
}

pub(super) fn cluster(scene: &mut Scene<'_>) -> Vec<Member> {
    let (platform, kind, resource) = match scene.dice.below(4) {
        0 => ("eks", Kind::AmazonResource, cloud::amazon_resource(scene)),
        1 => ("gke", Kind::GoogleCloudResource, cloud::google_resource(scene)),
        _ => ("aks", Kind::AzureResource, cloud::azure_resource(scene)),
    };
    members! {
        "cloudResource": inner(scene, kind, resource),
        "distribution": scene.maybe(0.3, "upstream"),
        "name": format!("{platform}-prod-weu"),
        "platform": platform,
        "version": scene.dice.pick(&["1.31.5", "1.30.9", "1.29.13"]),
    }
}

pub(super) fn namespace(scene: &mut Scene<'_>) -> Vec<Member> {
    let cluster = cluster(scene);
    let name = scene.dice.pick(&NAMESPACES);
    members! {
        "name": name,
        "cluster": inner(scene, Kind::KubernetesCluster, cluster),
        "labels": object! { "kubernetes.io/metadata.name": name },
    }
}

/// A namespace within another item; its cluster has no more than a name.
fn inner_namespace(scene: &mut Scene<'_>) -> Json {
    let name = scene.dice.pick(&NAMESPACES);
    let cluster = members! {
        "cloudResource": Json::Null,
        "distribution": Json::Null,
        "name": "aks-prod-weu",
        "platform": "aks",
        "version": Json::Null,
    };
    let own = members! {
        "name": name,
        "cluster": inner(scene, Kind::KubernetesCluster, cluster),
        "labels": object! {},
    };
    inner(scene, Kind::KubernetesNamespace, own)
}

pub(super) fn registry(scene: &mut Scene<'_>) -> Vec<Member> {
    members! { "registry": workload(scene).1 }
}

pub(super) fn image(scene: &mut Scene<'_>) -> Vec<Member> {
    let workload = workload(scene);
    image_of(scene, workload)
}

fn image_of(scene: &mut Scene<'_>, (_, registry, image): Workload) -> Vec<Member> {
    let own = inner(scene, Kind::ContainerRegistry, members! { "registry": registry });
    let name = image.split(':').next().unwrap_or(image);
    let digest = members! {
        "imageId": format!("{registry}/{name}@sha256:{}", scene.dice.hex(64)),
        "registry": Json::Null,
        "digestImage": Json::Null,
    };
    members! {
        "imageId": format!("{registry}/{image}"),
        "registry": own,
        "digestImage": inner(scene, Kind::ContainerImage, digest),
    }
}

pub(super) fn container(scene: &mut Scene<'_>) -> Vec<Member> {
    let workload = workload(scene);
    let pod = pod_of(scene, workload, Vec::new());
    let pod = inner(scene, Kind::KubernetesPod, pod);
    container_of(scene, workload, pod)
}

fn container_of(scene: &mut Scene<'_>, workload: Workload, pod: Json) -> Vec<Member> {
    let image = image_of(scene, workload);
    members! {
        "containerId": format!("containerd://{}", scene.dice.hex(64)),
        "name": workload.0,
        "image": inner(scene, Kind::ContainerImage, image),
        "command": ["/bin/sh", "-c"],
        "args": ["exec /app/server --port=8080", "--verbose"],
        "isPrivileged": scene.dice.chance(0.3),
        "pod": pod,
    }
}

pub(super) fn pod(scene: &mut Scene<'_>) -> Vec<Member> {
    let workload = workload(scene);
    let container = container_of(scene, workload, Json::Null);
    let container = inner(scene, Kind::Container, container);
    pod_of(scene, workload, vec![container])
}

fn pod_of(scene: &mut Scene<'_>, (name, ..): Workload, containers: Vec<Json>) -> Vec<Member> {
    let namespace = inner_namespace(scene);
    let controller = members! {
        "name": name,
        "namespace": Json::Null,
        "type": "ReplicaSet",
        "labels": labels(name),
    };
    let account = members! { "name": format!("sa-{name}"), "namespace": Json::Null };
    let address = format!("10.244.{}.{}", scene.dice.between(0, 16), scene.dice.between(2, 250));
    members! {
        "name": format!("{name}-{}-{}", scene.dice.hex(9), scene.dice.hex(5)),
        "namespace": namespace,
        "controller": inner(scene, Kind::KubernetesController, controller),
        "serviceAccount": inner(scene, Kind::KubernetesServiceAccount, account),
        "podIp": network::private(scene, address),
        "labels": labels(name),
        "containers": containers,
        "initContainers": others(scene, "init-certificates"),
        "ephemeralContainers": others(scene, "debugger"),
    }
}

/// A container of a pod beside those of its workload; most pods have none.
fn others(scene: &mut Scene<'_>, name: &'static str) -> Vec<Json> {
    if scene.dice.chance(0.8) {
        return Vec::new();
    }
    let own = container_of(scene, (name, "docker.io", "library/busybox:1.37"), Json::Null);
    vec![inner(scene, Kind::Container, own)]
}

pub(super) fn controller(scene: &mut Scene<'_>) -> Vec<Member> {
    let (name, ..) = workload(scene);
    members! {
        "name": name,
        "namespace": inner_namespace(scene),
        "type": scene.dice.pick(&["Deployment", "DaemonSet", "StatefulSet", "Job"]),
        "labels": labels(name),
    }
}

pub(super) fn secret(scene: &mut Scene<'_>) -> Vec<Member> {
    let (name, kind) = scene.dice.pick(&[
        ("payments-db", "Opaque"),
        ("wildcard-tls", "kubernetes.io/tls"),
        ("registry-pull", "kubernetes.io/dockerconfigjson"),
    ]);
    members! { "name": name, "namespace": inner_namespace(scene), "secretType": kind }
}

pub(super) fn service_account(scene: &mut Scene<'_>) -> Vec<Member> {
    let (name, ..) = workload(scene);
    members! { "name": format!("sa-{name}"), "namespace": inner_namespace(scene) }
}

pub(super) fn service(scene: &mut Scene<'_>) -> Vec<Member> {
    let (name, ..) = workload(scene);
    let port = |name: &'static str, port: i32, target: &'static str, node: i32| {
        object! {
            "appProtocol": "http",
            "name": name,
            "nodePort": node,
            "port": port,
            "protocol": "tcp",
            "targetPort": target,
        }
    };
    let ports = [port("https", 443, "8443", 30_443), port("metrics", 9090, "metrics", 0)];
    let address = format!("10.0.{}.{}", scene.dice.between(0, 255), scene.dice.between(2, 250));
    members! {
        "name": format!("{name}-svc"),
        "namespace": inner_namespace(scene),
        "clusterIP": network::private(scene, address),
        "externalIPs": [network::attacker(scene)],
        "labels": labels(name),
        "selector": object! { "app": name },
        "servicePorts": ports,
        "serviceType": scene.dice.pick(&["loadBalancer", "nodePort", "clusterIP"]),
    }
}
