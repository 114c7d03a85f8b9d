//! The manifests for Kubernetes.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::{is_there, read, skip, succeed, test_config};

const FOLDER: &str = "/run/secrets/defenderbeat";

/// The objects of the manifest, by kind.
fn objects() -> BTreeMap<String, Value> {
    let text = read("host/packages/kubernetes/statefulset.yaml");
    text.split("\n---\n")
        .map(|text| serde_saphyr::from_str::<Value>(text).unwrap())
        .map(|object| (object["kind"].as_str().unwrap().to_owned(), object))
        .collect()
}

#[test]
fn two_replicas_run_without_privileges_and_are_probed() {
    let objects = objects();
    let set = &objects["StatefulSet"];
    assert_eq!(set["spec"]["replicas"], 2);
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    for selected in [&set["spec"]["selector"]["matchLabels"], &objects["Service"]["spec"]["selector"]] {
        assert_eq!(selected, labels);
    }
    for kind in ["PodDisruptionBudget", "NetworkPolicy"] {
        let selector = if kind == "NetworkPolicy" { "podSelector" } else { "selector" };
        assert_eq!(&objects[kind]["spec"][selector]["matchLabels"], labels, "{kind}");
    }
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= 35, "shutdown_timeout and 5 s to save");
    let container = &pod["containers"][0];
    let wanted = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], wanted);
    for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
    }
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": 5066}]));

    // Each mount has its volume, and the user of the image owns what is written.
    let names = |list: &Value, path: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|item| item.pointer(path).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let mut volumes = names(&pod["volumes"], "/name");
    volumes.extend(names(&set["spec"]["volumeClaimTemplates"], "/metadata/name"));
    assert!(names(&container["volumeMounts"], "/name").iter().all(|name| volumes.contains(name)));
    assert!(names(&container["volumeMounts"], "/mountPath").contains(&FOLDER.to_owned()));
    assert!(read("Dockerfile").contains(&format!("USER {}:", pod["securityContext"]["runAsUser"])));
}

#[test]
fn the_configuration_is_valid_and_the_documentation_names_its_secrets() {
    let config = read("host/packages/kubernetes/defenderbeat.yml");
    let install = read("docs/install.md");
    let before = format!("file:{FOLDER}/");
    let named = config.split(&before).skip(1);
    let named: Vec<&str> = named.map(|rest| rest.lines().next().unwrap()).collect();
    assert_eq!(named.len(), 5);
    for name in &named {
        assert!(install.contains(&format!("--from-literal={name}=")), "docs/install.md does not say how {name} is set");
    }
    let values = named.iter().map(|name| match *name {
        "eventhub_connection_string" => {
            (*name, "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0")
        }
        "api_key" => (*name, "id:key"),
        name => (name, "c2VjcmV0"),
    });
    let folder = tempfile::tempdir().unwrap();
    let config = config.replace(FOLDER, &folder.path().display().to_string());
    test_config(&config, folder.path(), &values.collect::<Vec<_>>());
}

#[test]
fn kustomize_puts_the_configuration_into_a_map_that_pods_mount() {
    if !is_there("kubectl", "--help") {
        return skip("kubectl is not there: kustomization.yaml is not built");
    }
    let built = succeed(
        Command::new("kubectl").args(["kustomize", &crate::root("host/packages/kubernetes").display().to_string()]),
    );
    let objects: Vec<Value> = built.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let map = of("ConfigMap");
    assert_eq!(map["data"]["defenderbeat.yml"], read("host/packages/kubernetes/defenderbeat.yml"));
    let pod = &of("StatefulSet")["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["configMap"]["name"], map["metadata"]["name"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(pod["containers"][0]["image"], format!("registry.example.com/defenderbeat:{version}"));
}
