//! Rows: what the structs of [`crate::saved`] look like inside the database, and the changes of one commit.
//!
//! A value is the postcard encoding of its struct, and nothing behind it. Numbers in keys are big-endian and
//! text stands before a NUL, so that the order of the bytes is the order of what they mean. A value that names
//! its own key must stand under that key: a row that was moved is as broken as one that does not decode.

use std::collections::BTreeMap;

use redb::TableDefinition;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{AlertKey, Delivery, FileId, KeyHash, RuleName, SinkName, SourceName, Status, Timestamp};
use crate::saved::{
    DeadLetter, Entry, Notice, NoticeOf, Refused, Saved, SavedClock, SavedFile, SavedKey, SavedSilence,
    SavedSource, SavedStanding, SavedStep, Stage, Told, ToldChange,
};

/// The kinds of rows; each is a table of the database. The order is the order in which a commit writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The format number and the counters.
    Meta,
    /// [`SavedSource`] by name.
    Source,
    /// [`SavedFile`] by id.
    File,
    /// [`SavedClock`] by file id.
    Clock,
    /// [`SavedKey`] by rule and hash.
    Key,
    /// Entries of a window by rule, hash and number.
    Chunk,
    /// [`Delivery`] by `seq`.
    Delivery,
    /// [`Told`] by sink and alert key.
    Told,
    /// [`DeadLetter`] by `seq` of what was owed.
    Dead,
    /// [`SavedSilence`] by id.
    Silence,
    /// [`SavedStanding`] by sink and alert key.
    Standing,
    /// [`ToldChange`] by sink and change key.
    ToldChange,
    /// [`Notice`] by sink and what it is about.
    Notice,
    /// [`Refused`] by sink and alert key.
    Refused,
    /// [`SavedStep`] by number.
    Step,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 15] = [
        Table::Meta,
        Table::Source,
        Table::File,
        Table::Clock,
        Table::Key,
        Table::Chunk,
        Table::Delivery,
        Table::Told,
        Table::Dead,
        Table::Silence,
        Table::Standing,
        Table::ToldChange,
        Table::Notice,
        Table::Refused,
        Table::Step,
    ];

    /// True if a database without it is an older one, and no broken one: it was added later.
    pub(super) const fn may_be_missing(self) -> bool {
        matches!(self, Table::Step)
    }

    /// The name inside the database; part of the format.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Source => "source",
            Table::File => "file",
            Table::Clock => "clock",
            Table::Key => "key",
            Table::Chunk => "chunk",
            Table::Delivery => "delivery",
            Table::Told => "told",
            Table::Dead => "dead",
            Table::Silence => "silence",
            Table::Standing => "standing",
            Table::ToldChange => "told_change",
            Table::Notice => "notice",
            Table::Refused => "refused",
            Table::Step => "step",
        }
    }

    pub(super) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name())
    }
}

/// Key of the `meta` row that holds the format number as a big-endian `u32`: readable whatever else changes.
pub(super) const FORMAT_KEY: &[u8] = b"format";
const NEXT_KEY: &[u8] = b"next";

/// The changes of one commit. Rows are absolute, so offering a batch twice does what offering it once does; of
/// several changes of one row the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    rows: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
}

impl Batch {
    /// True if a commit of it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of all keys and values: what waiting for a commit costs.
    pub fn len_bytes(&self) -> usize {
        self.rows.iter().map(|((_, key), value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum()
    }

    /// Adds what happened after it; where both change a row, `later` counts.
    pub fn merge(&mut self, later: Batch) {
        self.rows.extend(later.rows);
    }

    /// A file and how far it was applied.
    pub fn put_file(&mut self, file: &SavedFile) {
        self.put(Table::File, file_key(file.id), file);
    }

    /// Forgets a file; its clock is a row of its own.
    pub fn remove_file(&mut self, id: FileId) {
        self.remove(Table::File, file_key(id));
    }

    /// What is known of the time of a file.
    pub fn put_clock(&mut self, clock: &SavedClock) {
        self.put(Table::Clock, file_key(clock.file), clock);
    }

    /// Forgets the time of a file.
    pub fn remove_clock(&mut self, id: FileId) {
        self.remove(Table::Clock, file_key(id));
    }

    /// A source that is followed.
    pub fn put_source(&mut self, source: &SavedSource) {
        self.put(Table::Source, source_key(source), source);
    }

    /// One key of a rule; its window is in chunks of their own.
    pub fn put_key(&mut self, key: &SavedKey) {
        self.put(Table::Key, key_key(&key.rule, key.hash), key);
    }

    /// Forgets a key; the chunks of its window are rows of their own.
    pub fn remove_key(&mut self, rule: &RuleName, hash: KeyHash) {
        self.remove(Table::Key, key_key(rule, hash));
    }

    /// The `number`th chunk of the window of a key.
    pub fn put_chunk(&mut self, rule: &RuleName, hash: KeyHash, number: u64, entries: &[Entry]) {
        self.put(Table::Chunk, chunk_key(rule, hash, number), entries);
    }

    /// Forgets a chunk that the window has left behind.
    pub fn remove_chunk(&mut self, rule: &RuleName, hash: KeyHash, number: u64) {
        self.remove(Table::Chunk, chunk_key(rule, hash, number));
    }

    /// Something that is owed.
    pub fn put_delivery(&mut self, delivery: &Delivery) {
        self.put(Table::Delivery, seq_key(delivery.seq), delivery);
    }

    /// The peer accepted it, it lies in the dead letters, or it was folded.
    pub fn remove_delivery(&mut self, seq: u64) {
        self.remove(Table::Delivery, seq_key(seq));
    }

    /// What a sink was last told. `ok` is what a missing row says, so it removes the row.
    pub fn put_told(&mut self, told: &Told) {
        let key = told_key(told);
        if told.status == Status::Ok {
            self.remove(Table::Told, key);
        } else {
            self.put(Table::Told, key, told);
        }
    }

    /// How far a sink was told that a change has come.
    pub fn put_told_change(&mut self, told: &ToldChange) {
        self.put(Table::ToldChange, told_change_key(told), told);
    }

    /// Forgets what a sink was told of a change.
    pub fn remove_told_change(&mut self, sink: &SinkName, change_key: &str) {
        self.remove(Table::ToldChange, change_key_of(sink, change_key));
    }

    /// Something that was given up.
    pub fn put_dead(&mut self, letter: &DeadLetter) {
        self.put(Table::Dead, seq_key(letter.delivery.seq), letter);
    }

    /// Forgets something that was given up.
    pub fn remove_dead(&mut self, seq: u64) {
        self.remove(Table::Dead, seq_key(seq));
    }

    /// A silence.
    pub fn put_silence(&mut self, silence: &SavedSilence) {
        self.put(Table::Silence, seq_key(silence.id), silence);
    }

    /// A silence is over.
    pub fn remove_silence(&mut self, id: u64) {
        self.remove(Table::Silence, seq_key(id));
    }

    /// What an alert did.
    pub fn put_step(&mut self, step: &SavedStep) {
        self.put(Table::Step, seq_key(step.number), step);
    }

    /// It was too long ago.
    pub fn remove_step(&mut self, number: u64) {
        self.remove(Table::Step, seq_key(number));
    }

    /// What a sink is told again and again.
    pub fn put_standing(&mut self, standing: &SavedStanding) {
        self.put(Table::Standing, standing_key(standing), standing);
    }

    /// A sink is not told of an alert again.
    pub fn remove_standing(&mut self, sink: &SinkName, key: &AlertKey) {
        self.remove(Table::Standing, sink_key(sink, key));
    }

    /// A sink refused the beginning of an alert.
    pub fn put_refused(&mut self, refused: &Refused) {
        self.put(Table::Refused, refused_key(refused), refused);
    }

    /// The alert is over for the sink, or it took something of it after all.
    pub fn remove_refused(&mut self, sink: &SinkName, key: &AlertKey) {
        self.remove(Table::Refused, sink_key(sink, key));
    }

    /// What stands on a status page. What is [`Stage::Past`] removes the row.
    pub fn put_notice(&mut self, notice: &Notice) {
        let key = notice_key(notice);
        if notice.stage == Stage::Past {
            self.remove(Table::Notice, key);
        } else {
            self.put(Table::Notice, key, notice);
        }
    }

    /// The counters: the next free file id (1 or more) and the next free delivery number; and up to when all names are
    /// reconciled.
    pub fn put_next(&mut self, next_file: u64, next_seq: u64, swept_to: Timestamp) {
        self.put(Table::Meta, NEXT_KEY.to_vec(), &(next_file, next_seq, swept_to));
    }

    pub(super) fn put_format(&mut self, format: u32) {
        self.rows.insert((Table::Meta, FORMAT_KEY.to_vec()), Some(format.to_be_bytes().to_vec()));
    }

    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows
            .range((table, Vec::new())..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|((_, key), value)| (key.as_slice(), value.as_deref()))
    }

    fn put<T: Serialize + ?Sized>(&mut self, table: Table, key: Vec<u8>, value: &T) {
        let bytes = postcard::to_stdvec(value).expect("owned data of known length always encodes");
        self.rows.insert((table, key), Some(bytes));
    }

    fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.rows.insert((table, key), None);
    }
}

fn file_key(id: FileId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

fn seq_key(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

fn source_key(source: &SavedSource) -> Vec<u8> {
    source.name.as_str().as_bytes().to_vec()
}

fn key_key(rule: &RuleName, hash: KeyHash) -> Vec<u8> {
    [rule.as_str().as_bytes(), b"\0", &hash.0].concat()
}

fn chunk_key(rule: &RuleName, hash: KeyHash, number: u64) -> Vec<u8> {
    [rule.as_str().as_bytes(), b"\0", &hash.0, &number.to_be_bytes()].concat()
}

fn told_key(told: &Told) -> Vec<u8> {
    sink_key(&told.sink, &told.key)
}

fn refused_key(refused: &Refused) -> Vec<u8> {
    sink_key(&refused.sink, &refused.key)
}

fn told_change_key(told: &ToldChange) -> Vec<u8> {
    change_key_of(&told.sink, &told.change_key)
}

fn change_key_of(sink: &SinkName, change_key: &str) -> Vec<u8> {
    [sink.as_str().as_bytes(), b"\0", change_key.as_bytes()].concat()
}

/// The empty key, which no row has, for one that is not of an alert.
fn standing_key(standing: &SavedStanding) -> Vec<u8> {
    let Delivery { sink, .. } = &standing.delivery;
    standing.delivery.alert().map_or_else(Vec::new, |(_, told)| sink_key(sink, &told.key))
}

fn sink_key(sink: &SinkName, key: &AlertKey) -> Vec<u8> {
    let AlertKey { rule, hash } = key;
    [sink.as_str().as_bytes(), b"\0", rule.as_str().as_bytes(), b"\0", &hash.0].concat()
}

fn notice_key(notice: &Notice) -> Vec<u8> {
    let (kind, about) = match &notice.about {
        NoticeOf::Rule(rule) => (b"r", rule.to_string()),
        NoticeOf::Alert(key) => (b"a", key.to_string()),
        NoticeOf::Change(key) => (b"c", key.clone()),
    };
    [notice.sink.as_str().as_bytes(), b"\0", kind, about.as_bytes()].concat()
}

fn parse_chunk_key(key: &[u8]) -> Option<(RuleName, KeyHash, u64)> {
    let (rest, number) = key.split_last_chunk::<8>()?;
    let (rest, hash) = rest.split_last_chunk::<16>()?;
    let rule = str::from_utf8(rest.strip_suffix(b"\0")?).ok()?;
    Some((RuleName::new(rule), KeyHash(*hash), u64::from_be_bytes(*number)))
}

/// Adds one row to `saved`. `Err` says what is wrong with it, without quoting it: rows hold log text.
pub(super) fn restore(saved: &mut Saved, table: Table, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    match table {
        Table::Meta if key == NEXT_KEY => {
            (saved.next_file, saved.next_seq, saved.swept_to) = decode(value)?;
        }
        Table::Meta if key == FORMAT_KEY => {}
        Table::Meta => return Err("is unknown"),
        Table::Source => saved.sources.push(keyed(key, value, source_key)?),
        Table::File => {
            let mut row = keyed(key, value, |file: &SavedFile| file_key(file.id))?;
            share(&saved.sources, &mut row.source);
            saved.files.insert(row.id, row);
        }
        Table::Clock => {
            let mut row = keyed(key, value, |clock: &SavedClock| file_key(clock.file))?;
            share(&saved.sources, &mut row.source);
            saved.clocks.insert(row.file, row);
        }
        Table::Key => saved.keys.push(keyed(key, value, |key: &SavedKey| key_key(&key.rule, key.hash))?),
        Table::Chunk => {
            let (rule, hash, number) = parse_chunk_key(key).ok_or("has a key that names no chunk")?;
            saved.chunks.push((rule, hash, number, decode(value)?));
        }
        Table::Delivery => saved.outbox.push(keyed(key, value, |owed: &Delivery| seq_key(owed.seq))?),
        Table::Told => saved.told.push(keyed(key, value, told_key)?),
        Table::Dead => {
            saved.dead.push(keyed(key, value, |dead: &DeadLetter| seq_key(dead.delivery.seq))?);
        }
        Table::Standing => saved.standing.push(keyed(key, value, standing_key)?),
        Table::ToldChange => saved.told_changes.push(keyed(key, value, told_change_key)?),
        Table::Silence => {
            saved.silences.push(keyed(key, value, |silence: &SavedSilence| seq_key(silence.id))?);
        }
        Table::Notice => saved.notices.push(keyed(key, value, notice_key)?),
        Table::Refused => saved.refused.push(keyed(key, value, refused_key)?),
        Table::Step => saved.steps.push(keyed(key, value, |step: &SavedStep| seq_key(step.number))?),
    }
    Ok(())
}

/// One text of a source's name is enough for all its files: they are read after it.
fn share(sources: &[SavedSource], name: &mut SourceName) {
    if let Some(known) = sources.iter().find(|known| known.name == *name) {
        *name = known.name.clone();
    }
}

fn keyed<T: DeserializeOwned>(
    key: &[u8],
    value: &[u8],
    key_of: impl Fn(&T) -> Vec<u8>,
) -> Result<T, &'static str> {
    let row: T = decode(value)?;
    if key_of(&row) == key { Ok(row) } else { Err("stands under the key of another") }
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, &'static str> {
    match postcard::take_from_bytes(value) {
        Ok((row, [])) => Ok(row),
        Ok(_) => Err("has bytes behind its end"),
        Err(_) => Err("does not decode"),
    }
}

#[cfg(test)]
pub(super) mod samples;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SinkName;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Once a version is released: whoever has to change a line here has to raise `FORMAT` and to say how the old rows
    /// are read.
    #[test]
    fn the_bytes_of_every_kind_of_row_are_pinned() {
        let golden = [
            ("meta", "6e657874", "042b80bfd606"),
            ("source", "61757468", "046175746801"),
            (
                "file",
                "0000000000000003",
                concat!(
                    "0304617574680a2f7661722f6c6f672fff010a2f7661722f6c6f672f6181100c02010280088008ff",
                    "ffffffffffffffff01000000f1a2040100",
                ),
            ),
            (
                "clock",
                "0000000000000003",
                concat!(
                    "0304617574680a2f7661722f6c6f672f7801809c9c390901f1a2040103737368",
                    "abababababababababababababababab",
                ),
            ),
            (
                "key",
                "73736800abababababababababababababababab",
                concat!(
                    "03737368abababababababababababababababab0104686f737401ff",
                    "0707070707070707070707070707070780a5963a80897a809c9c39",
                    "0000010201feffffffffffffffff010000010103f0a204ac0201809c9c39",
                    "03737368abababababababababababababababab03020001000000000000164005ac02",
                    "8093a23803f0a204010104686f7374016101047573657204c3bc001b01730164010172010169000103616c74",
                    "0101680101740105666972737401046c61737401010102010e0309020c0e010103010475736572010001056669727374010c6c61737420627574206f6e6501046c6173740292f401010000000000",
                    "00e03f0107000110",
                ),
            ),
            ("chunk", "73736800abababababababababababababababab0000000000000002", "01809c9c390506"),
            (
                "delivery",
                "0000000000000029",
                concat!(
                    "29066f6e63616c6c0001809c9c3903737368abababababababababababababababab030200010000000000001640",
                    "05ac028093a23803f0a204010104686f7374016101047573657204c3bc001b0173016401017201016900",
                    "0103616c740101680101740105666972737401046c61737401",
                ),
            ),
            (
                "delivery",
                "000000000000002a",
                concat!(
                    "2a066f6e63616c6c0180aaea55809c9c39066465706c6f79abababababababababababababababab05617069",
                    "2d31010203f0a2040104686f737401610103617070036170690173016401016c0180b3e4560180bcde57010163",
                    "010172000101680001",
                ),
            ),
            (
                "told",
                "6f6e63616c6c0073736800abababababababababababababababab",
                "066f6e63616c6c03737368abababababababababababababababab03",
            ),
            (
                "dead",
                "0000000000000028",
                concat!(
                    "28066f6e63616c6c0001809c9c3903737368abababababababababababababababab030200010000000000001640",
                    "05ac028093a23803f0a204010104686f7374016101047573657204c3bc001b0173016401017201016900",
                    "0103616c740101680101740105666972737401046c6173740104026e6f",
                ),
            ),
            ("silence", "0000000000000008", "0801077465616d3d646202040163"),
            (
                "standing",
                "6f6e63616c6c0073736800abababababababababababababababab",
                concat!(
                    "0b066f6e63616c6c0001809c9c3903737368abababababababababababababababab030200010000000000001640",
                    "05ac028093a23803f0a204010104686f7374016101047573657204c3bc001b0173016401017201016900",
                    "0103616c740101680101740105666972737401046c61737401feffffffffffffffff01",
                ),
            ),
            ("told_change", "6f6e63616c6c006170692d31", "066f6e63616c6c056170692d3101020204062a"),
            (
                "notice",
                "7061676500636170692d31",
                concat!(
                    "047061676502056170692d31bccfc9b4ddce02017478010530314b43330103737368",
                    "abababababababababababababababab0200",
                ),
            ),
            (
                "refused",
                "6f6e63616c6c0073736800abababababababababababababababab",
                "066f6e63616c6c03737368abababababababababababababababab03f0a204",
            ),
            ("step", "0000000000000005", "05040203737368abababababababababababababababab02000173"),
        ];
        let batch = samples::batch();
        let rows = Table::ALL.iter().flat_map(|table| batch.of(*table).map(move |row| (table.name(), row)));
        let rows: Vec<_> = rows.map(|(table, (key, value))| (table, hex(key), hex(value.unwrap()))).collect();
        let rows: Vec<_> =
            rows.iter().map(|(table, key, value)| (*table, key.as_str(), value.as_str())).collect();
        assert_eq!(rows, golden, "{rows:#?}");
    }

    #[test]
    fn a_row_that_is_cut_longer_or_elsewhere_is_refused() {
        let batch = samples::batch();
        for table in Table::ALL {
            for (key, value) in batch.of(table) {
                let check = |key: &[u8], value: &[u8]| restore(&mut Saved::default(), table, key, value);
                let value = value.unwrap();
                assert_eq!(check(key, value), Ok(()));
                check(key, &value[..value.len() - 1]).unwrap_err();
                check(key, &[value, b"\0"].concat()).unwrap_err();
                // A chunk does not name its key itself.
                if table != Table::Chunk {
                    check(&[key, b"\0"].concat(), value).unwrap_err();
                    check(&key[1..], value).unwrap_err();
                }
            }
        }
        assert!(restore(&mut Saved::default(), Table::Chunk, &[0; 24], &[0]).is_err());
    }

    #[test]
    fn order_of_keys_is_order_of_meaning() {
        let rule = RuleName::new("r");
        let hash = KeyHash([0; 16]);
        let mut batch = Batch::default();
        for n in [256, 1, 65_536, 255] {
            batch.put_chunk(&rule, hash, n, &[]);
            batch.put_delivery(&samples::delivery(n));
        }
        let mut saved = Saved::default();
        for table in [Table::Chunk, Table::Delivery] {
            batch.of(table).for_each(|(key, value)| restore(&mut saved, table, key, value.unwrap()).unwrap());
        }
        assert_eq!(saved.chunks.iter().map(|chunk| chunk.2).collect::<Vec<_>>(), [1, 255, 256, 65_536]);
        assert_eq!(saved.outbox.iter().map(|owed| owed.seq).collect::<Vec<_>>(), [1, 255, 256, 65_536]);
    }

    #[test]
    fn the_last_change_of_a_row_counts() {
        let mut first = Batch::default();
        assert!(first.is_empty());
        first.put_delivery(&samples::delivery(1));
        first.put_delivery(&samples::delivery(2));
        let mut later = Batch::default();
        later.remove_delivery(1);
        first.merge(later);
        let rows: Vec<_> = first.of(Table::Delivery).map(|(_, value)| value.is_some()).collect();
        assert_eq!(rows, [false, true]);
        assert!(first.len_bytes() > 16);
    }

    #[test]
    fn a_notice_of_which_nothing_has_to_be_remembered_removes_the_row() {
        let notice = Notice { stage: Stage::Past, ..samples::saved().notices.remove(0) };
        let mut batch = samples::batch();
        batch.put_notice(&notice);
        assert_eq!(batch.of(Table::Notice).map(|(_, value)| value).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn telling_ok_removes_the_row() {
        let told = Told { sink: SinkName::new("s"), status: Status::Ok, ..samples::saved().told.remove(0) };
        let mut batch = Batch::default();
        batch.put_told(&told);
        assert_eq!(batch.of(Table::Told).map(|(_, value)| value).collect::<Vec<_>>(), [None]);
    }
}
