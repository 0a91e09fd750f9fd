// SPDX-License-Identifier: Apache-2.0
//! Messages as Kafka keeps them: a batch of records with a checksum, an id of who wrote it and a
//! number from which its records count.

use crate::outbox::Published;

/// Version of the form.
const MAGIC: u8 = 2;
/// Bytes before those that the checksum covers.
const CHECKED_FROM: usize = 21;

/// Who writes, by the broker's word, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Producer {
    /// One that has written nothing.
    #[must_use]
    pub fn new(id: i64, epoch: i16) -> Self {
        Self { id, epoch, sequence: 0 }
    }

    /// So many records are stored. Numbers begin again at 0 after the largest.
    pub fn advance(&mut self, count: usize) {
        let next = (i64::from(self.sequence) + count as i64) & i64::from(i32::MAX);
        self.sequence = next as i32;
    }
}

/// The batch. *now_ms*: the moment all its records bear.
#[must_use]
pub fn batch_of(messages: &[Published], producer: &Producer, now_ms: i64) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    bytes.extend_from_slice(&0_i64.to_be_bytes()); // offset: the broker's
    bytes.extend_from_slice(&0_i32.to_be_bytes()); // length: below
    bytes.extend_from_slice(&(-1_i32).to_be_bytes()); // epoch of the leader: the broker's
    bytes.push(MAGIC);
    bytes.extend_from_slice(&0_u32.to_be_bytes()); // checksum: below
    bytes.extend_from_slice(&0_i16.to_be_bytes()); // neither compressed nor in a transaction
    bytes.extend_from_slice(&(messages.len() as i32 - 1).to_be_bytes());
    bytes.extend_from_slice(&now_ms.to_be_bytes());
    bytes.extend_from_slice(&now_ms.to_be_bytes());
    bytes.extend_from_slice(&producer.id.to_be_bytes());
    bytes.extend_from_slice(&producer.epoch.to_be_bytes());
    bytes.extend_from_slice(&producer.sequence.to_be_bytes());
    bytes.extend_from_slice(&(messages.len() as i32).to_be_bytes());
    let mut record = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        record.clear();
        record.push(0); // attributes
        varint(&mut record, 0); // moments after the batch's
        varint(&mut record, place as i64);
        if message.key.is_empty() {
            varint(&mut record, -1);
        } else {
            sized(&mut record, message.key.as_bytes());
        }
        sized(&mut record, &message.bytes);
        varint(&mut record, 0); // headers
        sized(&mut bytes, &record);
    }
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c(&bytes[CHECKED_FROM..]);
    bytes[CHECKED_FROM - 4..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn sized(to: &mut Vec<u8>, bytes: &[u8]) {
    varint(to, bytes.len() as i64);
    to.extend_from_slice(bytes);
}

/// Seven bits a byte, the sign in the lowest.
fn varint(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

/// The checksum of Castagnoli.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283); // RFC 3720, B.4
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn numbers_are_short_where_they_are_small() {
        let mut bytes = Vec::new();
        for value in [0, -1, 1, 63, 64, 300, -300] {
            varint(&mut bytes, value);
        }
        assert_eq!(bytes, [0, 1, 2, 126, 0x80, 1, 0xd8, 4, 0xd7, 4]);
    }

    #[test]
    fn a_batch_says_who_wrote_it_and_from_where_it_counts() {
        let mut producer = Producer::new(7, 1);
        producer.advance(i32::MAX as usize);
        assert_eq!(producer.sequence, i32::MAX);
        let message = |key: &str| Published {
            bytes: [9, 9].as_slice().into(),
            key: key.into(),
            stays: false,
        };
        let bytes = batch_of(&[message("AB"), message("")], &producer, 5);
        assert_eq!(&bytes[8..12], (bytes.len() as i32 - 12).to_be_bytes());
        assert_eq!(&bytes[43..57], [0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(&bytes[57..61], [0, 0, 0, 2]);
        assert_eq!(&bytes[61..72], [20, 0, 0, 0, 4, b'A', b'B', 4, 9, 9, 0]);
        assert_eq!(&bytes[72..], [16, 0, 0, 2, 1, 4, 9, 9, 0]);
        producer.advance(1);
        assert_eq!(producer.sequence, 0);
    }
}
