//! What stops a training, or keeps it from another's folder.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::here::{Here, RECIPE, ROWS};

const MODEL: &str = "bert-isolated-proj";

#[test]
fn bad_rows_are_counted_and_named_and_the_training_goes_on() {
    let here = Here::new(RECIPE);
    let mut rows = ROWS.to_owned();
    (0..12).for_each(|_| rows += "{\"text\": 7}\n");
    here.write("rows.jsonl", rows.as_bytes());
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("rows.jsonl:").count(), 10, "{said}");
    assert!(
        said.contains("rows.jsonl:7:") && said.contains("12 faulty rows"),
        "{said}"
    );
    assert!(!here.weights("out").is_empty());
}

#[test]
fn a_wrong_recipe_no_usable_row_and_an_occupied_folder_stop_it() {
    let here = Here::new(
        &RECIPE
            .replace("warmup", "warm_up")
            .replace("[optimizer]", "[optimiser]"),
    );
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_ne!(code, Some(0));
    assert!(
        said.contains("`warmup`") && said.contains("`optimizer`"),
        "{said}"
    );
    here.write("recipe.toml", RECIPE.as_bytes());
    here.write("rows.jsonl", b"{}\n");
    assert!(
        here.run("bert-isolated-proj", "out", &[])
            .1
            .contains("no usable row")
    );
    here.write("rows.jsonl", ROWS.as_bytes());
    here.done("bert-isolated-proj", "out", &[]);
    assert!(
        here.run("bert-isolated-proj", "out", &[])
            .1
            .contains("--resume")
    );
    here.write(
        "recipe.toml",
        RECIPE.replace("seed = 7", "seed = 9").as_bytes(),
    );
    assert!(
        here.run("bert-isolated-proj", "out", &["--resume"])
            .1
            .contains("another recipe")
    );
}

#[test]
fn a_loss_that_is_no_number_stops_it_and_the_last_checkpoint_is_kept() {
    let here = Here::new(
        &RECIPE
            .replace("2e-3", "1e30")
            .replace("every = 2", "every = 1"),
    );
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("learning_rate") && said.contains("is kept"),
        "{said}"
    );
}

#[test]
fn weights_that_are_no_numbers_are_no_checkpoint() {
    let here = Here::new(
        &RECIPE
            .replace("2e-3", "1e39")
            .replace("every = 2", "every = 1"),
    );
    let said = here.stops(MODEL, "out", &[]);
    assert!(
        said.contains("no numbers") && said.contains("no checkpoint had been saved"),
        "{said}"
    );
    let saved = std::fs::read_dir(here.0.path().join("out/checkpoints")).unwrap();
    assert_eq!(saved.count(), 0);
}

#[test]
fn no_usable_row_is_told_with_the_faults_that_are_why() {
    let here = Here::new(RECIPE);
    here.write("rows.jsonl", b"{\"text\": 7}\n\n[]\n");
    let said = here.stops(MODEL, "out", &[]);
    assert!(
        said.contains("no usable row in 1 files (2 faulty rows"),
        "{said}"
    );
    assert!(
        said.contains("rows.jsonl:1:") && said.contains("rows.jsonl:3:"),
        "{said}"
    );
}

/// Waits until a training has saved something; it runs on.
fn until_it_saves(here: &Here, child: &mut Child) {
    let checkpoints = here.0.path().join("out/checkpoints");
    let began = Instant::now();
    let is_saved = || {
        let entries = std::fs::read_dir(&checkpoints)
            .into_iter()
            .flatten()
            .flatten();
        let mut names = entries.map(|entry| entry.file_name());
        names.any(|name| !name.to_string_lossy().ends_with(".part"))
    };
    while !is_saved() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nothing was saved"
        );
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn a_training_that_is_asked_to_end_saves_and_goes_on_later_as_if_it_had_not() {
    // Between its checkpoints nothing is saved but where it is asked to end.
    let recipe = RECIPE
        .replace("steps = 12", "steps = 300")
        .replace("every = 2", "every = 100");
    let here = Here::new(&recipe);
    here.done(MODEL, "whole", &[]);
    for (signal, more) in [("-INT", &[][..]), ("-TERM", &["--resume"])] {
        let child = here.command(MODEL, "out", more).spawn().unwrap();
        let metrics = here.0.path().join("out/metrics.jsonl");
        let n_lines = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
        let (before, began) = (n_lines(), Instant::now());
        while n_lines() < before + 3 {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "no step was made"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("with --resume goes on"), "{said}");
        let saved = std::fs::read_dir(here.0.path().join("out/checkpoints")).unwrap();
        assert!(saved.count() > 0, "{said}");
        assert!(!here.0.path().join("out/model").exists());
    }
    here.done(MODEL, "out", &["--resume"]);
    assert_eq!(here.weights("out"), here.weights("whole"));
}

#[test]
fn a_training_that_is_asked_for_twice_runs_once() {
    let here = Here::new(&RECIPE.replace("steps = 12", "steps = 4000"));
    let mut first = here.command(MODEL, "out", &[]).spawn().unwrap();
    until_it_saves(&here, &mut first);
    for more in [&[][..], &["--resume"]] {
        let said = here.stops(MODEL, "out", more);
        assert!(said.contains("another process trains"), "{said}");
    }
    assert!(
        first.try_wait().unwrap().is_none(),
        "the running one was disturbed"
    );
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_training_goes_on_with_the_checkpoint_and_rows_that_it_began_with() {
    let here = Here::new(RECIPE);
    here.done(MODEL, "out", &[]);
    let said = here.stops("bert-prefix-full", "out", &["--resume"]);
    assert!(said.contains("another checkpoint"), "{said}");
    let more = format!("{ROWS}{{\"text\": \"Hail.\", \"labels\": [\"rain\"]}}\n");
    here.write("rows.jsonl", more.as_bytes());
    let said = here.stops(MODEL, "out", &["--resume"]);
    assert!(said.contains("other rows"), "{said}");
    here.write("rows.jsonl", ROWS.as_bytes());
    here.done(MODEL, "out", &["--resume"]);
}

#[test]
fn what_lies_in_the_folder_already_is_not_replaced() {
    let here = Here::new(RECIPE);
    std::fs::create_dir_all(here.0.path().join("work")).unwrap();
    here.write("work/recipe.toml", b"mine");
    let said = here.stops(MODEL, "work", &[]);
    assert!(said.contains("work/recipe.toml is there already"), "{said}");
    let mine = std::fs::read(here.0.path().join("work/recipe.toml")).unwrap();
    assert_eq!(mine, b"mine");

    here.done(MODEL, "out", &[]);
    let before = here.weights("out");
    let mut again = here.command(MODEL, "out", &["--resume"]);
    let init = here.0.path().join("out/model");
    let output = again.arg("--init").arg(init).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(here.weights("out"), before);
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_put_aside_for_an_older_one() {
    let recipe = RECIPE.replace("every = 2", "every = 2\nkeep = 3");
    let here = Here::new(&recipe);
    here.done(MODEL, "whole", &[]);
    here.done(MODEL, "out", &[]);
    for _ in 0..2 {
        here.write("out/checkpoints/step-00000012/trainer.json", b"{");
        here.done(MODEL, "out", &["--resume"]);
        assert_eq!(here.weights("out"), here.weights("whole"));
    }
    assert!(
        here.0
            .path()
            .join("out/checkpoints/step-00000012.broken")
            .exists()
    );
}

#[test]
fn a_training_whose_best_checkpoint_cannot_be_read_ends_with_another() {
    // What is learnt is next to nothing, so that the first evaluation stays the best.
    let recipe = RECIPE.replace("2e-3", "1e-9");
    let more = "[evaluation]\nevery = 3\nfiles = \"rows.jsonl\"\n";
    let here = Here::new(&format!("{recipe}{more}"));
    here.done(MODEL, "out", &[]);
    here.write("out/checkpoints/step-00000003/model.safetensors", b"{");
    let (code, said) = here.run(MODEL, "out", &["--resume"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the best checkpoint cannot be read"),
        "{said}"
    );
    let last = "out/checkpoints/step-00000012/model.safetensors";
    let last = std::fs::read(here.0.path().join(last)).unwrap();
    assert_eq!(here.weights("out"), last);
}

#[test]
fn what_a_killed_training_left_beside_its_files_goes() {
    let here = Here::new(RECIPE);
    here.done(MODEL, "out", &[]);
    here.write("out/.gliznet-Ab3xYz", b"half of a report");
    here.write("out/.gliznet-notes.md", b"mine");
    here.done(MODEL, "out", &["--resume"]);
    assert!(!here.0.path().join("out/.gliznet-Ab3xYz").exists());
    assert!(here.0.path().join("out/.gliznet-notes.md").exists());
}

#[test]
fn where_no_checkpoint_can_be_read_none_is_called_good() {
    let here = Here::new(RECIPE);
    here.done(MODEL, "out", &[]);
    let saved = std::fs::read_dir(here.0.path().join("out/checkpoints")).unwrap();
    for folder in saved {
        std::fs::write(folder.unwrap().path().join("trainer.json"), "{").unwrap();
    }
    let said = here.stops(MODEL, "out", &["--resume"]);
    assert!(
        said.contains("trainer.json")
            && said.contains("no checkpoint in out/checkpoints can be read"),
        "{said}"
    );
    assert!(!said.contains("is kept"), "{said}");
}

#[test]
fn a_file_that_is_there_is_not_replaced_by_batches() {
    let here = Here::new(RECIPE);
    here.write("diary.txt", b"mine\n");
    let more = ["--write-batches", "diary.txt"];
    let said = here.stops(MODEL, "out", &more);
    assert!(said.contains("diary.txt is there already"), "{said}");
    assert_eq!(
        std::fs::read(here.0.path().join("diary.txt")).unwrap(),
        b"mine\n"
    );
    assert!(!here.0.path().join("out").exists());
}

#[test]
fn a_recipe_that_its_checkpoint_does_not_fit_stops_it() {
    let recipe = RECIPE
        .replace("embeddings = false", "layers = 99")
        .replace(
            "label_embedding = 0.5",
            "supcon = 0\nrepulsion = 0\nbce = 0",
        )
        .replace("embedding = 0.5", "embedding = 0");
    let here = Here::new(&recipe);
    let said = here.stops(MODEL, "out", &[]);
    assert!(
        said.contains("`freeze.layers` is 99") && said.contains("all weights under `[loss]` are 0"),
        "{said}"
    );
}

#[test]
fn where_no_terminal_shows_a_bar_lines_tell_how_far_it_is() {
    let here = Here::new(RECIPE);
    let (_, said) = here.run(MODEL, "out", &["--resume"]);
    assert!(
        said.contains("step 1/12: loss") && said.contains("step 12/12"),
        "{said}"
    );
    assert!(said.contains("begins at its first step"), "{said}");
}
