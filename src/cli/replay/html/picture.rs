//! The picture: a lane for each change and for each key, what it shows as height and colour, raises as shapes, matches
//! below, time across.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use super::story::{ChangeLane, Lane, Story};
use super::{Plain, when};
use crate::model::{ChangeStatus, Status, Timestamp};

/// Lanes that are drawn of keys.
const MOST_LANES: usize = 60;
/// Lanes that are drawn of changes.
const MOST_CHANGES: usize = 20;
/// Pixels from one lane to the next.
const LANE: usize = 44;
/// Pixels of the bars of matches.
const BARS: usize = 60;
/// How many of them there are.
const PARTS: usize = 120;
/// Marks on the line of time, at most.
const MOST_MARKS: usize = 5;

/// Where in a span a time lies, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a picture has a few thousand pixels")]
pub(super) fn share(time: Timestamp, from: Timestamp, to: Timestamp) -> f64 {
    let whole = (to.0 as f64 - from.0 as f64).max(1.0);
    ((time.0 as f64 - from.0 as f64) / whole).clamp(0.0, 1.0)
}

/// What is drawn over which time.
struct Canvas<'a> {
    from: Timestamp,
    to: Timestamp,
    tz: &'a TimeZone,
    svg: String,
}

impl Canvas<'_> {
    /// Where a time lies, in percent of the width.
    fn x(&self, time: Timestamp) -> f64 {
        share(time, self.from, self.to) * 100.0
    }

    /// The line of a lane and what stands above it; returns where the line lies.
    fn ground(&mut self, rule: &str, which: &str, more: u64, top: usize) -> usize {
        let base = top + LANE - 4;
        let (rule, which) = (Plain(rule), Plain(which));
        let more = if more > 0 { format!(" (and {more} more changes)") } else { String::new() };
        let _ = write!(
            self.svg,
            "<foreignObject x=\"0\" y=\"{top}\" width=\"100%\" height=\"20\"><div class=\"lane\"><b>{rule}</b> \
             <bdi>{which}</bdi>{more}</div></foreignObject>\
             <line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{base}\" y2=\"{base}\"/>"
        );
        base
    }

    /// A change: a band while it is under way, a thin one while it is to come, and a mark for each line.
    fn change(&mut self, lane: &ChangeLane, top: usize) {
        let base = self.ground(&lane.rule, &lane.key, lane.more, top);
        let mut marks = String::new();
        for (number, (time, status)) in lane.steps.iter().enumerate() {
            let next = lane.steps.get(number + 1).map_or(self.to, |(time, _)| *time);
            let (x, word, shape) = (self.x(*time), status.as_str(), shape(*status));
            let width = self.x(next) - x;
            let band = match status {
                ChangeStatus::Planned | ChangeStatus::Ready => 3,
                ChangeStatus::Processing => 8,
                ChangeStatus::Done | ChangeStatus::Canceled => 0,
            };
            if band > 0 && width > 0.0 {
                let (since, until) = (when(*time, self.tz), when(next, self.tz));
                let y = base - band;
                let _ = write!(
                    self.svg,
                    "<rect class=\"change\" x=\"{x:.3}%\" y=\"{y}\" width=\"{width:.3}%\" height=\"{band}\">\
                     <title>{word}, {since} to {until}</title></rect>"
                );
            }
            let seen = when(*time, self.tz);
            let _ = write!(
                marks,
                "<svg x=\"{x:.3}%\" y=\"{base}\"><use href=\"#{shape}\"><title>{word}, {seen}</title></use></svg>"
            );
        }
        self.svg.push_str(&marks);
    }

    fn lane(&mut self, lane: &Lane, top: usize) {
        let base = self.ground(&lane.rule, &lane.labels, lane.more, top);
        let mut marks = String::new();
        for (number, (time, status)) in lane.steps.iter().enumerate() {
            if *time > self.to {
                break;
            }
            let next = lane.steps.get(number + 1).map_or(self.to, |(time, _)| (*time).min(self.to));
            let before = number.checked_sub(1).map_or(Status::Ok, |before| lane.steps[before].1);
            let (x, end) = (self.x(*time), self.x(next));
            let kind = status.as_str();
            let Some(height) = height(*status) else { continue };
            let (y, width) = (base - height, end - x);
            let (since, until) = (when(*time, self.tz), when(next, self.tz));
            let _ = write!(
                self.svg,
                "<rect class=\"{kind}\" x=\"{x:.3}%\" y=\"{y}\" width=\"{width:.3}%\" height=\"{height}\">\
                 <title>{kind}, {since} to {until}</title></rect>"
            );
            if *status > before {
                let _ = write!(marks, "<svg x=\"{x:.3}%\" y=\"{base}\"><use href=\"#{kind}\"/></svg>");
            }
        }
        let last = lane.steps.iter().rev().find(|(time, _)| *time <= self.to);
        if let Some((_, status)) = last.filter(|(_, status)| *status != Status::Ok) {
            let kind = status.as_str();
            let _ = write!(
                marks,
                "<svg x=\"100%\" y=\"{base}\"><path class=\"{kind}\" d=\"M1-13l8 6-8 6z\"/></svg>"
            );
        }
        self.svg.push_str(&marks);
    }

    /// Lines down through the picture at round times, with what they are.
    fn marks(&mut self, height: usize) {
        let (bottom, text) = (height - 20, height - 5);
        let (places, format) = marks(self.from, self.to, self.tz);
        for time in places {
            let (x, shown) = (self.x(time), super::super::summary::shown(time, self.tz, format));
            let side = if x > 92.0 {
                "end"
            } else if x < 4.0 {
                "start"
            } else {
                "middle"
            };
            let _ = write!(
                self.svg,
                "<line class=\"mark\" x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"0\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.3}%\" y=\"{text}\" text-anchor=\"{side}\">{shown}</text>"
            );
        }
    }

    fn bars(&mut self, counts: &[u64], top: usize) {
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let base = top + BARS;
        let _ = write!(
            self.svg,
            "<text x=\"0\" y=\"{}\">matches, at most {most} in a bar</text>\
             <line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{base}\" y2=\"{base}\"/>",
            top - 6,
        );
        #[expect(clippy::cast_precision_loss, reason = "a picture has a few thousand pixels")]
        for (part, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = (*count as f64 / most as f64 * BARS as f64).max(1.0);
            let (x, width) = (part as f64 * 100.0 / counts.len() as f64, 84.0 / counts.len() as f64);
            let y = base as f64 - height;
            let _ = write!(
                self.svg,
                "<rect class=\"match\" x=\"{x:.3}%\" y=\"{y:.1}\" width=\"{width:.3}%\" height=\"{height:.1}\">\
                 <title>{count}</title></rect>"
            );
        }
    }
}

fn height(status: Status) -> Option<usize> {
    match status {
        Status::Ok => None,
        Status::Info => Some(5),
        Status::Warning => Some(10),
        Status::Critical => Some(16),
    }
}

/// The whole picture of a log from one time to another, and what it leaves out.
pub(super) fn picture(story: &mut Story, from: Timestamp, to: Timestamp, tz: &TimeZone) -> String {
    let counts = story.matches.over(from, to, PARTS);
    let lanes: Vec<&Lane> = story.drawn(MOST_LANES).into_iter().filter(|lane| begins(lane, to)).collect();
    let changes = story.drawn_changes(MOST_CHANGES);
    let mut canvas = Canvas { from, to, tz, svg: String::new() };
    let bars = (changes.len() + lanes.len()) * LANE + 28;
    let height = bars + BARS + 22;
    canvas.marks(height);
    for (number, lane) in changes.iter().enumerate() {
        canvas.change(lane, number * LANE);
    }
    for (number, lane) in lanes.iter().enumerate() {
        canvas.lane(lane, (changes.len() + number) * LANE);
    }
    canvas.bars(&counts, bars);
    let mut text = format!(
        "<svg class=\"picture\" width=\"100%\" height=\"{height}\" role=\"img\" \
         aria-label=\"{} and matches over time\">{SHAPES}{}</svg>",
        if changes.is_empty() { "alerts" } else { "changes, alerts" },
        canvas.svg
    );
    if story.changes.len() > changes.len() {
        let more = story.changes.len() - changes.len();
        let _ = write!(
            text,
            "<p class=\"said\">{more} more changes are not drawn: these are the ones that began last.</p>"
        );
    }
    if story.other_changes > 0 {
        let more = story.other_changes;
        let _ = write!(text, "<p class=\"said\">{more} lines are about still other changes.</p>");
    }
    let known = story.lanes.values().filter(|lane| begins(lane, to)).count();
    if known > lanes.len() {
        let _ = write!(
            text,
            "<p class=\"said\">{} more keys are not drawn: these are the worst, and of those the ones that page most \
             often.</p>",
            known - lanes.len()
        );
    }
    if story.other_lanes > 0 {
        let _ =
            write!(text, "<p class=\"said\">{} transitions are of still other keys.</p>", story.other_lanes);
    }
    text
}

/// True if something of it lies before the end of the log.
fn begins(lane: &Lane, to: Timestamp) -> bool {
    lane.steps.first().is_some_and(|(time, _)| *time <= to)
}

/// What raises look like: told apart without colour.
const SHAPES: &str = "<defs>\
<g id=\"info\"><circle class=\"info edge\" cx=\"0\" cy=\"-5\" r=\"5\"/></g>\
<g id=\"warning\"><path class=\"warning edge\" d=\"M0-14l7 13h-14z\"/></g>\
<g id=\"critical\"><path class=\"critical edge\" d=\"M0-17l8 8.5-8 8.5-8-8.5z\"/></g>\
<g id=\"ahead\"><circle class=\"hollow\" cx=\"0\" cy=\"-6\" r=\"4.5\"/></g>\
<g id=\"begun\"><path class=\"change edge\" d=\"M-5-12h10v11h-10z\"/></g>\
<g id=\"done\"><path class=\"halo\" d=\"M-5-7l4 4 7-9\"/><path class=\"stroke\" d=\"M-5-7l4 4 7-9\"/></g>\
<g id=\"canceled\"><path class=\"halo\" d=\"M-5-12l10 10m0-10l-10 10\"/><path class=\"stroke\" d=\"M-5-12l10 10m0-10l-10 10\"/></g>\
</defs>";

/// The shape of what is said of a change.
fn shape(status: ChangeStatus) -> &'static str {
    match status {
        ChangeStatus::Planned | ChangeStatus::Ready => "ahead",
        ChangeStatus::Processing => "begun",
        ChangeStatus::Done => "done",
        ChangeStatus::Canceled => "canceled",
    }
}

/// The same for a legend, each by itself. `changes`: there are some.
pub(super) fn legend(changes: bool) -> String {
    let one = |(shape, words): (&str, &str)| {
        format!(
            "<span><svg width=\"20\" height=\"20\"><svg x=\"10\" y=\"18\"><use href=\"#{shape}\"/></svg></svg>{words}</span>"
        )
    };
    let levels =
        [Status::Critical, Status::Warning, Status::Info].map(|level| one((level.as_str(), level.as_str())));
    let of_changes =
        [("ahead", "planned or ready"), ("begun", "processing"), ("done", "done"), ("canceled", "canceled")];
    let of_changes = if changes { of_changes.map(one).concat() } else { String::new() };
    levels.concat() + "<span><i>▶</i> open at the end</span>" + &of_changes
}

/// Round times of a span, a few of them, and how they are shown.
fn marks(from: Timestamp, to: Timestamp, tz: &TimeZone) -> (Vec<Timestamp>, &'static str) {
    const STEPS: [(i64, &str); 18] = [
        (1, "%H:%M:%S"),
        (5, "%H:%M:%S"),
        (15, "%H:%M:%S"),
        (60, "%H:%M"),
        (300, "%H:%M"),
        (900, "%H:%M"),
        (1800, "%H:%M"),
        (3600, "%H:%M"),
        (2 * 3600, "%H:%M"),
        (3 * 3600, "%H:%M"),
        (6 * 3600, "%b %e %H:%M"),
        (12 * 3600, "%b %e %H:%M"),
        (86_400, "%b %e"),
        (2 * 86_400, "%b %e"),
        (7 * 86_400, "%b %e"),
        (30 * 86_400, "%b %e"),
        (120 * 86_400, "%Y-%m-%d"),
        (400 * 86_400, "%Y-%m-%d"),
    ];
    let seconds = to.0.saturating_sub(from.0) / 1_000_000;
    let fits = |step: &&(i64, &str)| seconds / step.0 <= MOST_MARKS as i64;
    let (mut step, format) = *STEPS.iter().find(fits).unwrap_or(&STEPS[STEPS.len() - 1]);
    while seconds / step > MOST_MARKS as i64 {
        step *= 2;
    }
    let place = |zoned: &Zoned| Timestamp(zoned.timestamp().as_microsecond());
    let mut places = Vec::new();
    let day = || jiff::Timestamp::from_microsecond(from.0).ok()?.to_zoned(tz.clone()).start_of_day().ok();
    let Some(mut at) = day() else { return (places, format) };
    // Whole days are days of the calendar, though some have 23 hours.
    let span = if step % 86_400 == 0 { Span::new().days(step / 86_400) } else { Span::new().seconds(step) };
    while place(&at) <= to {
        if place(&at) >= from {
            places.push(place(&at));
        }
        let Ok(next) = at.checked_add(span) else { break };
        at = next;
    }
    (places, format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::micros;

    #[test]
    fn marks_are_few_and_round_whatever_the_span() {
        let tz = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let (midnight, start) = (at("2026-03-27T23:00:00Z"), at("2026-03-28T13:37:11Z"));
        let mut seconds = 1;
        while seconds < 400 * 365 * 86_400 {
            let (from, to) = (Timestamp(start), Timestamp(start + seconds * 1_000_000));
            let (places, _) = marks(from, to, &tz);
            assert!(places.len() <= MOST_MARKS + 1, "{seconds}: {places:?}");
            assert!(places.iter().all(|place| (from..=to).contains(place)), "{seconds}");
            // The clocks are put forward that night.
            if seconds < 12 * 3600 {
                let gaps: Vec<_> = places.windows(2).map(|pair| pair[1].since(pair[0])).collect();
                assert!(gaps.windows(2).all(|pair| pair[0] == pair[1]), "{seconds}: {gaps:?}");
                let round =
                    |place: &Timestamp| gaps.iter().all(|gap| (place.0 - midnight) % micros(*gap) == 0);
                assert!(places.iter().all(round), "{seconds}: {places:?}");
            }
            seconds = seconds * 3 / 2 + 1;
        }
        for (from, to) in
            [(Timestamp::MIN, Timestamp::MAX), (Timestamp(0), Timestamp(0)), (Timestamp::MAX, Timestamp::MIN)]
        {
            assert!(marks(from, to, &tz).0.len() <= MOST_MARKS + 1);
        }
    }

    #[test]
    fn a_time_lies_where_it_lies() {
        let at = Timestamp::from_secs;
        assert!((share(at(25), at(0), at(100)) - 0.25).abs() < 1e-9);
        assert!(share(at(-5), at(0), at(100)) == 0.0 && share(Timestamp::MAX, at(0), at(100)) == 1.0);
        assert!(share(at(0), at(0), at(0)) == 0.0);
        assert!(share(Timestamp::MAX, Timestamp::MIN, Timestamp::MAX) == 1.0);
    }
}
