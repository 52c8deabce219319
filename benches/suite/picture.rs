//! The rates as a picture: a field for each share and number of rules, a bar for each tool, on a logarithmic scale.
//!
//! Every bar has its name and its figure, so nothing hangs on colours; they are for the eye that looks twice, and there
//! is a set for light pages and one for dark ones.

use std::fmt::Write as _;

use crate::Seen;
use crate::peers::Tool;
use crate::report::{Row, percent, short};

/// In pixels: room for names on the left and for figures behind the longest bar.
const NAMES: f64 = 152.0;
const FIELD: f64 = 240.0;
const FIGURES: f64 = 46.0;
const HEAD: f64 = 74.0;
const BAR: f64 = 18.0;
/// Above each row of fields, for its title and the scale of the row before.
const GAP: f64 = 52.0;

// Plain classes and no variables: not everything that shows a picture knows those.
const STYLE: &str = "\
.page { fill: #ffffff; }
text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.head { font-weight: 600; }
.pale { fill: #59636e; }
.mark { font-size: 10px; fill: #59636e; text-anchor: middle; }
.name { text-anchor: end; }
.bold { font-weight: 700; }
line { stroke: #d8dee4; stroke-width: 1; }
.ours { fill: #cf222e; }
.floor { fill: #8c959f; }
.library { fill: #0969da; }
.search { fill: #9a6700; }
.daemon { fill: #1a7f37; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; }
  text { fill: #e6edf3; }
  .pale, .mark { fill: #9198a1; }
  line { stroke: #30363d; }
  .ours { fill: #ff7b72; }
  .floor { fill: #6e7681; }
  .library { fill: #58a6ff; }
  .search { fill: #d29922; }
  .daemon { fill: #3fb950; }
}
";

/// Where rates lie on the scale.
struct Scale {
    /// Powers of ten.
    low: i32,
    high: i32,
}

impl Scale {
    fn of(rates: impl Iterator<Item = f64> + Clone) -> Scale {
        let low = rates.clone().fold(f64::INFINITY, f64::min);
        let high = rates.fold(0.0, f64::max);
        if high <= 0.0 {
            return Scale { low: 0, high: 1 };
        }
        // A bar of no length would look like no rate at all.
        let low = (low * 0.95).log10().floor() as i32;
        Scale { low, high: (high.log10().ceil() as i32).max(low + 1) }
    }

    fn pixels(&self, rate: f64) -> f64 {
        let share = (rate.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        share.clamp(0.0, 1.0) * (FIELD - FIGURES)
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| 10f64.powi(power))
    }
}

fn colour(tool: Tool) -> &'static str {
    match tool {
        Tool::Read | Tool::Wc => "floor",
        Tool::Tripline => "ours",
        Tool::Captures | Tool::Hyperscan => "library",
        Tool::Ripgrep => "search",
        Tool::Mtail | Tool::Sec => "daemon",
    }
}

pub(crate) fn picture(seen: &Seen, rows: &[Row]) -> String {
    let scale = Scale::of(rows.iter().filter_map(Row::scan));
    let tools: Vec<Tool> = seen.peers.tools().collect();
    let (columns, lines) = (seen.plan.rules.len() as f64, seen.plan.shares.len() as f64);
    let field_height = tools.len() as f64 * BAR;
    let width = NAMES + columns * FIELD + 10.0;
    let height = HEAD + lines * (GAP + field_height) + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>Megabytes of log per second of CPU, for each tool, number of rules and share of matching lines</title>\n\
         <style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"14\" y=\"30\">MB of log per second of CPU</text>\n\
         <text class=\"pale\" x=\"14\" y=\"50\">logarithmic scale, longer is better; without start; medians of {}</text>\n",
        match seen.plan.rounds {
            1 => "one round".to_owned(),
            rounds => format!("{rounds} rounds"),
        }
    );
    for (down, share) in seen.plan.shares.iter().enumerate() {
        let top = HEAD + down as f64 * (GAP + field_height) + 34.0;
        let bottom = top + field_height;
        let _ = writeln!(
            svg,
            "<text class=\"head\" x=\"14\" y=\"{}\">{} match</text>",
            top - 10.0,
            percent(*share)
        );
        for (across, rules) in seen.plan.rules.iter().enumerate() {
            let left = NAMES + across as f64 * FIELD;
            let _ =
                writeln!(svg, "<text class=\"head\" x=\"{left}\" y=\"{}\">{rules} rules</text>", top - 10.0);
            for mark in scale.marks() {
                let x = left + scale.pixels(mark);
                let _ = writeln!(
                    svg,
                    "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                     <text class=\"mark\" x=\"{x:.1}\" y=\"{}\">{}</text>",
                    bottom + 13.0,
                    mark_name(mark)
                );
            }
            for (place, tool) in tools.iter().enumerate() {
                let y = top + place as f64 * BAR;
                let weight = if *tool == Tool::Tripline { " bold" } else { "" };
                if across == 0 {
                    let (x, y) = (left - 8.0, y + 13.0);
                    let _ = writeln!(svg, "<text class=\"name{weight}\" x=\"{x}\" y=\"{y}\">{tool}</text>");
                }
                let row =
                    rows.iter().find(|row| row.rules == *rules && row.share == *share && row.tool == *tool);
                let rate = row.and_then(Row::scan);
                let length = rate.map_or(0.0, |rate| scale.pixels(rate));
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" rx=\"1.5\" class=\"{}\"/>\
                     <text class=\"figure{weight}\" x=\"{:.1}\" y=\"{}\">{}</text>",
                    y + 2.5,
                    BAR - 5.0,
                    colour(*tool),
                    left + length + 5.0,
                    y + 13.0,
                    rate.map_or("-".to_owned(), short)
                );
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn mark_name(mark: f64) -> String {
    if mark >= 1000.0 { format!("{}k", mark / 1000.0) } else { mark.to_string() }
}
