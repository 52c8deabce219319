//! `type = "file"`.

use super::super::walk::missing;
use super::Reading;
use crate::settings::{File, Peer};

pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Option<Peer> {
    let fields = reading.fields;
    reading.not_blank(&["path"]);
    if fields.value("keep").is_some() && fields.value("max_size").is_none() {
        let span = fields.key_span("keep", reading.header);
        let title = "`keep` has no effect without `max_size`";
        reading.problems.error("no-effect", span, title, "no new file is ever begun");
    }
    let Some(path) = reading.path("path") else {
        if fields.value("path").is_none() {
            missing(reading.problems, reading.header, "path", "a file sink");
        }
        return None;
    };
    Some(Peer::File(File {
        path,
        max_size: fields.size("max_size").map(|size| size as u64),
        keep: fields.count("keep").unwrap_or(5),
        mode: fields.mode("mode").unwrap_or(0o600),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::{check, peer};
    use super::*;

    #[test]
    fn a_file_is_beside_its_configuration_and_for_its_owner_alone_unless_said() {
        let Peer::File(file) = peer("type='file'\npath='out/alerts.ndjson'") else { panic!("another peer") };
        assert_eq!(file.path, Path::new("/etc/tripline/out/alerts.ndjson"));
        assert_eq!((file.max_size, file.keep, file.mode), (None, 5, 0o600));
        let said = "type='file'\npath='/a'\nmax_size='10MiB'\nkeep=2\nmode='0640'";
        let Peer::File(file) = peer(said) else { panic!("another peer") };
        assert_eq!((file.max_size, file.keep, file.mode), (Some(10 << 20), 2, 0o640));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        check("type='file'", &[("missing-key", "[[sink]]")]);
        check("type='file'\npath=' '", &[("empty", "' '")]);
        check("type='file'\nkeep=2", &[("missing-key", "[[sink]]"), ("no-effect", "keep")]);
        check("type='file'\npath='a'\nkeep=2", &[("no-effect", "keep")]);
        check("type='file'\npath='a'\nmax_size='1'", &[("out-of-range", "'1'")]);
        for mode in ["'rw'", "'888'", "'06000'", "''", "'64'"] {
            check(&format!("type='file'\npath='a'\nmode={mode}"), &[("bad-mode", mode)]);
        }
        check("type='file'\npath='a'\nmode=600", &[("wrong-type", "600")]);
    }
}
