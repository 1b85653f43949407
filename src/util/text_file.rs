//! Text files that people edit: certificates and keys.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

/// The bytes of a file without the byte order marks of UTF-8, which some editors put before the text. They are removed from
/// the beginning of every line, because a bundle of certificates is often made of several files.
/// The bytes that are read and those that are returned are wiped when dropped, since the file may contain a key.
///
/// # Errors
/// A text that the caller adds to the path: the file cannot be read, or it is in UTF-16.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| error.to_string())?);
    without_marks(&bytes)
}

fn without_marks(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err("the file is in UTF-16; save it as UTF-8".to_owned());
    }
    // It has room for all bytes from the beginning, since a vector that grows leaves copies in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(line.strip_prefix(UTF8_MARK).unwrap_or(line));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_before_a_line_is_removed_and_everything_else_stays() {
        for (bytes, text) in [
            (&b""[..], &b""[..]),
            (b"\xEF\xBB\xBF", b""),
            (b"\xEF\xBB\xBFone\ntwo", b"one\ntwo"),
            (b"one\r\n\xEF\xBB\xBFtwo\r\n", b"one\r\ntwo\r\n"),
            (b"one\xEF\xBB\xBF\n\xEF\xBB", b"one\xEF\xBB\xBF\n\xEF\xBB"),
            (b"\xE9 in Latin-1", b"\xE9 in Latin-1"),
        ] {
            assert_eq!(&without_marks(bytes).unwrap()[..], text, "{bytes:?}");
        }
    }

    #[test]
    fn the_bytes_that_are_returned_are_of_the_type_that_wipes_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "key").unwrap();
        let bytes: Zeroizing<Vec<u8>> = read(file.path()).unwrap();
        assert_eq!(&bytes[..], b"key");
    }

    #[test]
    fn utf_16_is_refused_by_name() {
        for bytes in [&b"\xFF\xFE-\0"[..], b"\xFE\xFF\0-"] {
            assert!(without_marks(bytes).unwrap_err().contains("UTF-16"), "{bytes:?}");
        }
    }
}
