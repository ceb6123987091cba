//! What reports have in common: evaluations in, parts of a page that needs no other file out.

use std::fmt::Write;

use plotters::prelude::*;

use super::evaluation::Evaluation;

/// Labels in a table.
const ROWS: usize = 300;
const BLUE: RGBColor = RGBColor(31, 119, 180);
const GREY: RGBColor = RGBColor(90, 90, 90);

/// The beginning of a page.
pub(super) fn head(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\n\
         <style>body{{font:15px/1.5 system-ui,sans-serif;max-width:1340px;margin:2em auto;padding:0 1em;\
         color:#111;background:#fff}}\
         svg{{max-width:100%;height:auto;break-inside:avoid}}h2{{break-after:avoid;overflow-wrap:anywhere}}\
         table{{border-collapse:collapse}}tr{{break-inside:avoid}}\
         td,th{{padding:.15em .8em;text-align:right;border-bottom:1px solid #ddd}}\
         td:first-child,th:first-child{{text-align:left;min-width:7em;overflow-wrap:anywhere}}\
         @media(max-width:700px){{td,th{{padding:.15em .25em;font-size:12px}}}}\
         @media(max-width:430px){{td,th{{font-size:9.5px}}}}</style>\n<h1>{title}</h1>\n"
    )
}

/// Promise against truth, bin by bin; on the diagonal the two agree.
///
/// # Errors
/// Of the plotting library, in words.
pub(super) fn reliability(evaluation: &Evaluation) -> Result<String, String> {
    let bins = &evaluation.calibration.equal_width.bins;
    let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
    let found: Vec<(f64, f64)> = bins
        .iter()
        .map(|bin| (bin.mean_score, bin.share_positive))
        .collect();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (380, 340)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption("reliability", ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(drawing)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc("probability").y_desc("share that fits");
        mesh.light_line_style(WHITE).draw().map_err(drawing)?;
        for (points, colour) in [(&diagonal, GREY), (&found, BLUE)] {
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line).map_err(drawing)?;
        }
        let dots = found
            .iter()
            .map(|point| Circle::new(*point, 3, BLUE.filled()));
        chart.draw_series(dots).map_err(drawing)?;
        area.present().map_err(drawing)?;
    }
    Ok(svg + "\n")
}

/// A table of labels, the most frequent first.
pub(super) fn table(page: &mut String, evaluation: &Evaluation, names: &[String]) {
    let mut labels: Vec<_> = evaluation.labels.iter().collect();
    labels.sort_by_key(|label| (std::cmp::Reverse(label.n_positives), label.label));
    if labels.len() > ROWS {
        let _ = page.write_fmt(format_args!(
            "<p>The {ROWS} most frequent of {} labels.</p>\n",
            labels.len()
        ));
    }
    page.push_str("<table><tr><th>label</th><th>shown</th><th>true</th><th>predicted</th><th>precision</th><th>recall</th><th>F1</th><th>ROC AUC</th></tr>\n");
    for label in labels.into_iter().take(ROWS) {
        let name = names.get(label.label as usize).map_or("", String::as_str);
        let at = &label.at_default;
        let auc = label
            .roc_auc
            .map_or("–".to_owned(), |auc| format!("{auc:.3}"));
        let _ = page.write_fmt(format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.3}</td><td>{:.3}</td><td>{:.3}</td><td>{auc}</td></tr>\n",
                escaped(name),
                label.n_candidates,
                label.n_positives,
                label.n_predicted,
                at.precision,
                at.recall,
                at.f1,
            ));
    }
    page.push_str("</table>\n");
}

/// Text that may stand in a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn drawing(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_a_phone_and_breaks_long_names() {
        let page = head("<b>");
        assert!(page.contains("<title>&lt;b&gt;</title>") && page.contains("name=\"viewport\""));
        assert!(page.contains("td:first-child") && page.contains("overflow-wrap:anywhere"));
    }
}
