//! The one transaction, and what may leave once it is durable.

use super::{COMMIT_EVERY, Core, Now, Remark, STORE_RETRY, is_exempt};
use crate::engine::Change;
use crate::model::{Delivery, Timestamp};
use crate::scan::MatchKind;
use crate::sink::attempt::Attempt;
use crate::store::{Batch, StoreError};
use crate::tail::Disk;

impl<D: Disk> Core<D> {
    /// Commits if it is time to, and hands out the attempts that may leave.
    pub(super) fn commit(&mut self, now: Now) -> Vec<Attempt> {
        let due = now.time.since(self.last_commit) >= COMMIT_EVERY || self.last_commit == Timestamp::MIN;
        let wanted = self.is_dirty() && (self.urgent || due);
        match self.retry_at {
            Some(at) if at > now.time => return self.exempt(),
            Some(_) => {}
            None if !wanted => return std::mem::take(&mut self.free),
            None => {}
        }
        self.save_offsets();
        for change in self.engine.take_changes() {
            put(&mut self.batch, change);
        }
        let result = if self.retry_at.is_some() { self.store.reopen() } else { Ok(()) };
        match result.and_then(|()| self.store.commit(&self.batch)) {
            Ok(()) => self.committed(now),
            Err(error) => self.commit_failed(&error, now),
        }
    }

    pub(super) fn save_offsets(&mut self) {
        let due = self.remembered.extract_if(.., |(until, file)| self.tail.has_told_copies(*file, *until));
        self.ended.extend(due.map(|(_, file)| file));
        for file in std::mem::take(&mut self.ended) {
            self.batch.remove_file(file);
            self.touched.remove(&file);
            self.tail.forget(file);
        }
        for file in std::mem::take(&mut self.touched) {
            let Some((read_to, skipping)) = self.tail.read_to(file) else { continue };
            let mut applied = self.engine.applied(file, read_to);
            // A record that waits for another file, and began in one that was rotated away, is read again in both.
            if let Some(begun) = self.crossed.get(&file) {
                if self.engine.applied(begun.file, u64::MAX) <= begun.offset {
                    applied = 0;
                } else {
                    self.crossed.remove(&file);
                }
            }
            let skipping = skipping && applied == read_to;
            if applied < read_to {
                // What waits for another file may be applied without a further read of this one.
                self.touched.insert(file);
            }
            match self.tail.save(file, applied, skipping) {
                Some(row) => self.batch.put_file(&row),
                None => self.batch.remove_file(file),
            }
        }
        self.save_cursors();
        self.batch.put_next(self.tail.next_file(), self.ledger.next_seq(), self.tail.swept_to());
    }

    pub(super) fn committed(&mut self, now: Now) -> Vec<Attempt> {
        self.batch = Batch::default();
        self.last_commit = now.time;
        self.urgent = false;
        self.durable_seq = self.ledger.next_seq();
        self.rewritten.clear();
        self.counts.commits += 1;
        for queue in self.queues.values_mut() {
            queue.committed();
        }
        if self.retry_at.take().is_some() {
            self.remarks.push(Remark::StoreBack);
            self.engine.own("tripline_store_failed", MatchKind::Resolve, &[], "", now.time);
        }
        self.let_go()
    }

    pub(super) fn commit_failed(&mut self, error: &StoreError, now: Now) -> Vec<Attempt> {
        self.counts.commit_failures += 1;
        let retry_at = now.time.plus(STORE_RETRY);
        if self.retry_at.replace(retry_at).is_none() {
            let line = format!("the state can not be written: {error}; reading is paused");
            self.remarks.push(Remark::StoreFailed(line.clone()));
            self.engine.own("tripline_store_failed", MatchKind::Match, &[], &line, now.time);
            self.decide(now);
            self.plan(now);
        }
        self.exempt()
    }

    pub(super) fn let_go(&mut self) -> Vec<Attempt> {
        let mut go = std::mem::take(&mut self.free);
        go.append(&mut self.planned);
        go
    }

    /// While nothing can be committed: what was committed before goes on, and the one alert that says so.
    pub(super) fn exempt(&mut self) -> Vec<Attempt> {
        let durable = |seq: u64| seq < self.durable_seq && !self.rewritten.contains(&seq);
        let exempt = |row: &Delivery| row.alert().is_some_and(|(_, t)| is_exempt(&t.key));
        let free = |row: &Delivery| durable(row.seq) || exempt(row);
        let planned = std::mem::take(&mut self.planned).into_iter();
        let (mut go, wait): (Vec<_>, _) =
            planned.partition(|attempt: &Attempt| attempt.deliveries.iter().all(free));
        self.planned = wait;
        go.append(&mut self.free);
        go
    }
}

fn put(batch: &mut Batch, change: Change) {
    match change {
        Change::Key(row) => batch.put_key(&row),
        Change::KeyGone(rule, hash) => batch.remove_key(&rule, hash),
        Change::Chunk(rule, hash, number, entries) => batch.put_chunk(&rule, hash, number, &entries),
        Change::ChunkGone(rule, hash, number) => batch.remove_chunk(&rule, hash, number),
        Change::Clock(row) => batch.put_clock(&row),
        Change::Silence(row) => batch.put_silence(&row),
        Change::SilenceGone(id) => batch.remove_silence(id),
        Change::ClockGone(file) => batch.remove_clock(file),
    }
}
