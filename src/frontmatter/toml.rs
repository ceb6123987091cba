//! TOML settings to fields, by `toml_edit`.
//!
//! Broken TOML has no fields; the fault says why.

use toml_edit::{Document, Item, Value};

use super::TagsForm;
use super::fields::{Field, Fields, Scalar, fault};
use crate::document::Span;

pub(super) fn read(source: &str, content: Span) -> Fields {
    let document = match Document::parse(&source[content.range()]) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let what = error.message().lines().next().unwrap_or("not TOML");
            return Fields {
                fields: Vec::new(),
                fault: Some(fault(source, content.start + at, what)),
            };
        }
    };
    let mut fields: Vec<Field> = document
        .iter()
        .filter_map(|(key, item)| field(source, content, key, item))
        .collect();
    // Hugo also allows them under `[taxonomies]`, as Zola does.
    if let Some(table) = document.get("taxonomies").and_then(Item::as_table_like) {
        let nested = table.iter();
        fields.extend(nested.filter_map(|(key, item)| field(source, content, key, item)));
    }
    Fields {
        fields,
        fault: None,
    }
}

fn field(source: &str, content: Span, key: &str, item: &Item) -> Option<Field> {
    let value = item.as_value()?;
    let span = span(content, value)?;
    let (form, scalars) = match value {
        Value::Array(array) => (
            TagsForm::Flow,
            array
                .iter()
                .filter_map(|value| scalar(source, content, value))
                .collect(),
        ),
        Value::InlineTable(_) => (TagsForm::Other, Vec::new()),
        _ => (
            TagsForm::Scalar,
            scalar(source, content, value).into_iter().collect(),
        ),
    };
    Some(Field {
        key: key.to_owned(),
        form,
        span,
        scalars,
    })
}

fn scalar(source: &str, content: Span, value: &Value) -> Option<Scalar> {
    let span = span(content, value)?;
    let text = match value {
        Value::String(text) => text.value().clone(),
        Value::Array(_) | Value::InlineTable(_) => return None,
        // Numbers and dates as they were written.
        _ => source[span.range()].to_owned(),
    };
    Some(Scalar {
        text,
        span,
        is_null: false,
    })
}

fn span(content: Span, value: &Value) -> Option<Span> {
    Some(Span::from(value.span()?).shifted(content.start))
}
