//! What a wrong table says: `diagnostics/<case>.yml` gives `<case>.txt`. `BLESS=1 cargo test -p defenderbeat-tables`
//! writes what is said now.

use std::fs;
use std::path::Path;

use defenderbeat_tables::{Functions, compile};

#[test]
fn wrong_tables_say_where_and_how_to_mend_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let functions = Functions::scan(&[folder.join("functions")]);
    let mut cases: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    cases.sort();
    assert!(cases.len() > 10);
    for case in cases {
        let said = compile(&case, &functions).err().map(|wrong| wrong.to_string()).unwrap_or_default();
        assert!(!said.is_empty(), "{} is not refused", case.display());
        let expected = case.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(
            said,
            wanted,
            "{}: if it is right now, run BLESS=1 cargo test -p defenderbeat-tables",
            case.display()
        );
    }
}

#[test]
fn a_table_with_more_fields_than_the_engine_takes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ecs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/ecs");
    fs::create_dir(folder.path().join("ecs")).unwrap();
    for file in fs::read_dir(ecs).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder.path().join("ecs").join(file.file_name().unwrap())).unwrap();
    }
    let file = folder.path().join("many.yml");
    let said = |rows: usize| {
        let rows: String = (0..rows).map(|row| format!("  - {{ from: a{row}, to: .a{row}, about: A. }}\n")).collect();
        fs::write(&file, format!("dataset: test.alert\necs: 8.11.0\nrows:\n{rows}")).unwrap();
        compile(&file, &Functions::default()).err().map(|wrong| wrong.to_string()).unwrap_or_default()
    };
    assert_eq!(said(900), "");
    assert!(said(1100).contains("more than 1024 fields"), "{}", said(1100));
}
