//! The report of a training: metrics in, one HTML file with its figures inside out.
//!
//! Knows nothing of how the numbers came about. The figures are SVG, so that no other file, script
//! or network is needed to read it.

use std::fmt::Write;

use plotters::prelude::*;
use serde_json::Value;

use super::TrainError;
use super::measure::Measured;
use crate::learn::page::{escaped, head, reliability, table};

const SIZE: (u32, u32) = (640, 320);
/// What a figure has for its curves and their names, less its margins and the numbers at its left.
const WIDTH: f64 = 564.0;
/// What a name takes: the stroke before it with what is around both, and each of its letters.
const STROKE: f64 = 56.0;
const LETTER: f64 = 8.0;
/// Said of rows that are measured because no others are there.
const SEEN: &str = "<p><b>No row was held out and no file named under <code>[evaluation]</code>: \
    these are rows that it was trained on. They tell whether it learnt them, and nothing of how it \
    answers others.</b></p>\n";
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(90, 90, 90),
];
/// One line of a figure.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// The whole page.
pub(super) fn html(
    lines: &[Value],
    measured: &Measured,
    of_step: usize,
) -> Result<String, TrainError> {
    let steps: Vec<&Value> = lines
        .iter()
        .filter(|line| line.get("loss").is_some())
        .collect();
    let evaluations: Vec<&Value> = lines
        .iter()
        .filter(|line| line.get("evaluation").is_some())
        .collect();
    let mut page = head("Training report");
    let seconds: f64 = steps
        .iter()
        .filter_map(|line| line["seconds"].as_f64())
        .sum();
    let rows: f64 = steps.iter().filter_map(|line| line["rows"].as_f64()).sum();
    push(
        &mut page,
        format_args!(
            "<p>{} steps, {rows} examples in {:.1} minutes ({:.1} a second); the result is that of step {of_step}.</p>\n",
            steps.len(),
            seconds / 60.0,
            rows / seconds.max(1e-9),
        ),
    );
    let of_steps = |names: &[&str]| {
        names
            .iter()
            .map(|name| curve(name, &steps))
            .collect::<Vec<_>>()
    };
    page.push_str("<h2>Losses</h2>\n");
    page.push_str(&figure(
        "loss by step",
        &smooth(of_steps(&[
            "loss",
            "supcon",
            "bce",
            "repulsion",
            "embedding",
            "label_embedding",
        ])),
    )?);
    page.push_str(&figure(
        "norm of the gradients",
        &smooth(of_steps(&["gradient_norm"])),
    )?);
    page.push_str(&figure("learning rate", &of_steps(&["learning_rate"]))?);
    if !evaluations.is_empty() {
        page.push_str("<h2>Evaluations</h2>\n");
        for (key, title) in [
            ("lrap", "LRAP by step"),
            ("f1", "best micro-F1 by step"),
            ("ece", "expected calibration error by step"),
            ("loss", "loss of held-out rows by step"),
        ] {
            let curves = measured.sets.iter().map(|set| Curve {
                name: set.name.clone(),
                points: evaluations
                    .iter()
                    .filter_map(|line| {
                        let value = &line["evaluation"][set.name.as_str()][key];
                        Some((line["step"].as_f64()?, value.as_f64()?))
                    })
                    .collect(),
            });
            let curves: Vec<Curve> = curves.filter(|curve| !curve.points.is_empty()).collect();
            if !curves.is_empty() {
                page.push_str(&figure(title, &curves)?);
            }
        }
    }
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    for set in &measured.sets {
        let evaluation = &set.evaluation;
        push(&mut page, format_args!("<h2>{}</h2>\n", escaped(&set.name)));
        if set.is_seen {
            page.push_str(SEEN);
        }
        push(
            &mut page,
            format_args!(
                "<p>{} rows; LRAP {}, best micro-F1 {}, expected calibration error {:.3} \
             (of the trained head; a fitted calibration is a step of its own).</p>\n",
                evaluation.n_rows,
                number(set.ranking.as_ref().map(|ranking| ranking.lrap)),
                number(set.best_f1()),
                evaluation.calibration.equal_width.error(),
            ),
        );
        page.push_str(&reliability(evaluation).map_err(TrainError::Report)?);
        table(&mut page, evaluation, &set.labels);
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn push(page: &mut String, text: std::fmt::Arguments) {
    let _ = page.write_fmt(text); // A string takes everything.
}

fn curve(name: &str, lines: &[&Value]) -> Curve {
    let point = |line: &&Value| Some((line["step"].as_f64()?, line[name].as_f64()?));
    Curve {
        name: name.to_owned(),
        points: lines.iter().filter_map(point).collect(),
    }
}

/// Means over a hundredth of all steps, and no curve that is 0 throughout.
fn smooth(curves: Vec<Curve>) -> Vec<Curve> {
    let there = curves
        .into_iter()
        .filter(|curve| curve.points.iter().any(|(_, y)| *y != 0.0));
    there
        .map(|curve| {
            let width = (curve.points.len() / 100).max(1);
            let points = curve.points.chunks(width).map(|chunk| {
                let n = chunk.len() as f64;
                let sum = chunk
                    .iter()
                    .fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
                (sum.0 / n, sum.1 / n)
            });
            Curve {
                points: points.collect(),
                ..curve
            }
        })
        .collect()
}

fn figure(title: &str, curves: &[Curve]) -> Result<String, TrainError> {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let most = |value: fn((f64, f64)) -> f64| {
        points()
            .map(value)
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max)
    };
    let (right, top) = (most(|p| p.0).max(1.0), most(|p| p.1));
    let right = right * room_for_names(curves.iter().map(|curve| curve.name.as_str()));
    let top = if top > 0.0 { top * 1.05 } else { 1.0 };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..right, 0.0..top)
            .map_err(drawing)?;
        let number = |y: &f64| {
            if top < 0.01 {
                format!("{y:.0e}")
            } else {
                format!("{y:.2}")
            }
        };
        let mut mesh = chart.configure_mesh();
        mesh.y_label_formatter(&number)
            .x_label_formatter(&|x| format!("{x:.0}"));
        mesh.light_line_style(WHITE).draw().map_err(drawing)?;
        for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            let colour = *colour;
            chart
                .draw_series(line)
                .map_err(drawing)?
                .label(curve.name.as_str())
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .draw()
            .map_err(drawing)?;
        area.present().map_err(drawing)?;
    }
    Ok(svg + "\n")
}

/// How much longer than its curves a figure is, so that their names stand to the right of all points.
fn room_for_names<'a>(names: impl Iterator<Item = &'a str>) -> f64 {
    let letters = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let taken = STROKE + LETTER * letters as f64;
    WIDTH / (WIDTH - taken.min(0.6 * WIDTH))
}

fn drawing(error: impl std::fmt::Display) -> TrainError {
    TrainError::Report(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_curves_stand_beside_their_last_points() {
        for name in ["loss", "label_embedding", "gradient_norm"] {
            let curve = Curve {
                name: name.to_owned(),
                points: vec![(0.0, 1.0), (100.0, 1.0)],
            };
            let svg = figure("x", &[curve]).unwrap();
            // The line of the curve is the first of its colour, and ends before the name begins.
            let number = |text: &str, key: &str| {
                let rest = text.split(&format!("{key}=\"")).nth(1).unwrap();
                rest.split('"').next().unwrap().to_owned()
            };
            let line = svg
                .split("<polyline")
                .find(|part| part.to_uppercase().contains("#1F77B4"));
            let points = number(line.unwrap(), "points");
            let last = points.split_whitespace().last().unwrap();
            let end: f64 = last.split(',').next().unwrap().parse().unwrap();
            let label = svg.split("<text").find(|part| part.contains(name)).unwrap();
            let begin: f64 = number(label, " x").parse().unwrap();
            // The stroke of the name's line stands before it.
            assert!(end + 36.0 < begin, "{name}: {end} {begin}");
        }
    }
}
