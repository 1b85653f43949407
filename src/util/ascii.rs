//! Short ASCII texts of a fixed length, on the stack: digests in hexadecimal, dates.

use std::fmt;
use std::ops::Deref;

/// `N` ASCII characters, which dereference to a `str`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ascii<const N: usize>([u8; N]);

impl<const N: usize> Ascii<N> {
    /// `N / 2` bytes in lower-case hexadecimal.
    pub(crate) fn hex(bytes: &[u8]) -> Ascii<N> {
        debug_assert_eq!(bytes.len() * 2, N);
        let mut text = [0; N];
        for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
            digits.copy_from_slice(&[byte >> 4, byte & 15]);
        }
        // A loop of its own, so that the compiler vectorizes it.
        for digit in &mut text {
            *digit += if *digit > 9 { b'a' - 10 } else { b'0' };
        }
        Ascii(text)
    }

    /// The text with the last digits of this number at `place`.
    pub(crate) fn with_digits(mut self, place: std::ops::Range<usize>, mut number: u32) -> Ascii<N> {
        for digit in self.0[place].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self
    }

    pub(crate) const fn new(text: &[u8; N]) -> Ascii<N> {
        assert!(text.is_ascii());
        Ascii(*text)
    }
}

impl<const N: usize> Deref for Ascii<N> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ASCII is UTF-8")
    }
}

impl<const N: usize> fmt::Debug for Ascii<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_digits_have_their_zeros() {
        assert_eq!(&*Ascii::<6>::hex(&[0x00, 0x0a, 0xff]), "000aff");
        let text = Ascii::new(b"--T-----").with_digits(0..2, 7).with_digits(3..6, 4_120);
        assert_eq!(&*text, "07T120--");
    }
}
