//! Charts: SVG that is drawn here, stretched to whatever width there is, with its words beside it in HTML.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use maud::{Markup, html};

use crate::format::clock;

/// The height of the drawing, in its own units.
const HEIGHT: f64 = 100.0;

/// Some numbers over time.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    /// What stands for it in the page's addresses of elements.
    pub(crate) id: &'a str,
    /// When each step begins.
    pub(crate) at: &'a [SystemTime],
    pub(crate) series: Vec<Series<'a>>,
    /// How a value is written.
    pub(crate) write: fn(f64) -> String,
}

/// One line, or one kind of bars, which stand on each other.
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    pub(crate) mark: Mark,
    /// Which colour: `c1`, `c2`; `bad`, `warn`.
    pub(crate) colour: &'a str,
    pub(crate) values: Vec<f64>,
    /// The number beside its name: what it came to over the whole time.
    pub(crate) sum: String,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Area,
    Line,
    Bars,
}

impl Chart<'_> {
    /// The chart.
    pub(crate) fn draw(&self) -> Markup {
        let steps = self.at.len();
        let top = nice_top(self.highest());
        let is_empty = self.series.iter().all(|series| series.values.iter().all(|value| *value == 0.0));
        html! {
            figure.chart id=(self.id) {
                figcaption {
                    h3 { (self.title) }
                    ul.legend { @for series in &self.series {
                        li { span class=(format!("swatch {}", series.colour)) {} (series.name) " " b { (series.sum) } }
                    } }
                }
                div.plot {
                    div.ys aria-hidden="true" { span { ((self.write)(top)) } span { ((self.write)(top / 2.0)) } span { ((self.write)(0.0)) } }
                    svg viewBox=(format!("0 0 {} {HEIGHT}", steps.max(1))) preserveAspectRatio="none" role="img" aria-label=(self.words()) {
                        @for height in [0.5, HEIGHT / 2.0, HEIGHT - 0.5] {
                            line.grid x1="0" x2=(steps.max(1)) y1=(height) y2=(height) vector-effect="non-scaling-stroke" {}
                        }
                        (self.bars(top))
                        @for series in &self.series { (self.line(series, top)) }
                        @for step in 0..steps { rect.hit x=(step) y="0" width="1" height=(HEIGHT) data-step=(step) {} }
                    }
                    @if is_empty { p.nothing { "Nothing in this time" } }
                    div.xs aria-hidden="true" { @for step in [0, steps / 2, steps.saturating_sub(1)] {
                        @if let Some(at) = self.at.get(step) { (clock(*at, self.clock_form())) }
                    } }
                }
                div.foot { (self.table()) p.readout aria-hidden="true" {} }
            }
        }
    }

    /// The numbers themselves: for who cannot see the drawing, and for what the pointer reads out.
    fn table(&self) -> Markup {
        html! {
            details.numbers { summary { "Numbers" } div.scroll tabindex="0" {
                table {
                    caption.hidden { (self.title) }
                    thead { tr { th scope="col" { "From" } @for series in &self.series { th.number scope="col" { (series.name) } } } }
                    tbody { @for (step, at) in self.at.iter().enumerate() {
                        tr data-step=(step) {
                            th scope="row" { (clock(*at, self.clock_form())) }
                            @for series in &self.series { td.number { ((self.write)(series.values.get(step).copied().unwrap_or_default())) } }
                        }
                    } }
                }
            } }
        }
    }

    fn line(&self, series: &Series<'_>, top: f64) -> Markup {
        if series.mark == Mark::Bars || series.values.is_empty() {
            return html! {};
        }
        let points = series.values.iter().enumerate().fold(String::new(), |mut path, (step, value)| {
            let command = if step == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{} {:.2}", step as f64 + 0.5, height(*value, top));
            path
        });
        let last = series.values.len() as f64 - 0.5;
        html! {
            @if series.mark == Mark::Area {
                path class=(format!("area {}", series.colour)) d=(format!("{points}L{last} {HEIGHT}L0.5 {HEIGHT}Z")) {}
            }
            path class=(format!("line {}", series.colour)) d=(points) fill="none" vector-effect="non-scaling-stroke" {}
        }
    }

    fn bars(&self, top: f64) -> Markup {
        let mut bars = Vec::new();
        for step in 0..self.at.len() {
            let mut below = 0.0;
            for series in self.series.iter().filter(|series| series.mark == Mark::Bars) {
                let value = series.values.get(step).copied().unwrap_or_default();
                if value > 0.0 {
                    let (y, bottom) = (height(below + value, top), height(below, top));
                    bars.push((format!("bar {}", series.colour), step as f64 + 0.1, y, bottom - y));
                }
                below += value;
            }
        }
        html! { @for (class, x, y, tall) in bars {
            rect class=(class) x=(x) y=(format!("{y:.2}")) width="0.8" height=(format!("{tall:.2}")) {}
        } }
    }

    fn highest(&self) -> f64 {
        let lines = self.series.iter().filter(|series| series.mark != Mark::Bars);
        let highest = lines.flat_map(|series| series.values.iter().copied()).fold(0.0, f64::max);
        let stack = |step: usize| -> f64 {
            let bars = self.series.iter().filter(|series| series.mark == Mark::Bars);
            bars.filter_map(|series| series.values.get(step)).sum()
        };
        (0..self.at.len()).map(stack).fold(highest, f64::max)
    }

    fn words(&self) -> String {
        let series = self.series.iter().map(|series| {
            let highest = series.values.iter().copied().fold(0.0, f64::max);
            format!("{} {}, at most {}", series.name, series.sum, (self.write)(highest))
        });
        format!("{}: {}", self.title, series.collect::<Vec<_>>().join("; "))
    }

    /// Days need no minutes.
    fn clock_form(&self) -> &'static str {
        let whole = self.at.first().zip(self.at.last()).and_then(|(first, last)| last.duration_since(*first).ok());
        if whole > Some(Duration::from_secs(2 * 86_400)) { "date" } else { "minute" }
    }
}

fn height(value: f64, top: f64) -> f64 {
    HEIGHT - (value / top).clamp(0.0, 1.0) * (HEIGHT - 2.0)
}

/// The next round number, so that the marks beside the chart are round, too.
fn nice_top(highest: f64) -> f64 {
    if highest <= 0.0 || !highest.is_finite() {
        return 1.0;
    }
    let magnitude = 10_f64.powf(highest.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * magnitude).find(|top| *top >= highest).unwrap_or(highest)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::format::short;

    #[test]
    fn the_top_is_a_round_number() {
        let check = |highest: f64, expected: f64| {
            assert!((nice_top(highest) - expected).abs() < 1e-9, "{highest}: {}", nice_top(highest))
        };
        check(0.0, 1.0);
        check(f64::NAN, 1.0);
        check(0.3, 0.4);
        check(1.0, 1.0);
        check(3.0, 4.0);
        check(730.0, 800.0);
        check(999.0, 1000.0);
    }

    #[test]
    fn draws_lines_bars_and_numbers() {
        let at: Vec<_> = (0..3).map(|minute| UNIX_EPOCH + Duration::from_secs(minute * 60)).collect();
        let series = |mark, values: [f64; 3]| Series {
            name: "a<b",
            mark,
            colour: "c1",
            values: values.to_vec(),
            sum: "9".to_owned(),
        };
        let text = Chart {
            title: "Calls",
            id: "calls",
            at: &at,
            series: vec![series(Mark::Area, [0.0, 2.0, 4.0]), series(Mark::Bars, [0.0, 1.0, 0.0])],
            write: short,
        }
        .draw()
        .into_string();
        for part in [
            r#"viewBox="0 0 3 100""#,
            r#"d="M0.5 100.00L1.5 51.00L2.5 2.00""#,
            r#"<rect class="bar c1" x="1.1" y="75.50" width="0.8" height="24.50">"#,
            r#"aria-label="Calls: a&lt;b 9, at most 4; a&lt;b 9, at most 1""#,
            ">00:02</time>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("style="), "the page's policy forbids it");
        let none = Chart { title: "x", id: "x", at: &[], series: vec![], write: short }.draw().into_string();
        assert!(none.contains("Nothing in this time"));
    }
}
