//! Heads of documents as they are found in vaults, sites and notebooks: real forms, odd ones too.
//!
//! Each one stands for a way of writing; whether its tags can be changed is said beside it.

use crate::document::Format;

/// A document, and whether every plain tag can be added to it and taken out of it.
pub(super) struct Sample {
    pub(super) format: Format,
    pub(super) text: &'static str,
    pub(super) is_open: bool,
}

const fn open(text: &'static str) -> Sample {
    Sample {
        format: Format::Markdown,
        text,
        is_open: true,
    }
}

const fn closed(text: &'static str) -> Sample {
    Sample {
        is_open: false,
        ..open(text)
    }
}

const fn org(text: &'static str) -> Sample {
    Sample {
        format: Format::Org,
        ..open(text)
    }
}

#[rustfmt::skip]
pub(super) const SAMPLES: [Sample; 83] = [
    // Obsidian.
    open("---\ntags:\n  - journal\n  - daily\ncreated: 2024-03-01 08:15\n---\n# 2024-03-01\n"),
    open("---\naliases: [\"A note\", Another]\ntags: [journal, daily]\ncssclasses:\n  - wide\n---\nText\n"),
    open("---\ntags:\n  - \nlinks: \"[[Home]]\"\n---\n[[Home]]\n"),
    open("---\ntags:\n- project/alpha\n- status/open\nup: \"[[Projects]]\"\nrelated:\n  - \"[[A]]\"\n  - \"[[B|b]]\"\n---\n"),
    open("---\ntag: inbox\n---\n\n- [ ] task #todo\n"),
    open("---\ntags: inbox, later\n---\n"),
    open("---\ntags: \"#inbox #later\"\n---\n"),
    open("---\ntags:\nstatus:\n---\n"),
    open("---\ntags: null\n---\n"),
    open("---\ntags: []\n---\n\n> [!note] Callout\n"),
    open("---\ntitle: A note\n---\n\nText with #inline and `#no-tag`.\n"),
    open("---\n---\nEmpty settings\n"),
    open("# No settings at all\n\nText.\n"),
    open(""),
    open("---\ntags: [[wiki]]\n---\n"),
    open("---\nkanban-plugin: board\ntags: [board]\n---\n\n## Todo\n\n%% kanban:settings\n```\n{\"kanban-plugin\":\"board\"}\n```\n%%\n"),
    open("---\ncssclass: dashboard\ntags: # filled by a template\n---\n<%* tR += \"x\" %>\n"),
    open("---\nexcalidraw-plugin: parsed\ntags: [excalidraw]\n\n---\n==⚠  Switch to EXCALIDRAW VIEW ⚠==\n"),
    // Comments, anchors, quotes, odd values.
    open("---\n# tags: [not, these]\ntags: [a, 'b b', \"c, d\"] # mine\nx: \"tags: [no]\"\n---\n"),
    open("---\nbase: &base [x, y]\ntags:\n  - a # first\n  # between\n\n  - b\n# after\nmore: *base\n---\n"),
    open("---\ntags: &t\n  - a\n  - b\nsame: *t\n---\n"),
    open("---\nx: |\n  tags: [no]\n  ---\ntags: [yes]\ny: >-\n  folded\n  text\n---\n"),
    open("---\ntags: 2024\n---\n"),
    open("---\ntags: [2024, 3.50, true, ~]\n---\n"),
    open("---\ntags:\n    -   wide\n    -   \"quoted\"\n---\n"),
    open("---\ntags: [\n    a,\n    b,   # why\n    c\n]\nx: 1\n---\n"),
    open("---\ntags:\n  [a, b]\n---\n"),
    open("---\n\"tags\": [a]\n'title': \"x\"\n---\n"),
    open("---\nTags: [A]\nTAG: b\n---\n"),
    open("---\ntags  :   [ a ,b ]   \n---\n"),
    open("---\ntags: [a]\ntags2: [b]\nmeta:\n  tags: [c]\n---\n"),
    closed("---\ntags: *gone\n---\n"),
    closed("---\ncommon: &t [mine, yours]\ntags: *t\n---\n"),
    closed("---\nbase: &b {tags: [mine]}\n<<: *b\n---\n"),
    open("---\nx: &x garden\ntags: [*x, b]\n---\n"),
    closed("---\ntags:\n- [a, b]\n- c\n---\n"),
    closed("---\ntags: {a: 1, b: 2}\n---\n"),
    closed("---\ntags:\n  a: 1\n---\n"),
    closed("---\ntags: !!set {a, b}\n---\n"),
    open("---\ntags: \"\"\n---\n"),
    open("---\ntags: \"#\"\n---\n"),
    open("---\ntags: a,\n---\n"),
    open("---\ntags: 'a, '\n---\n"),
    open("---\ntags: [\n  a, # why a\n  b  # why b\n]\n---\n"),
    closed("---\rtitle: x\rtags: [a]\r---\rText\r"),
    closed("---\ntags: >-\n  folded text\n---\n"),
    closed("---\ntags: [a, b\n---\nBroken\n"),
    closed("---\ntitle: a: b\ntags: [x]\n---\nBroken\n"),
    closed("---\n\ttags: [x]\ntitle: \"open\n---\nBroken\n"),
    // Ends of lines and of files.
    open("---\r\ntags:\r\n  - a\r\n---\r\nText\r\n"),
    open("---\r\ntags: [a]\r\n---\r\n"),
    open("\u{feff}---\ntags: [a]\n---\nText"),
    open("\u{feff}---\r\ntitle: x\r\n---\r\n"),
    open("\u{feff}Text"),
    open("---\ntags: [a]\n---"),
    open("---\ntags: a\n...\nText\n"),
    open("---   \ntags: [é, 日本語, 🌱]\ntitre: Crème brûlée\n---   \nÉté\n"),
    // Jekyll, Hugo, Zola, Pandoc, Quarto.
    open("---\nlayout: post\ntitle:  \"Welcome to Jekyll!\"\ndate:   2015-11-17 16:16:01 -0600\ncategories: jekyll update\ntags: jekyll\n---\n"),
    open("---\ntitle: Report\nauthor:\n  - name: A. B.\n    affiliation: C\nformat:\n  html:\n    toc: true\ntags: [r, stats]\n---\n\n```{r}\n# tags: [no]\n```\n"),
    open("+++\ntitle = \"My post\"\ndate = 2024-03-01T08:15:00Z\ntags = [\"hugo\", 'toml'] # two\n[params]\nx = 1\n+++\nText\n"),
    open("+++\ntitle = 'x'\n[menu.main]\nweight = 1\n+++\n"),
    open("+++\ntags = [\n  \"a\",\n  \"b\",\n]\n+++\n"),
    open("+++\ntitle = 'x'\n[taxonomies]\ntags = [\"zola\"]\ncategories = ['y']\n+++\n"),
    open("+++\ntags = [\n  \"a\", # why a\n  \"b\", # why b\n]\n+++\n"),
    open("+++\ntags = \"\"\n+++\n"),
    closed("+++\ntags = {mine = 1}\n+++\n"),
    closed("+++\ntags = [\"a\"\n+++\nBroken\n"),
    closed("{\"tags\": {\"mine\": 1}}\n\nText\n"),
    open("{\"tags\": \"\"}\n\nText\n"),
    open(";;;\n{\"tags\": [\"\", \"a\"]}\n;;;\n"),
    open("{\"title\": \"\\ud83c\\udf31 sow\", \"tags\": [\"a\"]}\n\nText\n"),
    open("---\n{\"title\": \"\\ud83c\\udf31\", \"tags\": [\"a\"]}\n---\nText\n"),
    open("{\n  \"title\": \"x\",\n  \"tags\": [\n    \"a\",\n    \"b\"\n  ]\n}\n\nText\n"),
    open("{\"title\": \"x\", \"tags\": [\"a\"], \"n\": 1}\nText\n"),
    open("{}\n"),
    open("---\n{\"tags\": [\"a\"], \"title\": \"x\"}\n---\nText\n"),
    // Org.
    org("#+TITLE: Garden\n#+FILETAGS: :home:green:\n#+DATE: <2024-03-01 Fri>\n\n* Beds :spring:\n"),
    org(":PROPERTIES:\n:ID:       1f2e\n:END:\n#+title: Node\n#+filetags: :a:\n\nText\n"),
    org("# -*- mode: org -*-\n#+title: Node\n"),
    org(":PROPERTIES:\n:ID: 1f2e\n:END:\nText\n"),
    org("#+FILETAGS: a b\n#+FILETAGS: :c:\nText\n"),
    org("#+HUGO_BASE_DIR: ~/site\n#+HUGO_TAGS: x y\n#+TAGS: menu(m)\n"),
    org("* A headline first :tag:\nText\n"),
];
