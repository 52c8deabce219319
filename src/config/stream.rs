//! `fifo` and `journal` of a source → [`Stream`].

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::Problems;
use super::keys::main_file::JOURNAL;
use super::main_file::not_blank;
use super::units::parse_start;
use super::walk::{Fields, check, missing};
use crate::settings::{Journal, Start, Stream};

/// What a source may be.
pub(super) const KINDS: [&str; 3] = ["files", "fifo", "journal"];
/// What has a meaning for files alone.
const OF_FILES: [&str; 4] = ["exclude", "follow_symlinks", "encoding", "envelope"];

/// Reads it. `None`: the source is of files, or wrong, which has been said.
pub(super) fn read(
    problems: &mut Problems<'_>,
    fields: Fields<'_, '_>,
    header: &Range<usize>,
    base: &Path,
) -> Option<Stream> {
    let mut said = KINDS.iter().filter_map(|kind| Some((*kind, fields.value(kind)?)));
    let Some((kind, value)) = said.next() else {
        missing(problems, header, "files", "a source").help =
            Some("or say `fifo = \"/path\"`, or `journal = {}`".to_owned());
        return None;
    };
    if let Some((other, second)) = said.next() {
        let title = format!("`{kind}` and `{other}` exclude each other");
        problems.error("conflict", second.span(), title, "one of both").help =
            Some("make it two sources: a rule may name both".to_owned());
        return None;
    }
    let of_files = if kind == "files" { &[][..] } else { &OF_FILES };
    for key in of_files.iter().chain(if kind == "fifo" { &["start"][..] } else { &[] }) {
        if let Some(value) = fields.value(key) {
            let title = format!("`{key}` has no effect with `{kind}`");
            problems.error("no-effect", value.span(), title, "it is for files");
        }
    }
    match kind {
        "fifo" => {
            not_blank(problems, fields, "fifo");
            Some(Stream::Fifo(base.join(fields.text("fifo")?.text)))
        }
        "journal" => {
            let table = value.get_ref().as_table()?;
            check(problems, table, "`journal`", &[JOURNAL], &[]);
            let own = Fields { table, defaults: None };
            not_blank(problems, own, "program");
            if let Some(start) = fields.text("start")
                && matches!(parse_start(start.text), Ok(Start::Last(_)))
            {
                let title = "`start` of a journal is no number of bytes";
                problems.error("conflict", start.span, title, "a journal is not measured in bytes").help =
                    Some("say how old entries may be, as `start = \"since:15m\"`".to_owned());
            }
            let texts = |key| own.texts(key).iter().map(|text| text.text.to_owned()).collect();
            let program = own.text("program").map_or("journalctl", |program| program.text);
            // What has a `/` is a path, and relative ones are so to the file that names them.
            let program = if program.contains('/') { base.join(program) } else { PathBuf::from(program) };
            Some(Stream::Journal(Journal {
                units: texts("units"),
                identifiers: texts("identifiers"),
                program,
            }))
        }
        _ => None,
    }
}
