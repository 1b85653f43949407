//! SHA-256 of texts with the same beginning. The beginning is hashed once; the rest is collected on the stack and compressed
//! in one call. For these short texts `sha2` and `hmac` need one fifth more time.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

const BLOCK: usize = 64;

/// FIPS 180-4, 5.3.3.
const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The state of SHA-256 after a beginning. It is wiped when dropped, since it may contain a key.
#[derive(Clone)]
pub(super) struct Midstate {
    state: Zeroizing<[u32; 8]>,
    hashed: usize,
    /// The end of the beginning that does not fill a block.
    rest: Vec<u8>,
}

impl Midstate {
    pub fn new(beginning: &[u8]) -> Midstate {
        let mut state = Zeroizing::new(START);
        let mut blocks = beginning.chunks_exact(BLOCK);
        for block in &mut blocks {
            compress256(&mut state, &[block.try_into().expect("a block")]);
        }
        let rest = blocks.remainder();
        Midstate {
            state,
            hashed: beginning.len() - rest.len(),
            rest: rest.to_vec(),
        }
    }

    /// A hasher that continues after the beginning. It has memory for `N` blocks and compresses `N - 1` of them in one call.
    // It is inlined, since a Hasher is too large to be moved.
    #[inline(always)]
    pub fn hasher<const N: usize>(&self) -> Hasher<N> {
        let mut hasher = Hasher {
            state: *self.state,
            hashed: self.hashed,
            ..Hasher::new()
        };
        hasher.update(&self.rest);
        hasher
    }
}

/// A hash in progress.
pub(super) struct Hasher<const N: usize> {
    state: [u32; 8],
    hashed: usize,
    /// The last block is for the padding.
    blocks: [[u8; BLOCK]; N],
    filled: usize,
}

impl<const N: usize> Hasher<N> {
    const FULL: usize = (N - 1) * BLOCK;

    /// A hasher without a beginning.
    #[inline(always)]
    pub fn new() -> Hasher<N> {
        Hasher {
            state: START,
            hashed: 0,
            blocks: [[0; BLOCK]; N],
            filled: 0,
        }
    }

    #[inline]
    pub fn update(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(Self::FULL - self.filled));
            self.blocks.as_flattened_mut()[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            piece = later;
            if self.filled == Self::FULL {
                compress256(&mut self.state, &self.blocks[..N - 1]);
                self.hashed += Self::FULL;
                self.filled = 0;
            }
        }
    }

    /// Adds the padding of FIPS 180-4, 5.1.1 (a one bit, zeros, and the length in bits at the end of a block) and returns the hash.
    #[inline(always)]
    pub fn finalize(&mut self) -> [u8; 32] {
        let bits = (self.hashed + self.filled) as u64 * 8;
        let blocks = (self.filled + 1 + size_of::<u64>()).div_ceil(BLOCK);
        let text = self.blocks[..blocks].as_flattened_mut();
        let (padding, length) = text[self.filled..].split_last_chunk_mut().expect("room for the length");
        padding.fill(0);
        padding[0] = 0x80;
        *length = bits.to_be_bytes();
        compress256(&mut self.state, &self.blocks[..blocks]);
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_length_hashes_as_sha256_does_wherever_it_is_cut() {
        let text: Vec<u8> = (0..1000u32).map(|index| (index * 31) as u8).collect();
        for len in 0..text.len() {
            let text = &text[..len];
            let (beginning, rest) = text.split_at(len / 7 * (len % 8));
            let (first, second) = rest.split_at(rest.len() / 3);
            let hash: [u8; 32] = Sha256::digest(text).into();
            let hashed = |beginning: &[u8], pieces: [&[u8]; 2]| {
                let mut hasher = Midstate::new(beginning).hasher::<3>();
                for piece in pieces {
                    hasher.update(piece);
                }
                hasher.finalize()
            };
            assert_eq!(hashed(beginning, [first, second]), hash, "{len}");
            let mut whole = Hasher::<5>::new();
            whole.update(text);
            assert_eq!(whole.finalize(), hash, "{len}");
        }
    }
}
