//! Finds what is printable but no text: base64, digests, keys.
//!
//! Invariant: what is kept is in order, inside the span, on character boundaries.

use super::Span;

/// Shortest run of letters and digits that may be a blob.
const BLOB_LEN: usize = 64;

/// The parts of `span` that are not blobs.
pub(super) fn others(source: &str, span: Span) -> Vec<Span> {
    let text = &source[span.range()];
    if text.len() < BLOB_LEN {
        return vec![span];
    }
    let mut kept = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while at < text.len() {
        let run = text.as_bytes()[at..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(b))
            .count();
        if is_blob(&text.as_bytes()[at..at + run]) {
            kept.push(Span::new(from, at).shifted(span.start));
            from = at + run;
        }
        at += run;
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    kept.push(Span::new(from, text.len()).shifted(span.start));
    kept.retain(|kept| !kept.is_empty());
    kept
}

/// Base64, digests and keys are long and hardly ever broken; paths and slugs are broken often.
fn is_blob(run: &[u8]) -> bool {
    let n_breaks = run.iter().filter(|b| b"/_-".contains(b)).count();
    run.len() >= BLOB_LEN && n_breaks * 16 < run.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kept: &str) {
        let others = others(text, Span::new(0, text.len()));
        let others: String = others.into_iter().map(|span| &text[span.range()]).collect();
        assert_eq!(others, kept);
    }

    #[test]
    fn a_blob_is_left_out_and_a_path_is_not() {
        let blob = "iVBORw0KGgo".repeat(10);
        check(
            &format!("data:image/png;base64,{blob}) end"),
            "data:image/png;base64,) end",
        );
        check(&format!("{blob}é{blob}"), "é");
        for text in [
            "src/main/java/org/example/notes/service/impl/index/builder/base.java",
            "how-to-bake-a-loaf-of-bread-in-an-ordinary-oven-without-much-fuss-at-all",
            "今日は新しいレシピを試しました今日は新しいレシピを試しました",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ] {
            check(text, text);
        }
    }
}
