//! The manual and the editors' settings are what the program says they are.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn printed(what: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gliznet"))
        .args(["config", what])
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_manual_is_what_the_program_prints() {
    assert!(
        printed("docs") == file("docs/configuration.md"),
        "run `cargo run -- config docs > docs/configuration.md`"
    );
}

#[test]
fn the_settings_of_vs_code_are_what_the_program_prints() {
    let settings: Value = serde_json::from_str(&printed("vscode")).unwrap();
    let manifest: Value = serde_json::from_str(&file("editors/vscode/package.json")).unwrap();
    let texts: Value = serde_json::from_str(&file("editors/vscode/package.nls.json")).unwrap();
    let groups = manifest["contributes"]["configuration"].as_array().unwrap();
    for (name, expected) in settings.as_object().unwrap() {
        let mut found = groups
            .iter()
            .filter_map(|group| group["properties"].get(name));
        let actual = found
            .next()
            .unwrap_or_else(|| panic!("{name} is not in package.json"));
        assert_eq!(actual["type"], expected["type"], "{name}");
        assert_eq!(actual["default"], expected["default"], "{name}");
        let text = actual["markdownDescription"]
            .as_str()
            .unwrap()
            .trim_matches('%');
        assert_eq!(texts[text], expected["markdownDescription"], "{name}");
    }
}
