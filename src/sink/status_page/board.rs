//! What stands on the page, as far as is known, and what its components should show because of it.

use crate::model::{AlertKey, ComponentStatus, SinkName, Status};
use crate::saved::{Notice, NoticeOf, Stage};

/// The most notices that are remembered besides those with open alerts. The oldest are forgotten first: they stay on
/// the page as they are.
const MOST: usize = 1000;

/// The notices of one sink.
pub(super) struct Board {
    notices: Vec<Notice>,
    /// Places of those that changed.
    changed: Vec<usize>,
}

impl Board {
    pub(super) fn new(notices: Vec<Notice>) -> Board {
        Board { notices, changed: Vec::new() }
    }

    /// The notice about that.
    pub(super) fn about(&self, about: &NoticeOf) -> Option<&Notice> {
        self.notices.iter().find(|notice| notice.about == *about && notice.stage != Stage::Past)
    }

    /// The notice in which the alert is counted.
    pub(super) fn counting(&self, key: &AlertKey) -> Option<&Notice> {
        self.notices.iter().find(|notice| notice.open.iter().any(|(open, _)| open == key))
    }

    /// Takes a notice as it is from now on.
    pub(super) fn put(&mut self, notice: Notice) {
        let place = match self.notices.iter().position(|known| known.about == notice.about) {
            Some(place) => {
                self.notices[place] = notice;
                place
            }
            None => {
                self.notices.push(notice);
                self.notices.len() - 1
            }
        };
        if !self.changed.contains(&place) {
            self.changed.push(place);
        }
    }

    /// What has to be remembered that was not. Forgets what was closed more than `reopen_s` seconds before `now_s`.
    pub(super) fn changes(mut self, now_s: i64, reopen_s: i64) -> Vec<Notice> {
        let idle = |notice: &Notice| notice.open.is_empty() && notice.stage != Stage::Past;
        let mut said_at: Vec<i64> =
            self.notices.iter().filter(|notice| idle(notice)).map(|notice| notice.said_at).collect();
        said_at.sort_unstable();
        let oldest = said_at.len().checked_sub(MOST + 1).map(|last| said_at[last]);
        for place in 0..self.notices.len() {
            let notice = &mut self.notices[place];
            let closed = matches!(notice.stage, Stage::Closed(at) if now_s.saturating_sub(at) > reopen_s);
            if closed || (idle(notice) && oldest.is_some_and(|oldest| notice.said_at <= oldest)) {
                notice.stage = Stage::Past;
                if !self.changed.contains(&place) {
                    self.changed.push(place);
                }
            }
        }
        self.changed.iter().map(|place| self.notices[*place].clone()).collect()
    }

    /// Notices that say that something is so now, with what each makes of its components.
    fn speaking<'b>(
        &'b self,
        table: &'b [ComponentStatus; 3],
    ) -> impl Iterator<Item = (&'b Notice, ComponentStatus)> {
        self.notices.iter().filter(|notice| notice.stage == Stage::Open).filter_map(|notice| {
            let says = match notice.about {
                NoticeOf::Change(_) => ComponentStatus::UnderMaintenance,
                NoticeOf::Rule(_) | NoticeOf::Alert(_) => of_severity(table, worst(notice)?),
            };
            Some((notice, says))
        })
    }

    /// What a component should show: the worst that alerts make of it; else whether somebody works on it.
    pub(super) fn wanted(&self, component: &str, table: &[ComponentStatus; 3]) -> ComponentStatus {
        self.speaker(component, table).map_or(ComponentStatus::Operational, |(_, says)| says)
    }

    /// The notice to say that in.
    pub(super) fn speaker<'b>(
        &'b self,
        component: &str,
        table: &'b [ComponentStatus; 3],
    ) -> Option<(&'b Notice, ComponentStatus)> {
        let mine =
            self.speaking(table).filter(|(notice, _)| notice.components.iter().any(|id| id == component));
        mine.max_by_key(|(_, says)| rank(*says))
    }

    /// What alerts make of a component.
    pub(super) fn of_alerts(&self, component: &str, table: &[ComponentStatus; 3]) -> ComponentStatus {
        match self.wanted(component, table) {
            ComponentStatus::UnderMaintenance => ComponentStatus::Operational,
            status => status,
        }
    }
}

/// The worst that is open in a notice.
pub(super) fn worst(notice: &Notice) -> Option<Status> {
    notice.open.iter().map(|(_, status)| *status).max()
}

/// What an alert makes of a component.
pub(super) fn of_severity(table: &[ComponentStatus; 3], status: Status) -> ComponentStatus {
    match status {
        Status::Ok => ComponentStatus::Operational,
        Status::Info => table[0],
        Status::Warning => table[1],
        Status::Critical => table[2],
    }
}

/// Maintenance says nothing against an alert.
fn rank(status: ComponentStatus) -> u8 {
    match status {
        ComponentStatus::Operational => 0,
        ComponentStatus::UnderMaintenance => 1,
        ComponentStatus::Degraded => 2,
        ComponentStatus::PartialOutage => 3,
        ComponentStatus::FullOutage => 4,
    }
}

/// A notice that has just been put up.
pub(super) fn put_up(
    sink: &SinkName,
    about: NoticeOf,
    change_id: i64,
    title: String,
    said_at: i64,
) -> Notice {
    Notice {
        sink: sink.clone(),
        about,
        change_id,
        title,
        said_at,
        components: Vec::new(),
        open: Vec::new(),
        stage: Stage::Open,
    }
}
