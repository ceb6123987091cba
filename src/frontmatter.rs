//! The settings block at the head of a document: YAML, TOML, JSON or Org keywords.
//!
//! Text in, extent, title and tags out, each with its bytes in the source. Front matter counts
//! only at byte 0 (a byte order mark may precede it); a `---` further down is a rule.
//! Broken front matter still has an extent, so that it is never read as text; `fault` says what
//! is wrong. Says which bytes to change, and changes nothing itself.

mod add;
mod change;
mod cursor;
mod extent;
mod fields;
mod hole;
mod keys;
mod occurrence;
mod org;
mod rename;
mod retag;
mod scalar;
mod toml;
mod yaml;

use std::collections::BTreeSet;

use crate::document::{Format, Span};
use crate::label::lower;

use fields::{Field, Scalar};

pub use add::{AddError, Edit, add_tag, fault};
pub use change::{TagPlace, add_tags, is_without_tags, settings_tags, tag_places};
pub use cursor::{TagCursor, tag_at_cursor};
pub use keys::{TagKeys, choose_tag_keys};
pub use occurrence::occurrences;
pub(crate) use org::keyword as org_keyword;
pub use rename::{RenameError, may_be_or_below, places_of, rename_tag, replace_tag, tag_name};
pub use retag::{Retagged, retag};

/// The language the settings are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Between `---` and `---` or `...`.
    Yaml,
    /// Between `+++` and `+++`.
    Toml,
    /// From `{` to its `}`, or between `;;;` and `;;;`.
    Json,
    /// `#+KEY: value` lines.
    Org,
}

/// How a tags value is written; an editor keeps this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsForm {
    /// The key stands there without a value.
    Null,
    /// One string or number: `a`, `a, b`, or (where spaces separate) `a b`.
    Scalar,
    /// `[a, b]`.
    Flow,
    /// One `- item` a line.
    Block,
    /// `:a:b:`.
    Org,
    /// An alias, a mapping or the like: nothing can be written into it.
    Other,
}

/// A value and where it stands, quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it says.
    pub text: String,
    /// Its bytes in the source.
    pub span: Span,
}

/// One key with tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsValue {
    /// The key as written.
    pub key: String,
    /// How the value is written.
    pub form: TagsForm,
    /// The bytes of the whole value; empty, after the key, where it is null.
    pub span: Span,
    /// The tags in it, in order, with the scalar that each one came from.
    pub items: Vec<Value>,
    /// It is one string in which spaces separate the tags.
    pub is_spaced: bool,
}

/// What the head of a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontMatter {
    /// The language it is written in.
    pub syntax: Syntax,
    /// From the start of the source to the line after the closing fence.
    pub extent: Span,
    /// What is between the fences.
    pub content: Span,
    /// The title.
    pub title: Option<Value>,
    /// The description, summary or abstract.
    pub description: Option<Value>,
    /// The tags of all tag keys: trimmed, without `#`, each once (the first spelling wins).
    pub tags: Vec<String>,
    /// Where the tags are written.
    pub tag_values: Vec<TagsValue>,
    /// Keys are taken over from another mapping (`<<`), tags perhaps among them.
    pub is_merged: bool,
    /// What is wrong with it, with its line. Tags are empty then.
    pub fault: Option<String>,
}

impl FrontMatter {
    /// The value that new tags go to: the last one of the usual keys, since a key of the user's own
    /// may hold categories besides; else the last one.
    pub fn place(&self) -> Option<&TagsValue> {
        let usual = TagKeys::default();
        let usual = self.tag_values.iter().rfind(|v| usual.contains(&v.key));
        usual.or(self.tag_values.last())
    }
}

/// Reads the front matter of `source` with the tag keys in force.
pub fn read(source: &str, format: Format) -> Option<FrontMatter> {
    read_with(source, format, &TagKeys::in_force())
}

/// Reads the front matter of `source`; `None` where it has none.
pub fn read_with(source: &str, format: Format, keys: &TagKeys) -> Option<FrontMatter> {
    let start = source.len() - source.trim_start_matches('\u{feff}').len();
    let (block, fields) = match format {
        Format::Org => org::read(source, start)?,
        Format::Latex => return None,
        _ => extent::read(source, start, format)?,
    };
    let find = |names: &[&str]| {
        let fields = fields.fields.iter();
        let mut named = fields.filter(|f| names.iter().any(|n| f.key.eq_ignore_ascii_case(n)));
        named.find_map(|f| match f.scalars.as_slice() {
            [scalar] if !scalar.text.trim().is_empty() && !scalar.is_null => Some(Value {
                text: scalar.text.trim().to_owned(),
                span: scalar.span,
            }),
            _ => None,
        })
    };
    let mut front_matter = FrontMatter {
        syntax: block.syntax,
        extent: Span::new(0, block.end),
        content: block.content,
        title: find(&["title"]),
        description: find(&["description", "summary", "abstract"]),
        tags: Vec::new(),
        tag_values: Vec::new(),
        is_merged: block.syntax == Syntax::Yaml && fields.fields.iter().any(|f| f.key == "<<"),
        fault: fields.fault,
    };
    if front_matter.fault.is_none() {
        let tagged = fields.fields.iter().filter(|f| keys.contains(&f.key));
        front_matter.tag_values = tagged.map(|field| tags_value(field, keys)).collect();
        let mut known = BTreeSet::new();
        for item in front_matter.tag_values.iter().flat_map(|v| &v.items) {
            if known.insert(lower(&item.text)) {
                front_matter.tags.push(item.text.clone());
            }
        }
    }
    Some(front_matter)
}

fn tags_value(field: &Field, keys: &TagKeys) -> TagsValue {
    let mut items = Vec::new();
    let mut is_spaced = false;
    for Scalar { text, span, .. } in field.scalars.iter().filter(|scalar| !scalar.is_null) {
        let names: Vec<&str> = match field.form {
            TagsForm::Org => text.split([':', ' ', '\t']).collect(),
            TagsForm::Scalar if text.contains(',') => text.split(',').collect(),
            TagsForm::Scalar if keys.split_spaces || text.trim_start().starts_with('#') => {
                is_spaced = true;
                text.split_whitespace().collect()
            }
            _ => vec![text],
        };
        items.extend(
            names
                .into_iter()
                .map(|name| name.trim().trim_start_matches('#').trim())
                .filter(|name| !name.is_empty())
                .map(|name| Value {
                    text: name.to_owned(),
                    span: *span,
                }),
        );
    }
    let is_null = field.form == TagsForm::Scalar && field.scalars.iter().all(|s| s.is_null);
    TagsValue {
        key: field.key.clone(),
        form: if is_null { TagsForm::Null } else { field.form },
        span: field.span,
        items,
        is_spaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_markdown(source: &str) -> FrontMatter {
        read(source, Format::Markdown).unwrap()
    }

    #[track_caller]
    fn check(source: &str, tags: &[&str]) {
        let front_matter = read_markdown(source);
        assert_eq!(front_matter.tags, tags, "{source}");
        assert_eq!(front_matter.fault, None, "{source}");
    }

    #[test]
    fn tags_are_read_in_every_spelling() {
        check("---\ntags: baking\n---\n", &["baking"]);
        check(
            "---\ntags: baking, kitchen/bread,\n---\n",
            &["baking", "kitchen/bread"],
        );
        check(
            "---\ntags: [a, \"b c\", 2024, null, ~]\n---\n",
            &["a", "b c", "2024"],
        );
        check(
            "---\ntags:\n- a\n- \n- 'b'\n- 3.50\n---\n",
            &["a", "b", "3.50"],
        );
        check(
            "---\ntags:\n  - a # why\n  # more\n  - b\n---\n",
            &["a", "b"],
        );
        check("---\ntags:\n---\n", &[]);
        check("---\ntags: ~\nTag: x\n---\n", &["x"]);
        check("---\ntags: \"#a #b\"\n---\n", &["a", "b"]);
        check("---\ntags: [[wiki]]\n---\n", &["wiki"]);
        check(
            "---\ntags: [Food, food, FOOD, été, Été]\n---\n",
            &["Food", "été"],
        );
        check("---\ntags: 2024\n---\n", &["2024"]);
        check("---\nmeta: {tags: [no]}\ntags: [yes]\n---\n", &["yes"]);
        check("---\n{\"tags\": [\"a\", \"b\"]}\n---\n", &["a", "b"]);
        check(
            "+++\ntitle = \"x\"\ntags = [\"a\", 'b']\n+++\n",
            &["a", "b"],
        );
        check("+++\n[taxonomies]\ntags = [\"a\"]\n+++\n", &["a"]);
        check(
            "{\n\t\"title\": \"x\",\n\t\"tags\": [\"a\", \"b\"]\n}\n\ntext\n",
            &["a", "b"],
        );
        check(";;;\n\"tags\": [\"a\"]\n;;;\n", &["a"]);
        check("\u{feff}---\r\ntags:\r\n  - a\r\n---\r\n", &["a"]);
        check("---\ntags: a\n...\nBody\n", &["a"]);
        check("---\n---\n", &[]);
        check("---\n# only a comment\n---\n", &[]);
    }

    #[test]
    fn which_keys_hold_tags_is_a_setting() {
        let source = "---\ncategories: jekyll update\nkeywords: [a]\ntags: b c\n---\n";
        let keys = TagKeys {
            keys: vec!["categories".to_owned(), "Keywords".to_owned()],
            split_spaces: true,
        };
        let front_matter = read_with(source, Format::Markdown, &keys).unwrap();
        assert_eq!(front_matter.tags, ["jekyll", "update", "a"]);
        assert_eq!(read_markdown(source).tags, ["b c"]);
    }

    #[test]
    fn new_tags_go_where_tags_stand_whatever_else_is_read() {
        let place = |source: &str| {
            let keys = TagKeys {
                keys: ["tags", "tag", "keywords"].map(str::to_owned).to_vec(),
                split_spaces: false,
            };
            let front_matter = read_with(source, Format::Markdown, &keys).unwrap();
            front_matter.place().map(|value| value.key.clone())
        };
        let check = |source: &str, key: &str| assert_eq!(place(source).as_deref(), Some(key));
        check("---\ntags: [a]\nkeywords: [b]\n---\n", "tags");
        check("---\nkeywords: [b]\nTag: a\n---\n", "Tag");
        check("---\ntags: [a]\ntag: b\n---\n", "tag");
        check("---\nkeywords: [b]\n---\n", "keywords");
        assert_eq!(place("---\ntitle: x\n---\n"), None);
    }

    #[test]
    fn org_file_tags_add_up_and_menus_do_not_count() {
        let source = "# a comment\n:PROPERTIES:\n:ID: 1\n:END:\n#+title: Garden\n#+FILETAGS: :a:b_c:\n\n\
                      #+filetags: d\n#+TAGS: menu\n#+HUGO_TAGS: e\nText\n#+FILETAGS: :late:\n";
        let front_matter = read(source, Format::Org).unwrap();
        assert_eq!(front_matter.tags, ["a", "b_c", "d", "e"]);
        assert_eq!(front_matter.title.unwrap().text, "Garden");
        assert!(source[front_matter.extent.end..].starts_with("Text"));
        assert_eq!(read("Text\n#+FILETAGS: :a:\n", Format::Org), None);
    }

    #[test]
    fn a_rule_is_no_front_matter() {
        for source in [
            "---\nHello there, this is text.\n---\nMore\n",
            "\n---\ntags: a\n---\n",
            "---\ntags: a\n",
            "----\ntags: a\n----\n",
            "{ this is text }\n",
            "{\"a\": 1} and text\n",
            "+++",
            "---",
            "",
        ] {
            assert_eq!(read(source, Format::Markdown), None, "{source}");
        }
        assert_eq!(read("---\ntags: a\n---\n", Format::Latex), None);
    }

    #[test]
    fn broken_front_matter_keeps_its_extent_and_says_where_it_breaks() {
        for (source, line) in [
            ("---\ntitle: x\ntags: [a, b\n---\nBody\n", "line "),
            ("---\ntitle: x\ntags: \"a\nmore: y\n---\nBody\n", "line "),
            ("---\r\nname: é\r\nbad: a: b\r\n---\r\nBody\n", "line 3: "),
            ("+++\ntags = [\n+++\nBody\n", "line "),
            ("+++\na = 1\nb = =\n+++\nBody\n", "line 3: "),
        ] {
            let front_matter = read_markdown(source);
            let fault = front_matter.fault.unwrap();
            assert!(fault.starts_with(line), "{source}: {fault}");
            assert_eq!(front_matter.tags, [""; 0]);
            assert!(source[front_matter.extent.end..].starts_with("Body"));
        }
    }

    #[test]
    fn the_bytes_of_the_tags_are_known() {
        let check = |source: &str, form: TagsForm, written: &str| {
            let front_matter = read_markdown(source);
            let value = &front_matter.tag_values[0];
            assert_eq!(value.form, form, "{source}");
            assert_eq!(&source[value.span.range()], written, "{source}");
        };
        check(
            "---\né: 1\ntags: [a, é] # c\n---\n",
            TagsForm::Flow,
            "[a, é]",
        );
        check(
            "---\ntags:\n  - a\n  - 'é'\nx: 1\n---\n",
            TagsForm::Block,
            "- a\n  - 'é'",
        );
        check("---\ntags: \"a, b\"\n---\n", TagsForm::Scalar, "\"a, b\"");
        check("---\ntags:\nx: 1\n---\n", TagsForm::Null, "");
        check("+++\ntags = [ \"é\" ]\n+++\n", TagsForm::Flow, "[ \"é\" ]");
        check("---\ntags: a b   # c\nx: 1\n---\n", TagsForm::Scalar, "a b");
        check("---\ntags: [a,\n  b]\n\n---\n", TagsForm::Flow, "[a,\n  b]");
        check("---\ntags: []  \n---\n", TagsForm::Flow, "[]");
        check(
            "---\ntags:\n- a   # c\n# d\n\nx: 1\n---\n",
            TagsForm::Block,
            "- a",
        );
        check(
            "---\ntags:\n- [a, b] # c\n---\n",
            TagsForm::Block,
            "- [a, b]",
        );
        check(
            "---\ntags:\n-\n- a\n- \nx: 1\n---\n",
            TagsForm::Block,
            "-\n- a\n-",
        );
        let empty = read_markdown("---\ntags: # none\nx: 1\n---\n");
        assert_eq!(empty.tag_values[0].span, Span::new(9, 9));
    }
}
