//! Writes what came of tests into their files. What does not have to change stays as it is, to the byte.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use super::super::{Failure, NO, talk};
use super::Played;
use crate::scenario::{LineVerdict, Lines};

pub(super) fn write(played: &[Played<'_>]) -> Result<u8, Failure> {
    let (mut changed, mut left) = (0, false);
    for played in played {
        let (text, mut edits) = (&played.loaded.text, Vec::new());
        for (test, verdicts) in played.loaded.suite.lines.iter().zip(&played.lines) {
            match &test.from {
                Lines::Sample(path) => {
                    if !verdicts.iter().all(LineVerdict::passed) {
                        let sample = played.loaded.samples.get(path).map_or("", String::as_str);
                        changed += save(path, sample, &annotated(sample, verdicts))?;
                    }
                }
                Lines::Text(_) => {
                    let Some(verdict) = verdicts.first().filter(|verdict| !verdict.passed()) else {
                        continue;
                    };
                    let (rule, captures) = verdict.keys();
                    let written = [("rule", Some(rule)), ("captures", captures)];
                    for (key, value) in written {
                        match (test.places.get(key), value) {
                            (Some(place), Some(value)) => edits.push((place.clone(), value)),
                            (None, Some(value)) => {
                                edits.push((test.end..test.end, format!("\n{key} = {value}")));
                            }
                            (Some(place), None) => edits.push((place.clone(), "{}".to_owned())),
                            (None, None) => {}
                        }
                    }
                }
            }
        }
        for (at, verdict) in &played.tests {
            let test = played.scenario(*at);
            let wrong = verdict.differences.iter().any(|difference| difference.open_at.is_none());
            // Who does not ask for it does not get it.
            let Some(place) = test.sent_at.clone().filter(|_| wrong) else { continue };
            let mut list = String::from("[");
            for sent in &verdict.sent {
                // Writing to a String can not fail.
                let _ = write!(list, "\n  {sent},");
            }
            list.push_str(if verdict.sent.is_empty() { "]" } else { "\n]" });
            edits.push((place, list));
        }
        changed += save(&text.path, &text.text, &edited(&text.text, edits))?;
        for (at, verdict) in &played.tests {
            if verdict.differences.iter().any(|difference| difference.open_at.is_some()) {
                let name = &played.scenario(*at).name;
                talk(&format!("`open` of `{name}` is not written: say yourself what has to be open\n"));
                left = true;
            }
        }
    }
    talk(&if changed == 1 {
        "1 file was changed\n".to_owned()
    } else {
        format!("{changed} files were changed\n")
    });
    Ok(if left { NO } else { 0 })
}

fn save(path: &PathBuf, before: &str, after: &str) -> Result<usize, Failure> {
    if before == after {
        return Ok(0);
    }
    std::fs::write(path, after)
        .map_err(|error| Failure(format!("can not write `{}`: {error}", path.display())))?;
    Ok(1)
}

/// The text with other words at some places.
fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let (mut new, mut at) = (String::new(), 0);
    for (place, words) in edits {
        new.push_str(&text[at..place.start]);
        new.push_str(&words);
        at = place.end;
    }
    new + &text[at..]
}

/// A sample with the right remark above each line.
fn annotated(sample: &str, verdicts: &[LineVerdict]) -> String {
    let mut verdicts = verdicts.iter().peekable();
    let mut remarks = String::new();
    let mut new = String::new();
    for (number, line) in (1..).zip(sample.split_inclusive('\n')) {
        if line.starts_with("#=") {
            remarks.push_str(line);
            continue;
        }
        match verdicts.next_if(|verdict| verdict.number == Some(number)) {
            Some(verdict) if verdict.passed() => new.push_str(&remarks),
            Some(verdict) => {
                new.push_str(&verdict.annotation());
                new.push('\n');
            }
            None => new.push_str(&remarks),
        }
        remarks.clear();
        new.push_str(line);
    }
    new + &remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_replaced_changes() {
        let text = "a = 1 # one\nb = [ ]\n";
        let edits = vec![(16..19, "[2]".to_owned()), (5..5, "0".to_owned())];
        assert_eq!(edited(text, edits), "a = 10 # one\nb = [2]\n");
        assert_eq!(edited(text, Vec::new()), text);
    }
}
