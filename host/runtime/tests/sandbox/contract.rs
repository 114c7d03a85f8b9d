//! Which components are taken, and which are refused with what words.

use std::sync::Arc;

use defenderbeat_runtime::{Component, Engine, Error, Options, Part, Pipeline, Result, Setup, State, Transform};
use serde_json::json;

use crate::rig::{ENGINE, HOSTILE, Rig, batch, mapped, short, wasm};

#[test]
fn a_component_says_what_it_is() {
    let descriptor = HOSTILE.descriptor();
    assert_eq!(descriptor.name, "hostile");
    assert_eq!(descriptor.routes, ["test.hostile", "test.other"]);
    let states: Vec<_> = descriptor.feeds.iter().map(|feed| (feed.name.as_str(), feed.state)).collect();
    let expected = [("records", State::None), ("facts", State::Facts), ("sync", State::Sync), ("whole", State::None)];
    assert_eq!(states, expected);
    assert_eq!(descriptor.feed("facts").unwrap().keys, ["records"]);
}

#[test]
fn another_import_is_refused_by_name() {
    let error = Component::compile(&ENGINE, &wasm("hostile-import")).unwrap_err();
    assert!(matches!(&error, Error::ForbiddenImport(name) if name == "wasi:clocks/wall-clock@0.2.3"), "{error}");
    assert!(error.to_string().contains("only defenderbeat:pipeline/diagnostics, sink and lookup are allowed"));
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let whole = wasm("hostile");
    for bytes in [&b""[..], b"\x7fELF", &wasm("hostile.core"), &whole[..whole.len() / 2]] {
        let error = Component::compile(&ENGINE, bytes).unwrap_err();
        assert!(matches!(error, Error::Compile(_)), "{error}");
        assert!(!error.is_retryable());
    }
}

#[test]
fn a_component_of_a_newer_patch_runs() {
    let component = Component::compile(&ENGINE, &wasm("hostile-patch")).unwrap();
    let mut pipeline = Pipeline::open(&component, Setup::default()).unwrap();
    let mut lines = Vec::new();
    let receipt = pipeline.push(&batch("records", &["{\"a\":1}\n", "{\"b\":2}\n"]), &mut |part: Part| {
        lines.extend_from_slice(&part.ndjson);
        Ok(())
    });
    assert_eq!(receipt.unwrap().tallies, [mapped(1); 2]);
    assert_eq!(lines, b"{\"a\":1}\n{\"b\":2}\n");
    pipeline.finish(&mut |_| Ok(())).unwrap();
}

#[test]
fn a_component_with_a_changed_record_is_refused_clearly() {
    for (name, difference) in [
        ("hostile-changed", "an exported function differs: "),
        ("hostile-changed", "expected record of 3 fields, found 4 fields"),
        ("hostile-changed-import", "defenderbeat:pipeline/sink@0.1.0"),
        ("hostile-changed-import", "expected record of 7 fields, found 8 fields"),
    ] {
        let error = Component::compile(&ENGINE, &wasm(name)).unwrap_err();
        assert!(matches!(error, Error::Contract(_)), "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(difference), "{text}");
        assert!(text.starts_with("the component does not fit the contract defenderbeat:pipeline@0.1: "), "{text}");
        assert!(text.ends_with("build it against the WIT of this version"), "{text}");
    }
}

#[allow(unsafe_code, reason = "code that was made here, and garbage, which is not loaded")]
fn precompiled(engine: &Engine, code: &[u8], wasm: &[u8]) -> Result<Component> {
    // SAFETY: it is what `Engine::precompile` made, or nothing that wasmtime takes for it.
    unsafe { Component::precompiled(engine, code, wasm) }
}

#[test]
fn precompiled_code_runs() {
    let wasm = wasm("hostile");
    let code = ENGINE.precompile(&wasm).unwrap();
    // The component itself is no component: the code is what runs.
    let component = precompiled(&ENGINE, &code, b"").unwrap();
    assert_eq!(component.descriptor(), HOSTILE.descriptor());
}

#[test]
fn where_precompiled_code_does_not_load_the_component_is_compiled() {
    let wasm = wasm("hostile");
    let garbage = precompiled(&ENGINE, b"garbage", &wasm).unwrap();
    assert_eq!(garbage.descriptor(), HOSTILE.descriptor());
    // Code of an engine with other options would not count fuel.
    let code = ENGINE.precompile(&wasm).unwrap();
    let engine = Engine::new(Options::default().with_fuel(true)).unwrap();
    let component = precompiled(&engine, &code, &wasm).unwrap();
    assert!(Pipeline::open(&component, Setup::default()).unwrap().fuel_used() > 0);
    assert!(matches!(precompiled(&ENGINE, b"garbage", b"garbage"), Err(Error::Compile(_))));
}

#[test]
fn settings_are_refused_with_their_path() {
    let error = Rig::open(&json!({"colour": "red"}), short()).err().unwrap();
    let Error::Settings { path, message } = &error else { panic!("{error}") };
    assert_eq!(path, "$");
    assert!(message.contains("colour"), "{message}");
    assert!(error.to_string().starts_with("settings refused at $: "), "{error}");
}

#[test]
fn no_settings_are_settings() {
    for settings in ["", " \n", "{}"] {
        let setup = Setup::new(settings);
        let mut pipeline = Pipeline::open(&HOSTILE, setup).unwrap();
        pipeline.push(&batch("records", &["{}"]), &mut |_: Part| Ok(())).unwrap();
    }
}

#[test]
fn a_feed_that_the_component_does_not_have_is_an_error() {
    let mut rig = Rig::new(short());
    let error = rig.push_to("alerts", &["{}"]).0.unwrap_err();
    assert_eq!(error.to_string(), "the component `hostile` has no feed `alerts`");
    rig.obeys(&json!({"a": 1}));
}

#[test]
fn lookups_are_answered_by_the_host() {
    struct Geo;
    impl defenderbeat_runtime::Lookup for Geo {
        fn find(&self, kind: &str, key: &str) -> Option<String> {
            (kind == "geo").then(|| format!("{{\"key\":\"{key}\"}}"))
        }
    }
    let setup = Setup::default().with_lookup(Arc::new(Geo));
    let mut pipeline = Pipeline::open(&HOSTILE, setup).unwrap();
    let questions = ["geo", "as"].map(|kind| json!({"do": "lookup", "kind": kind, "key": "k"}));
    let mut answers = Vec::new();
    let push = pipeline.push(&batch("records", &questions), &mut |part: Part| {
        answers.extend_from_slice(&part.ndjson);
        Ok(())
    });
    push.unwrap();
    assert_eq!(String::from_utf8(answers).unwrap(), "{\"key\":\"k\"}\nnull\n");
}

#[test]
fn what_threads_share_may_be_shared() {
    fn shared<T: Send + Sync + std::fmt::Debug>() {}
    fn sent<T: Send + std::fmt::Debug>() {}
    shared::<Engine>();
    shared::<Component>();
    shared::<Setup>();
    shared::<Error>();
    shared::<Part>();
    sent::<Pipeline>();
}
