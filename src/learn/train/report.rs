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
/// Curves of at most so many points show each of them: a line through one is none.
const DOTTED: usize = 20;
/// Letters of a curve's name, of those that are longer its beginning and end.
const NAME: usize = 33;
const COLOURS: [RGBColor; 12] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(90, 90, 90),
    RGBColor(23, 190, 207),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(188, 189, 34),
    RGBColor(0, 0, 128),
    RGBColor(0, 128, 128),
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
            "<p>{}, {} in {} ({:.1} a second); the result is that of step {of_step}.</p>\n",
            counted(steps.len(), "step"),
            counted(rows as usize, "example"),
            duration(seconds),
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
                "<p>{}; LRAP {}, best micro-F1 {}, expected calibration error {:.3} \
             (of the trained head; a fitted calibration is a step of its own). In the table a label is \
             predicted from a probability of {} on.</p>\n",
                counted(evaluation.n_rows, "row"),
                number(set.ranking.as_ref().map(|ranking| ranking.lrap)),
                number(set.best_f1()),
                evaluation.calibration.equal_width.error(),
                evaluation.default_threshold,
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

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} seconds"),
        ..120.0 => format!("{seconds:.0} seconds"),
        ..7200.0 => format!("{:.1} minutes", seconds / 60.0),
        _ => format!("{:.1} hours", seconds / 3600.0),
    }
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
    let names: Vec<String> = curves.iter().map(|curve| short(&curve.name)).collect();
    let right = right * room_for_names(names.iter().map(String::as_str));
    let top = if top > 0.0 { top * 1.05 } else { 1.0 };
    let mut svg = String::new();
    {
        let height = SIZE.1.max(80 + 16 * curves.len() as u32); // Their names stand one below the other.
        let area = SVGBackend::with_string(&mut svg, (SIZE.0, height)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..right, 0.0..top)
            .map_err(drawing)?;
        let mut mesh = chart.configure_mesh();
        let label = |y: &f64| number(*y, top);
        mesh.y_label_formatter(&label)
            .x_labels((right as usize + 1).min(11)) // A step is a whole number.
            .x_label_formatter(&|x| match x.fract() == 0.0 {
                true => format!("{x:.0}"),
                false => String::new(),
            });
        mesh.light_line_style(WHITE).draw().map_err(drawing)?;
        let curves = curves.iter().zip(names);
        for ((curve, name), colour) in curves.zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            let colour = *colour;
            chart
                .draw_series(line)
                .map_err(drawing)?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
            if curve.points.len() <= DOTTED {
                let dots = curve.points.iter();
                let dots = dots.map(|point| Circle::new(*point, 3, colour.filled()));
                chart.draw_series(dots).map_err(drawing)?;
            }
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

/// A number at the side of a figure that ends at `top`: one that differs from those above and below.
fn number(y: f64, top: f64) -> String {
    match (0.01..10_000.0).contains(&top) {
        // There are a dozen of them at most.
        true => format!("{y:.*}", (1.3 - top.log10()).ceil().max(2.0) as usize),
        false if y == 0.0 => "0".to_owned(),
        false => format!("{y:.1e}"),
    }
}

/// A name that leaves room for the curves.
fn short(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= NAME {
        return name.to_owned();
    }
    let half = NAME / 2;
    let (start, end) = (&letters[..half], &letters[letters.len() - half..]);
    start.iter().chain(&['…']).chain(end).collect()
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

    fn curve_of(name: &str, points: &[(f64, f64)]) -> Curve {
        Curve {
            name: name.to_owned(),
            points: points.to_vec(),
        }
    }

    #[test]
    fn a_curve_of_one_point_is_seen_and_steps_are_whole() {
        let svg = figure("x", &[curve_of("loss", &[(1.0, 0.5)])]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
        let ones = svg.lines().filter(|line| line.trim() == "1").count();
        assert_eq!(ones, 1, "{svg}");
    }

    #[test]
    fn numbers_at_the_side_differ() {
        for top in [
            0.0013, 0.0021, 0.0099, 0.012, 0.03, 0.09, 0.5, 2.6, 700.0, 1.2e5, 3e29,
        ] {
            let numbers: Vec<String> = (1..=11)
                .map(|n| number(f64::from(n) * top / 11.0, top))
                .collect();
            let mut unique = numbers.clone();
            unique.dedup();
            assert_eq!(unique, numbers);
        }
        assert_eq!(number(0.5, 2.6), "0.50");
        assert_eq!(number(2e-4, 2e-3), "2.0e-4");
    }

    #[test]
    fn many_curves_with_long_names_are_all_named() {
        let names: Vec<String> = (0..30)
            .map(|n| format!("{n}: a file with a name that is far too long for a figure, part {n}"))
            .collect();
        let curves: Vec<Curve> = names
            .iter()
            .map(|name| curve_of(name, &[(1.0, 1.0), (9.0, 2.0)]))
            .collect();
        let svg = figure("x", &curves).unwrap();
        let height: f64 = svg
            .split("height=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        for n in [0, 29] {
            let at = svg.find(&format!("part {n}\n")).unwrap();
            let text = &svg[svg[..at].rfind("<text").unwrap()..at];
            let y: f64 = text
                .split(" y=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!(y > 0.0 && y < height, "{n}: {y} of {height}");
        }
    }

    #[test]
    fn a_short_training_takes_seconds() {
        assert_eq!(duration(0.04), "0.0 seconds");
        assert_eq!(duration(75.2), "75 seconds");
        assert_eq!(duration(600.0), "10.0 minutes");
        assert_eq!(duration(9000.0), "2.5 hours");
        assert_eq!(
            (counted(1, "step"), counted(2, "step")),
            ("1 step".into(), "2 steps".into())
        );
    }

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
