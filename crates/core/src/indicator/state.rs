// SPDX-License-Identifier: Apache-2.0
//! Snapshots of indicators and filters: fixed little-endian bytes, floats by their bits, with name,
//! version and checksum around them. Parameters are written too and must be equal on the way back,
//! so a snapshot of another period cannot slip in. Damaged or foreign bytes are refused, never
//! guessed.

use crate::error::{Code, CoreError, Result};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// Something whose state can be written down and read back into an equally built value.
pub trait State {
    /// Append the state.
    fn save(&self, to: &mut Vec<u8>);
    /// Replace the state by what `save` wrote.
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()>;
}

/// The unread rest of a snapshot.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn word(&mut self) -> Result<u64> {
        let (head, tail) = self.rest.split_first_chunk::<8>().ok_or_else(|| damaged("short"))?;
        self.rest = tail;
        Ok(u64::from_le_bytes(*head))
    }

    /// Read a parameter and insist that it equals the one in place.
    pub fn expect_equal(&mut self, name: &str, own: u64) -> Result<()> {
        if self.word()? == own {
            return Ok(());
        }
        let message = format!("snapshot: parameter {name} differs from this object's");
        Err(CoreError::new(Code::DataInvalid, message))
    }

    /// Insist that everything was read.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(damaged("longer than the state"))
    }
}

/// The error for bytes that cannot be a state.
pub(crate) fn damaged(how: &str) -> CoreError {
    CoreError::new(Code::DataInvalid, format!("snapshot is damaged: {how}"))
}

/// Write name, version, body and checksum.
pub(crate) fn seal(name: &str, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    body(&mut bytes);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Check what `seal` wrote and hand out the body.
pub(crate) fn unseal<'a>(name: &str, bytes: &'a [u8]) -> Result<Reader<'a>> {
    let (content, tail) =
        bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(|| damaged("short"))?;
    if checksum(content) != u64::from_le_bytes(*tail) {
        return Err(damaged("checksum differs"));
    }
    let rest = content.strip_prefix(&[VERSION]).ok_or_else(|| damaged("unknown version"))?;
    let rest = rest.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(&[0]));
    let foreign = || CoreError::new(Code::DataInvalid, format!("not a snapshot of {name}"));
    Ok(Reader { rest: rest.ok_or_else(foreign)? })
}

/// FNV-1a: enough against accidents, which is all it has to stop.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl State for u64 {
    fn save(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        *self = from.word()?;
        Ok(())
    }
}

impl State for f64 {
    fn save(&self, to: &mut Vec<u8>) {
        self.to_bits().save(to);
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        *self = f64::from_bits(from.word()?);
        Ok(())
    }
}

impl State for bool {
    fn save(&self, to: &mut Vec<u8>) {
        u64::from(*self).save(to);
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        *self = match from.word()? {
            0 => false,
            1 => true,
            _ => return Err(damaged("a flag is neither 0 nor 1")),
        };
        Ok(())
    }
}

impl<const N: usize> State for [f64; N] {
    fn save(&self, to: &mut Vec<u8>) {
        self.iter().for_each(|value| value.save(to));
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|value| value.load(from))
    }
}

impl<T: State + Default> State for Option<T> {
    fn save(&self, to: &mut Vec<u8>) {
        self.is_some().save(to);
        if let Some(value) = self {
            value.save(to);
        }
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let mut present = false;
        present.load(from)?;
        *self = None;
        if present {
            let mut value = T::default();
            value.load(from)?;
            *self = Some(value);
        }
        Ok(())
    }
}

impl<A: State, B: State> State for (A, B) {
    fn save(&self, to: &mut Vec<u8>) {
        self.0.save(to);
        self.1.save(to);
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        self.0.load(from)?;
        self.1.load(from)
    }
}

/// A parameter, comparable by one word.
pub(crate) trait Fixed {
    fn word(&self) -> u64;
}

impl Fixed for u64 {
    fn word(&self) -> u64 {
        *self
    }
}

impl Fixed for f64 {
    fn word(&self) -> u64 {
        self.to_bits()
    }
}

/// Write `State` for a struct: `fixed` fields are parameters that must be equal on the way back,
/// `moving` fields are what changes.
macro_rules! state {
    ($type:ty, fixed { $($fixed:ident),* }, moving { $($moving:ident),* }) => {
        impl $crate::indicator::State for $type {
            fn save(&self, to: &mut Vec<u8>) {
                $($crate::indicator::state::Fixed::word(&self.$fixed).save(to);)*
                $(self.$moving.save(to);)*
            }
            fn load(&mut self, from: &mut $crate::indicator::Reader<'_>) -> $crate::Result<()> {
                $(from.expect_equal(
                    stringify!($fixed),
                    $crate::indicator::state::Fixed::word(&self.$fixed),
                )?;)*
                $(self.$moving.load(from)?;)*
                Ok(())
            }
        }
    };
}

/// Join a kernel's typed `push` to [`Indicator`](super::Indicator): names its inputs, the number of
/// outputs, and how to read its warm-up.
macro_rules! indicator {
    ($type:ident [$($input:ident)+; $inputs:literal] -> $outputs:literal,
     $(positive $positive:literal,)?
     warmup |$w:ident| $warmup:expr $(, settled |$s:ident| $settled:expr)?) => {
        impl $crate::indicator::Indicator<$inputs, $outputs> for $type {
            const NAME: &'static str = stringify!($type);
            const INPUTS: [&'static str; $inputs] = [$(stringify!($input)),+];
            $(const POSITIVE: bool = $positive;)?
            #[inline(always)]
            fn step(&mut self, [$($input),+]: [f64; $inputs]) -> Option<[f64; $outputs]> {
                self.push($($input),+).map($crate::indicator::state::Row::row)
            }
            fn warmup(&self) -> u64 {
                let $w = self;
                $warmup
            }
            $(fn settled(&self) -> u64 {
                let $s = self;
                $settled
            })?
        }
    };
}

/// One number or several as a row.
pub(crate) trait Row<const N: usize> {
    fn row(self) -> [f64; N];
}

impl Row<1> for f64 {
    #[inline(always)]
    fn row(self) -> [f64; 1] {
        [self]
    }
}

impl<const N: usize> Row<N> for [f64; N] {
    #[inline(always)]
    fn row(self) -> [f64; N] {
        self
    }
}
