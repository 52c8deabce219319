//! Which files of a configuration are there: what is gone by accident is told apart from what was taken out.

use std::path::{Path, PathBuf};

use crate::settings::plain;

/// What was found of what is named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Present {
    /// Globs of rule files that something fits.
    pub(super) fitted: Vec<PathBuf>,
    /// Those that nothing fits.
    pub(super) blank: Vec<PathBuf>,
    /// Files that were read and hold something, if only a comment.
    filled: Vec<PathBuf>,
    /// Those that hold nothing: so a full disk leaves them, and nobody who wants to be rid of rules.
    empty: Vec<PathBuf>,
}

impl Present {
    /// A file was read.
    pub(super) fn saw(&mut self, path: &Path, text: &str) {
        let is_empty = text.trim_start_matches('\u{feff}').trim().is_empty();
        let kind = if is_empty { &mut self.empty } else { &mut self.filled };
        kind.push(path.to_owned());
    }

    /// Why rules may not be there that nobody has taken out.
    pub(super) fn gap(&self) -> Option<String> {
        let blank = self.blank.first().map(|glob| format!("no rule file fits `{}`", shown(glob)));
        blank.or_else(|| self.empty.first().map(|file| format!("`{}` is empty", shown(file))))
    }

    /// What is not there any more that was there `before`, and what can be done about it.
    pub(super) fn lost(&self, before: &Present) -> Option<String> {
        if let Some(glob) = before.fitted.iter().find(|glob| self.blank.contains(glob)) {
            let way = "put them back, or take it out of `rules` if they are to go";
            return Some(format!("no rule file fits `{}` any more: {way}", shown(glob)));
        }
        let file = before.filled.iter().find(|file| self.empty.contains(file))?;
        let way = "put back what it held; if that is to go, remove it or leave a comment in it";
        Some(format!("`{}` is empty: {way}", shown(file)))
    }
}

fn shown(path: &Path) -> String {
    plain(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each glob what it fits, of each file what it holds.
    fn present(globs: &[(&str, bool)], files: &[(&str, &str)]) -> Present {
        let mut present = Present::default();
        for (glob, fits) in globs {
            let kind = if *fits { &mut present.fitted } else { &mut present.blank };
            kind.push(PathBuf::from(glob));
        }
        files.iter().for_each(|(file, text)| present.saw(Path::new(file), text));
        present
    }

    #[test]
    fn only_what_was_there_and_left_no_word_is_lost() {
        let check = |before: &Present, now: &Present, gap: Option<&str>, lost: Option<&str>| {
            assert_eq!(now.gap().as_deref(), gap);
            let sentence = now.lost(before);
            assert_eq!(sentence.as_deref().map(|said| said.split(": ").next().unwrap()), lost);
        };
        let full = present(&[("*", true)], &[("a", "x"), ("b", "x")]);
        let one = present(&[("*", true)], &[("a", "x")]);
        let none = present(&[("*", false)], &[]);
        let emptied = present(&[("*", true)], &[("a", "x"), ("b", "\u{feff} \n")]);
        check(&full, &full, None, None);
        check(&full, &one, None, None);
        check(&full, &none, Some("no rule file fits `*`"), Some("no rule file fits `*` any more"));
        check(&none, &none, Some("no rule file fits `*`"), None);
        check(&full, &emptied, Some("`b` is empty"), Some("`b` is empty"));
        check(&emptied, &emptied, Some("`b` is empty"), None);
        check(&full, &present(&[("*", true)], &[("a", "x"), ("b", "# none")]), None, None);
        // Another glob is another wish.
        check(&full, &present(&[("new", false)], &[]), Some("no rule file fits `new`"), None);
    }
}
