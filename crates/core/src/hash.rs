// SPDX-License-Identifier: Apache-2.0
//! The canonical form of state, and its hash. Two runs agree exactly when their canonical bytes
//! agree: integers in little-endian two's complement of fixed width, text and bytes behind their
//! length, an option as a flag byte, collections behind their count and in a fixed or sorted
//! order. No floats, no clock, no addresses. A type writes itself with `canonical(&self, out)`;
//! changing what it writes changes every recorded hash, so fields are only ever appended together
//! with a new tag.

use sha2::{Digest, Sha256};

/// Append one byte: a tag, a flag or a small enum.
pub fn put_u8(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

/// Append eight bytes: counts, ticks, lots, rates, nanoseconds.
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Append sixteen bytes: money.
pub fn put_i128(out: &mut Vec<u8>, value: i128) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Append the length of what follows, as eight bytes on every machine.
pub fn put_len(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&(length as u64).to_le_bytes());
}

/// Append UTF-8 text behind its length, so that `("ab", "c")` differs from `("a", "bc")`.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Append an optional integer: flag 0, or flag 1 and the value.
pub fn put_optional_i64(out: &mut Vec<u8>, value: Option<i64>) {
    put_u8(out, u8::from(value.is_some()));
    if let Some(value) = value {
        put_i64(out, value);
    }
}

/// SHA-256 over the count of parts and each part behind its length, in the order given.
#[must_use]
pub fn state_hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update((parts.len() as u64).to_le_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Bytes as lower-case hexadecimal text.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256_of_count_lengths_and_parts() {
        let mut plain = Vec::new();
        put_len(&mut plain, 2);
        put_text(&mut plain, "ab");
        put_text(&mut plain, "c");
        let expected: [u8; 32] = Sha256::digest(&plain).into();
        assert_eq!(state_hash(&[b"ab", b"c"]), expected);
    }

    #[test]
    fn moving_a_border_between_parts_changes_the_hash() {
        let hashes = [
            state_hash(&[b"ab", b"c"]),
            state_hash(&[b"a", b"bc"]),
            state_hash(&[b"abc"]),
            state_hash(&[b"abc", b""]),
            state_hash(&[]),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[index + 1..].contains(hash));
        }
    }

    #[test]
    fn integers_are_little_endian_and_fixed_width() {
        let mut out = Vec::new();
        put_u8(&mut out, 7);
        put_i64(&mut out, -2);
        put_i128(&mut out, 1);
        put_optional_i64(&mut out, None);
        put_optional_i64(&mut out, Some(1));
        assert_eq!(
            to_hex(&out),
            concat!(
                "07",
                "feffffffffffffff",
                "01000000000000000000000000000000",
                "00",
                "010100000000000000"
            )
        );
    }

    #[test]
    fn hexadecimal_is_lower_case_and_padded() {
        assert_eq!(to_hex(&[0, 10, 255]), "000aff");
    }
}
