// SPDX-License-Identifier: Apache-2.0
//! Counter-based random numbers: Philox 4x64 with 10 rounds (Salmon, Moraes, Dror, Shaw 2011). A
//! draw is a pure function of (key, counter), so results do not depend on threads or on who drew
//! before. The key is (seed, stream); the counter counts blocks of four draws. NumPy's `Philox`
//! counts up before its first block: what it draws first under counter c is the block of c + 1.
//!
//! `SplitMix64` and `Xoshiro256` (Blackman and Vigna 2018) are sequential: their n-th number costs
//! n steps. They are here to follow streams that other programs drew; HEAN's own are Philox.

const MULTIPLIERS: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
const WEYL: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];
const ROUNDS: usize = 10;

/// The block of four numbers under `key` at `counter`.
#[must_use]
pub fn philox(mut key: [u64; 2], mut counter: [u64; 4]) -> [u64; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let first = u128::from(counter[0]) * u128::from(MULTIPLIERS[0]);
        let second = u128::from(counter[2]) * u128::from(MULTIPLIERS[1]);
        counter = [
            (second >> 64) as u64 ^ counter[1] ^ key[0],
            second as u64,
            (first >> 64) as u64 ^ counter[3] ^ key[1],
            first as u64,
        ];
    }
    counter
}

/// A stream of numbers; `Clone` forks it at the same place.
#[derive(Debug, Clone)]
pub struct Random {
    key: [u64; 2],
    drawn: u64,
}

impl Random {
    /// The stream `stream` of a run's `seed`.
    #[must_use]
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self { key: [seed, stream], drawn: 0 }
    }

    /// Next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let block = philox(self.key, [self.drawn / 4, 0, 0, 0]);
        let bits = block[(self.drawn % 4) as usize];
        self.drawn += 1;
        bits
    }

    /// Uniform in [0, 1) with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958, cosine branch: two draws a value, no state).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A stream of 64-bit numbers from one 64-bit seed; every seed is good.
#[derive(Debug, Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// Next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(WEYL[0]);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// A stream of 64-bit numbers from a state of 256 bits, not all zero: xoshiro256**.
#[derive(Debug, Clone)]
pub struct Xoshiro256([u64; 4]);

impl Xoshiro256 {
    /// The stream that goes on from `state`; `None` for all zeros, which it would never leave.
    #[must_use]
    pub fn from_state(state: [u64; 4]) -> Option<Self> {
        (state != [0; 4]).then_some(Self(state))
    }

    /// Next 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        let state = &mut self.0;
        let bits = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_streams_begin_as_published() {
        let mut split = SplitMix64(1_234_567);
        assert_eq!([split.bits(), split.bits()], [6457827717110365317, 3203168211198807973]);
        let mut xoshiro = Xoshiro256([1, 2, 3, 4]);
        assert_eq!([(); 4].map(|()| xoshiro.bits()), [11520, 0, 1509978240, 1215971899390074240]);
        assert!(Xoshiro256::from_state([0; 4]).is_none());
    }

    #[test]
    fn zero_block_is_the_published_one() {
        assert_eq!(philox([0; 2], [0; 4])[0], 0x1655_4d9e_ca36_314c);
        assert_eq!(philox([0; 2], [0; 4])[..2], [1609277786247541068, 15789900245555285980]);
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |seed, stream| Random::new(seed, stream).uniform();
        assert_eq!(draw(1, 2).to_bits(), draw(1, 2).to_bits());
        assert_ne!(draw(1, 2).to_bits(), draw(1, 3).to_bits());
        let mut random = Random::new(7, 0);
        let values: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
