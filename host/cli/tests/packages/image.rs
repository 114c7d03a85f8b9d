//! The Dockerfile. Building it takes a Docker daemon and a registry, which `make dist` looks for.

use crate::{read, root};

/// Its instructions, each with its arguments, continued lines put together.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(instruction, rest)| (instruction.to_owned(), rest.to_owned()))
        .collect()
}

#[test]
fn the_image_holds_the_program_only_and_runs_as_nobody() {
    let all = instructions();
    let last = all.iter().rposition(|(instruction, _)| instruction == "FROM").unwrap();
    let (build, image) = all.split_at(last);
    assert_eq!(image[0].1, "scratch", "no shell and no libraries");
    let value = |name: &str| {
        let found: Vec<&str> = image.iter().filter(|(of, _)| of == name).map(|(_, value)| value.as_str()).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].to_owned()
    };
    assert_eq!(value("USER"), "65532:65532");
    // Without brackets they would take a shell, which is not there.
    for name in ["ENTRYPOINT", "CMD"] {
        let words: Vec<String> = serde_json::from_str(&value(name)).unwrap();
        assert!(!words.is_empty());
    }
    assert!(
        image.iter().all(|(of, _)| of != "RUN")
            && value("COPY").starts_with("--from=build --chown=65532:65532 /image/")
    );
    let built = build.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n");
    assert!(built.contains("make static") && read("Makefile").contains("\nstatic:"));
    assert!(built.contains("ca-certificates.crt"), "TLS takes authorities");
}

#[test]
fn the_image_is_built_by_the_compiler_that_the_tests_are_built_by_from_what_is_there() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    let (minor, _) = channel.rsplit_once('.').unwrap();
    let all = instructions();
    assert!(all[0].1.starts_with(&format!("rust:{minor}-")), "{} does not follow rust-toolchain.toml", all[0].1);
    for (instruction, arguments) in &all {
        if instruction != "COPY" || arguments.contains("--from=") {
            continue;
        }
        let (sources, _) = arguments.rsplit_once(' ').unwrap();
        assert!(sources.split(' ').all(|source| root(source).exists()), "COPY {arguments}");
    }
}
