//! The manual in its three forms: help, completions, man pages.

use super::gliznet::Gliznet;

#[test]
fn every_shell_gets_its_completions() {
    let user = Gliznet::new();
    for (shell, mark) in [
        ("bash", "complete -F _gliznet"),
        ("zsh", "#compdef gliznet"),
        ("fish", "complete -c gliznet"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[gliznet]"),
    ] {
        let ran = user.run(&["completions", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
        for needed in [mark, "labelset", "multi-class", "from-vault"] {
            assert!(ran.out.contains(needed), "{shell} lacks {needed}");
        }
    }
    assert_eq!(user.run(&["completions", "tcsh"]).code, 2);
}

#[test]
fn every_command_has_a_man_page() {
    let user = Gliznet::new();
    let ran = user.run(&["man", "man/man1"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut pages: Vec<String> = std::fs::read_dir(user.path("man/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    for page in [
        "gliznet.1",
        "gliznet-tag.1",
        "gliznet-eval.1",
        "gliznet-labelset-from-vault.1",
        "gliznet-model-pull.1",
    ] {
        assert!(pages.iter().any(|p| p == page), "{page}: {pages:?}");
    }
    let page = std::fs::read_to_string(user.path("man/man1/gliznet-tag.1")).unwrap();
    for part in [".TH gliznet-tag 1", "multi\\-class", "Examples:"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let first = user.run(&["man"]);
    assert!(first.out.contains(".TH gliznet 1"), "{}", first.out);

    user.write("file", b"");
    let refused = user.run(&["man", "file"]);
    assert_eq!(refused.code, 1);
    assert!(refused.said().contains("file: "), "{}", refused.err);
}

#[test]
fn help_shows_how_it_is_used() {
    let user = Gliznet::new();
    let tag = user.run(&["tag", "--help"]);
    assert!(
        tag.out
            .contains("gliznet tag notes/ --labelset personal-notes")
    );
    let wrong = user.run(&["tagg"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("'tag'"), "{}", wrong.err);
}
