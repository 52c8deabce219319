//! The recipe of the alert key. A change of it is version 2, and resolves every alert of version 1.

use sha2::{Digest, Sha256};

use crate::model::KeyHash;

/// What keeps digests of this recipe apart from all others.
const TAG: &[u8] = b"tripline-key-v1";

/// The digest of a key: the first 16 bytes of SHA-256 over the tag, the rule's name, the scope (empty for
/// `scope = "none"`) and the `by` pairs in the order given, which must be sorted by name. Each of these fields is
/// written as its length, a little-endian `u32`, and its raw bytes, so no choice of values makes two lists alike.
/// Values are neither cut nor decoded.
#[inline]
pub fn digest<'a>(rule: &str, scope: &str, by: impl Iterator<Item = (&'a str, &'a [u8])>) -> KeyHash {
    let mut sha = Sha256::new();
    let mut field = |bytes: &[u8]| {
        // Captures are bounded by the line limit of 1 MiB and names by 64 bytes: the length fits.
        sha.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        sha.update(bytes);
    };
    field(TAG);
    field(rule.as_bytes());
    field(scope.as_bytes());
    for (name, value) in by {
        field(name.as_bytes());
        field(value);
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&sha.finalize()[..16]);
    KeyHash(hash)
}

/// A digest of a text, to tell different ones apart: the first eight bytes of its SHA-256, little-endian.
pub(super) fn text_digest(text: &[u8]) -> u64 {
    let digest = Sha256::digest(text);
    u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, scope: &str, by: &[(&str, &[u8])], expected: &str) {
        assert_eq!(digest(rule, scope, by.iter().copied()).to_string(), expected, "{rule} {scope} {by:?}");
    }

    /// Computed once with an independent program (Python's `hashlib` and `struct`). They never change: whoever
    /// was told "firing" under a key must be told "resolved" under the same.
    #[test]
    fn golden_vectors() {
        check("a", "", &[], GOLDEN[0]);
        check("ssh_bruteforce", "web-1", &[("src_ip", b"187.141.143.180")], GOLDEN[1]);
        check("ssh_bruteforce", "", &[("src_ip", b"187.141.143.180")], GOLDEN[2]);
        check("x", "h", &[("a", b"b"), ("c", b"d")], GOLDEN[3]);
        check("x", "h", &[("a", b"b\x01\x00\x00\x00c\x01\x00\x00\x00d")], GOLDEN[4]);
        check("x", "h", &[("a", b"\xff\x00\n")], GOLDEN[5]);
    }

    const GOLDEN: [&str; 6] = [
        "9c5bcf03037679c805af0c311d8edbe1",
        "be6c6c67d270a4f221e1baa2f5b55073",
        "fd689b30d7736013b44841195c481888",
        "15b5c5c0fd133fe8636e7ab616556a07",
        "1f074e7606e89ff8bc1d113282824688",
        "3bcaec68ae071bd8d948518722f68240",
    ];
}
