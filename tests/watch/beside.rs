//! Tags that stand beside notes, in attributes and sidecars, and what a person does to them there.

use crate::User;

const SIDECAR: &str = ".gliznet-tags.jsonl";

fn beside(user: &User) -> String {
    std::fs::read_to_string(user.path(SIDECAR)).unwrap_or_default()
}

/// Notes whose tags stand in the sidecar.
fn tagged(names: &[&str]) -> User {
    let user = User::new();
    user.watch(&["--sink", "sidecar"]);
    for name in names {
        user.write(name, &format!("Roses of {name} want pruning.\n"));
    }
    let is_all = |lines: &String| lines.matches("tax").count() == names.len();
    user.until("beside", || beside(&user), is_all);
    user.settled();
    user
}

fn corrections(user: &User) -> serde_json::Value {
    user.home.status()["journal"]["corrections"].clone()
}

#[test]
fn a_tag_that_is_taken_out_of_the_sidecar_is_heard_of_at_once() {
    let user = tagged(&["a.md", "b.md"]);
    let lines: Vec<String> = beside(&user).lines().map(str::to_owned).collect();
    let without = lines[0].replace("\"tax\"", "").replace(",]", "]");
    let without = without.replace("[,", "[");
    user.write(SIDECAR, &format!("{without}\n{}\n", lines[1]));
    user.until("heard", || corrections(&user), |count| *count == 1);
    let find = || user.find(&["tax"]);
    user.until("gone", find, |found| *found == ["\"b.md\""]);
    // Another text of the same note does not bring it back.
    user.write("a.md", "Roses of a.md want pruning, and compost.\n");
    user.settled();
    assert_eq!(beside(&user), format!("{without}\n{}\n", lines[1]));
    assert_eq!(corrections(&user), 1);
}

#[test]
fn a_tag_that_is_taken_out_of_the_sidecar_while_no_daemon_runs_is_heard_of() {
    let user = tagged(&["a.md"]);
    user.home.run(&["stop"]);
    let without = beside(&user).replace("\"tax\"", "\"mine\"");
    user.write(SIDECAR, &without);
    user.settled();
    user.until("heard", || corrections(&user), |count| *count == 1);
    assert_eq!(beside(&user), without);
}

#[test]
fn a_checkout_of_the_sidecar_takes_nothing_out() {
    let names: Vec<String> = (0..20).map(|i| format!("{i}.md")).collect();
    let user = tagged(&names.iter().map(String::as_str).collect::<Vec<_>>());
    user.write(SIDECAR, &beside(&user).replace("\"tax\"", "\"mine\""));
    let is_all = |lines: &String| lines.matches("tax").count() == names.len();
    user.until("back", || beside(&user), is_all);
    user.settled();
    assert_eq!(corrections(&user), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_tag_that_is_taken_out_of_the_attribute_is_heard_of_at_once() {
    let user = User::new();
    user.watch(&["--sink", "xattr"]);
    user.write("a.md", "Roses want pruning.\n");
    let tags = || xattr::get(user.path("a.md"), "user.xdg.tags").unwrap();
    user.until("tagged", tags, Option::is_some);
    user.settled();
    xattr::set(user.path("a.md"), "user.xdg.tags", b"garden").unwrap();
    user.until("heard", || corrections(&user), |count| *count == 1);
    user.settled();
    assert_eq!(tags().unwrap(), b"garden");
    assert!(user.find(&["tax"]).is_empty());
}
