//! A [`View`] as OpenMetrics text. Label values are names from the configuration and words of ours, never log
//! content, so the number of series is bounded by the configuration. Whoever creates files chooses one label, the path
//! of a file that is behind or has lost bytes: of few files at a time, and of bounded length.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::{FileView, RuleView, SinkView, SourceView, View};
use crate::model::{SourceName, Timestamp};

/// Prometheus refuses text whose type it does not know.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole exposition at `now`.
pub(super) fn text(view: Arc<View>, now: Timestamp) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Start(view.started)));
    registry.sub_registry_with_prefix("tripline").register_collector(Box::new(Scrape { view, now }));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a `String` takes everything");
    text
}

/// What every process tells under the same name, so that restarts are seen as those of others are.
#[derive(Debug)]
struct Start(Timestamp);

impl Collector for Start {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seconds = self.0.since(Timestamp::from_secs(0)).as_secs_f64();
        let help = "When the process began, in seconds since 1970";
        Families(encoder).gauge_alone("process_start_time_seconds", help, &seconds)
    }
}

#[derive(Debug)]
struct Scrape {
    view: Arc<View>,
    now: Timestamp,
}

/// One family after the other, as the format wants it.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, series, |encoder, value| encoder.encode_gauge(&value))
    }

    /// `_total` is added to the name.
    fn counter<L: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, series, |encoder, value| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// A gauge of the whole process.
    fn gauge_alone(&mut self, name: &str, help: &str, value: &impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(value)
    }

    /// A counter of the whole process.
    fn counter_alone(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        family.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn family<L: EncodeLabelSet, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        series: impl IntoIterator<Item = (L, V)>,
        encode: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut series = series.into_iter().peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        series.try_for_each(|(labels, value)| encode(&mut family.encode_family(&labels)?, value))
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encoder
            .encode_descriptor("build", "What runs", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let mut families = Families(encoder);
        self.process(&mut families)?;
        self.sources(&mut families)?;
        self.rules(&mut families)?;
        self.sinks(&mut families)
    }
}

impl Scrape {
    fn process(&self, to: &mut Families<'_>) -> fmt::Result {
        let view = &*self.view;
        let age = self.now.since(view.ticked).as_secs_f64();
        to.gauge_alone("core_tick_age_seconds", "Time since the core loop last turned", &age)?;
        to.gauge_alone("ready", "1 from the end of the first sweep on", &u32::from(view.ready))?;
        to.gauge_alone("problems", "Problems beyond a single source", &view.problems.len())?;
        let reloads = [([("result", "ok")], view.reloads_ok), ([("result", "failed")], view.reloads_failed)];
        to.counter("reloads", "Reloads by result; a failed one changes nothing", reloads)?;
        let fits = u32::from(view.last_reload_ok);
        to.gauge_alone("config_last_reload_successful", "1 if the rules in force are those on disk", &fits)?;
        to.counter_alone("commits", "Durable commits", view.commits)?;
        to.counter_alone(
            "commit_failures",
            "Commits that failed and were offered again",
            view.commit_failures,
        )?;
        let dropped = view.dropped.iter().map(|(bound, n)| ([("bound", *bound)], *n));
        to.counter("dropped", "What bounds have dropped", dropped)
    }

    fn sources(&self, to: &mut Families<'_>) -> fmt::Result {
        fn each<V>(view: &View, value: fn(&SourceView) -> V) -> impl Iterator<Item = ([(&str, &str); 1], V)> {
            view.sources.iter().map(move |source| ([("source", source.name.as_str())], value(source)))
        }
        let view = &*self.view;
        to.gauge("source_files", "Files that are followed", each(view, |s| s.files))?;
        to.gauge("source_files_behind", "Files with unread bytes", each(view, |s| s.behind_files))?;
        to.gauge("source_unread_bytes", "Bytes written and not read", each(view, |s| s.unread_bytes))?;
        to.gauge("source_lag_seconds", "Age of the oldest unread byte", each(view, |s| s.lag_seconds))?;
        to.gauge("source_problems", "Problems of the source", each(view, |s| s.problems.len()))?;
        to.counter("read_bytes", "Bytes read", each(view, |s| s.read_bytes))?;
        let lost = view.sources.iter().flat_map(|source| {
            let labels = |reason| [("source", source.name.as_str()), ("reason", reason)];
            source.lost_bytes.iter().map(move |(reason, n)| (labels(*reason), *n))
        });
        to.counter("lost_bytes", "Bytes gone before they could be read", lost)?;
        to.counter("truncations", "Files cut or written anew", each(view, |s| s.truncations))?;
        let gone = "Files not found again or given up";
        to.counter("lost_files", gone, each(view, |s| s.lost_files))?;
        let files: Vec<Worst<'_>> = view.sources.iter().flat_map(worst).collect();
        fn each_file<'a, V>(
            files: &'a [Worst<'a>],
            value: fn(&FileView) -> V,
        ) -> impl Iterator<Item = ([(&'a str, &'a str); 2], V)> {
            let labels = |source, path| [("source", source), ("path", path)];
            files
                .iter()
                .map(move |(source, path, file)| (labels(source.as_str(), path.as_ref()), value(file)))
        }
        let unread = each_file(&files, |file| file.unread_bytes);
        to.gauge("file_unread_bytes", "Bytes of a file that is behind", unread)?;
        to.gauge(
            "file_lag_seconds",
            "Age of the oldest of them",
            each_file(&files, |file| file.lag_seconds),
        )?;
        to.gauge(
            "file_lost_bytes",
            "Bytes of it known to be lost",
            each_file(&files, |file| file.lost_bytes),
        )?;
        to.counter("cut_lines", "Lines longer than the cap, matched in part", each(view, |s| s.cut_lines))?;
        let cut = "Records with as many lines or bytes as they may have; what follows is in others";
        to.counter("cut_records", cut, each(view, |s| s.cut_records))?;
        let unparsed = "Lines of which fields were wanted and that are not of the source's `format`";
        to.counter("unparsed_lines", unparsed, each(view, |s| s.unparsed_lines))?;
        let bare = "Lines without the `envelope` of their source, matched as they are";
        to.counter("bare_lines", bare, each(view, |s| s.bare_lines))
    }

    fn rules(&self, to: &mut Families<'_>) -> fmt::Result {
        fn each<V>(view: &View, value: fn(&RuleView) -> V) -> impl Iterator<Item = ([(&str, &str); 1], V)> {
            view.rules.iter().map(move |rule| ([("rule", rule.name.as_str())], value(rule)))
        }
        let view = &*self.view;
        let tried = "Lines on which its patterns were tried: what the rule costs";
        to.counter("rule_tried_lines", tried, each(view, |r| r.tried))?;
        to.counter("rule_matches", "Records that fit the rule", each(view, |r| r.matches))?;
        to.counter("rule_recoveries", "Records that fit its `resolve`", each(view, |r| r.recoveries))?;
        to.gauge("rule_keys", "Keys held now", each(view, |r| r.keys))?;
        to.counter(
            "rule_dismissed",
            "Records of which its `where` does not hold",
            each(view, |r| r.dismissed),
        )?;
        let unreadable = "Records without a number, a change key or a stamp where one is needed";
        to.counter("rule_unreadable", unreadable, each(view, |r| r.unreadable))?;
        let unknown = "Records whose value stands for no status of a change";
        to.counter("rule_unknown_status", unknown, each(view, |r| r.unknown_status))?;
        let stale = "Changes of which nobody was told, because their lines were found so late";
        to.counter("rule_stale_changes", stale, each(view, |r| r.stale_changes))?;
        to.counter("rule_late", "Matches that came after their window was decided", each(view, |r| r.late))?;
        to.counter("rule_overflow", "Matches folded for too many keys", each(view, |r| r.overflow))?;
        let forgotten = "Keys forgotten for want of room though they had matches in their window";
        to.counter("rule_forgotten_keys", forgotten, each(view, |r| r.forgotten))?;
        let alerts = view
            .alerts
            .iter()
            .map(|(rule, status, n)| ([("rule", rule.as_str()), ("status", status.as_str())], *n));
        to.gauge("alerts", "Alerts that show a status", alerts)
    }

    fn sinks(&self, to: &mut Families<'_>) -> fmt::Result {
        fn each<V>(view: &View, value: fn(&SinkView) -> V) -> impl Iterator<Item = ([(&str, &str); 1], V)> {
            view.sinks.iter().map(move |sink| ([("sink", sink.name.as_str())], value(sink)))
        }
        let view = &*self.view;
        to.gauge("outbox_deliveries", "Deliveries that are owed", each(view, |s| s.queued))?;
        to.gauge("outbox_oldest_seconds", "Age of the oldest of them", each(view, |s| s.oldest_seconds))?;
        let suspended = each(view, |s| u32::from(s.suspended.is_some()));
        to.gauge("sink_suspended", "1 while nothing is sent", suspended)?;
        let outcomes = view.sinks.iter().flat_map(|sink| {
            let labels = |outcome| [("sink", sink.name.as_str()), ("outcome", outcome)];
            sink.outcomes.iter().map(move |(outcome, n)| (labels(*outcome), *n))
        });
        to.counter("sink_outcomes", "Attempts by outcome", outcomes)?;
        to.gauge("dead_letters", "Deliveries that were given up", each(view, |s| s.dead))?;
        to.counter("folded_deliveries", "Deliveries folded instead of sent", each(view, |s| s.folded))?;
        to.counter("expired_deliveries", "Deliveries too old to be sent", each(view, |s| s.expired))?;
        let late = "Words about changes that came after later ones and were not told";
        to.counter("late_changes", late, each(view, |s| s.late_changes))
    }
}

/// Bytes of a path in a label: a path may have 4096, and each is written with up to five.
const MOST_PATH: usize = 256;

/// A file with its source, and its path as it stands in a label.
type Worst<'a> = (&'a SourceName, Cow<'a, str>, &'a FileView);

/// The worst files of a source by the names that they have here. Two that are shown alike would be one series with two
/// values, which no scraper takes: of them the worse one stands for both.
fn worst(source: &SourceView) -> impl Iterator<Item = Worst<'_>> {
    let mut known = BTreeSet::new();
    let named = source.worst.iter().map(|file| (&source.name, ended(&file.path), file));
    named.filter(move |(_, path, _)| known.insert(path.clone()))
}

/// The end of a path, where names differ.
fn ended(path: &str) -> Cow<'_, str> {
    match path.len().checked_sub(MOST_PATH) {
        None | Some(0) => Cow::Borrowed(path),
        Some(more) => Cow::Owned(format!("…{}", &path[path.ceil_char_boundary(more + "…".len())..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RuleName, SinkName, Status};

    fn view() -> View {
        View {
            ticked: Timestamp::from_secs(100),
            ready: true,
            problems: vec!["canary".to_owned()],
            sources: vec![SourceView {
                name: SourceName::new("a\"b\\c\nd"),
                files: 2,
                behind_files: 1,
                unread_bytes: 3,
                read_bytes: 4,
                lag_seconds: 1.5,
                lost_bytes: [("truncated", 5)].into(),
                truncations: 51,
                lost_files: 52,
                worst: vec![FileView {
                    path: "/a\"b".to_owned(),
                    unread_bytes: 53,
                    lag_seconds: 54.0,
                    lost_bytes: 55,
                }],
                cut_lines: 6,
                cut_records: 9,
                unparsed_lines: 8,
                bare_lines: 10,
                problems: vec!["canary".to_owned()],
            }],
            rules: vec![RuleView {
                name: RuleName::new("ssh"),
                tried: 70,
                matches: 7,
                recoveries: 8,
                keys: 9,
                dismissed: 71,
                unreadable: 72,
                unknown_status: 73,
                stale_changes: 74,
                late: 10,
                overflow: 11,
                forgotten: 76,
            }],
            alerts: vec![
                (RuleName::new("ssh"), Status::Warning, 1),
                (RuleName::new("ssh"), Status::Critical, 2),
            ],
            sinks: vec![SinkView {
                name: SinkName::new("oncall"),
                queued: 12,
                oldest_seconds: 13.0,
                suspended: Some("canary".to_owned()),
                outcomes: [("done", 14), ("retry", 15)].into(),
                dead: 16,
                folded: 17,
                expired: 18,
                late_changes: 19,
            }],
            started: Timestamp(1_449_738_790_500_000),
            reloads_ok: 18,
            reloads_failed: 19,
            last_reload_ok: true,
            commits: 20,
            commit_failures: 21,
            dropped: [("lines", 22)].into(),
            ..View::default()
        }
    }

    /// The names are an interface: dashboards and alerts of ourselves are built on them.
    #[test]
    fn names_labels_and_values_are_pinned() {
        let text = text(Arc::new(view()), Timestamp::from_secs(102));
        let samples: Vec<_> =
            text.lines().filter(|line| !line.starts_with("# HELP") && !line.starts_with("# TYPE")).collect();
        let version = env!("CARGO_PKG_VERSION");
        let expected = [
            "process_start_time_seconds 1449738790.5".to_owned(),
            format!(r#"tripline_build_info{{version="{version}"}} 1"#),
            "tripline_core_tick_age_seconds 2.0".to_owned(),
        ];
        assert_eq!(samples[..3], expected);
        let golden = [
            "tripline_ready 1",
            "tripline_problems 1",
            r#"tripline_reloads_total{result="ok"} 18"#,
            r#"tripline_reloads_total{result="failed"} 19"#,
            "tripline_config_last_reload_successful 1",
            "tripline_commits_total 20",
            "tripline_commit_failures_total 21",
            r#"tripline_dropped_total{bound="lines"} 22"#,
            r#"tripline_source_files{source="a\"b\\c\nd"} 2"#,
            r#"tripline_source_files_behind{source="a\"b\\c\nd"} 1"#,
            r#"tripline_source_unread_bytes{source="a\"b\\c\nd"} 3"#,
            r#"tripline_source_lag_seconds{source="a\"b\\c\nd"} 1.5"#,
            r#"tripline_source_problems{source="a\"b\\c\nd"} 1"#,
            r#"tripline_read_bytes_total{source="a\"b\\c\nd"} 4"#,
            r#"tripline_lost_bytes_total{source="a\"b\\c\nd",reason="truncated"} 5"#,
            r#"tripline_truncations_total{source="a\"b\\c\nd"} 51"#,
            r#"tripline_lost_files_total{source="a\"b\\c\nd"} 52"#,
            r#"tripline_file_unread_bytes{source="a\"b\\c\nd",path="/a\"b"} 53"#,
            r#"tripline_file_lag_seconds{source="a\"b\\c\nd",path="/a\"b"} 54.0"#,
            r#"tripline_file_lost_bytes{source="a\"b\\c\nd",path="/a\"b"} 55"#,
            r#"tripline_cut_lines_total{source="a\"b\\c\nd"} 6"#,
            r#"tripline_cut_records_total{source="a\"b\\c\nd"} 9"#,
            r#"tripline_unparsed_lines_total{source="a\"b\\c\nd"} 8"#,
            r#"tripline_bare_lines_total{source="a\"b\\c\nd"} 10"#,
            r#"tripline_rule_tried_lines_total{rule="ssh"} 70"#,
            r#"tripline_rule_matches_total{rule="ssh"} 7"#,
            r#"tripline_rule_recoveries_total{rule="ssh"} 8"#,
            r#"tripline_rule_keys{rule="ssh"} 9"#,
            r#"tripline_rule_dismissed_total{rule="ssh"} 71"#,
            r#"tripline_rule_unreadable_total{rule="ssh"} 72"#,
            r#"tripline_rule_unknown_status_total{rule="ssh"} 73"#,
            r#"tripline_rule_stale_changes_total{rule="ssh"} 74"#,
            r#"tripline_rule_late_total{rule="ssh"} 10"#,
            r#"tripline_rule_overflow_total{rule="ssh"} 11"#,
            r#"tripline_rule_forgotten_keys_total{rule="ssh"} 76"#,
            r#"tripline_alerts{rule="ssh",status="warning"} 1"#,
            r#"tripline_alerts{rule="ssh",status="critical"} 2"#,
            r#"tripline_outbox_deliveries{sink="oncall"} 12"#,
            r#"tripline_outbox_oldest_seconds{sink="oncall"} 13.0"#,
            r#"tripline_sink_suspended{sink="oncall"} 1"#,
            r#"tripline_sink_outcomes_total{sink="oncall",outcome="done"} 14"#,
            r#"tripline_sink_outcomes_total{sink="oncall",outcome="retry"} 15"#,
            r#"tripline_dead_letters{sink="oncall"} 16"#,
            r#"tripline_folded_deliveries_total{sink="oncall"} 17"#,
            r#"tripline_expired_deliveries_total{sink="oncall"} 18"#,
            r#"tripline_late_changes_total{sink="oncall"} 19"#,
            "# EOF",
        ];
        assert_eq!(samples[3..], golden, "{samples:#?}");
        assert!(text.contains("# TYPE tripline_rule_matches counter\n"), "{text}");
    }

    #[test]
    fn texts_never_become_metrics() {
        assert!(!text(Arc::new(view()), Timestamp::default()).contains("canary"));
    }

    #[test]
    fn what_is_not_configured_has_no_series_and_the_text_is_still_whole() {
        let text = text(Arc::new(View::default()), Timestamp::default());
        assert!(!text.contains("tripline_source") && !text.contains("tripline_sink"), "{text}");
        assert!(text.contains("tripline_ready 0\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
