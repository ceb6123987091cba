//! File bytes in, text out: byte order mark first, then UTF-8, then detection.
//!
//! Invariant: the text of a valid UTF-8 file is its bytes, less the byte order mark, so that
//! offsets agree. What is not text is refused with a reason. Reads no files.
//!
//! NUL bytes: a text file may hold a few (a crash while saving leaves them); up to one byte in a
//! hundred they are kept, so that offsets still agree, and parsers treat them as white space.
//! More of them mean UTF-16, or no text at all.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// A file's text and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without byte order mark.
    pub text: String,
    /// Name of the encoding, as the WHATWG standard spells it (`UTF-8`, `windows-1252`).
    pub encoding: &'static str,
    /// Length of the byte order mark that the file begins with; 0 where it has none.
    pub bom_len: usize,
    /// Some bytes meant nothing in this encoding; U+FFFD stands in their place.
    pub had_errors: bool,
}

/// Why bytes are not a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are something else than text.
    #[error("this is not text but {what}; leave it out, or convert it to text first")]
    Binary {
        /// What it looks like, with an article.
        what: &'static str,
    },
}

/// Reads `bytes` as text.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if let Some(text) = utf32(bytes) {
        return Ok(Decoded {
            text,
            encoding: "UTF-32",
            bom_len: 4,
            had_errors: false,
        });
    }
    if let Some((encoding, bom_len)) = Encoding::for_bom(bytes) {
        return readable(with(encoding, bytes, bom_len));
    }
    if let Some(what) = magic(bytes) {
        return Err(DecodeError::Binary { what });
    }
    let n_nul = bytes.iter().filter(|b| **b == 0).count();
    match std::str::from_utf8(bytes) {
        // English or Russian in UTF-16 is valid UTF-8 too, but full of NULs.
        Ok(_) if n_nul * 100 <= bytes.len() => readable(with(UTF_8, bytes, 0)),
        _ => {
            if n_nul * 50 >= bytes.len()
                && let Some(decoded) = utf16(bytes)
            {
                return Ok(decoded);
            }
            if n_nul > 0 {
                return Err(DecodeError::Binary {
                    what: "binary data with NUL bytes",
                });
            }
            let encoding = match is_mostly_utf8(bytes) {
                true => UTF_8,
                false => detect(bytes),
            };
            readable(with(encoding, bytes, 0))
        }
    }
}

fn with(encoding: &'static Encoding, bytes: &[u8], bom_len: usize) -> Decoded {
    let (text, had_errors) = encoding.decode_without_bom_handling(&bytes[bom_len..]);
    Decoded {
        text: text.into_owned(),
        encoding: encoding.name(),
        bom_len,
        had_errors,
    }
}

/// Refuses what decodes but does not read: too many NULs or control characters.
fn readable(decoded: Decoded) -> Result<Decoded, DecodeError> {
    let text = decoded.text.as_bytes();
    let n_nul = text.iter().filter(|b| **b == 0).count();
    if n_nul * 100 > text.len() {
        return Err(DecodeError::Binary {
            what: "binary data with NUL bytes",
        });
    }
    let n_chars = decoded.text.chars().count();
    let n_lost = decoded.text.chars().filter(|c| *c == '\u{fffd}').count();
    if decoded.had_errors && n_lost * 10 > n_chars {
        return Err(DecodeError::Binary {
            what: "data that no encoding explains",
        });
    }
    if has_many_controls(&decoded.text) {
        return Err(DecodeError::Binary {
            what: "binary data with control characters",
        });
    }
    Ok(decoded)
}

/// More than one character in fifty is a control character that no text uses.
fn has_many_controls(text: &str) -> bool {
    // Terminal logs hold escapes and backspaces, old listings form feeds.
    let is_odd = |b: &u8| *b < b' ' && !b"\0\t\n\r\x08\x0b\x0c\x1b".contains(b) || *b == 0x7f;
    text.bytes().filter(is_odd).count() * 50 > text.len()
}

/// Kinds of files by their first bytes.
fn magic(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 31] = [
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF87a", "a GIF image"),
        (b"GIF89a", "a GIF image"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"\0\0\x01\0", "an icon"),
        (b"%PDF-", "a PDF file"),
        (b"PK\x03\x04", "a zip archive (or an office document)"),
        (b"PK\x05\x06", "an empty zip archive"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "an old office document",
        ),
        (b"{\\rtf", "an RTF document"),
        (b"\x7fELF", "a program (ELF)"),
        (b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
        (b"\xca\xfe\xba\xbe", "a compiled program"),
        (b"\0asm", "a WebAssembly program"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"OggS", "an Ogg media file"),
        (b"fLaC", "a FLAC sound file"),
        (b"ID3", "an MP3 sound file"),
        (b"RIFF", "a RIFF media file"),
        (b"wOFF", "a font"),
        (b"wOF2", "a font"),
        (b"OTTO\0", "a font"),
        (b"\0\x01\0\0\0", "a font"),
    ];
    if bytes.len() > 11 && bytes[4..8] == *b"ftyp" {
        return Some("an MP4 media file");
    }
    let (magic, what) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic))?;
    // A note may begin with the word `ID3` or `RIFF`; such a file says so in binary right after.
    let is_word = magic.iter().all(|b| b.is_ascii_alphanumeric());
    let head = &bytes[magic.len()..bytes.len().min(64)];
    let is_text = head
        .iter()
        .all(|b| *b >= b' ' && *b < 0x7f || b"\t\r\n".contains(b));
    (!is_word || !is_text).then_some(what)
}

/// UTF-32 with its byte order mark. It is rare, and `encoding_rs` does not speak it.
fn utf32(bytes: &[u8]) -> Option<String> {
    let unit: fn([u8; 4]) -> u32 = match bytes.get(..4)? {
        [0xff, 0xfe, 0, 0] => u32::from_le_bytes,
        [0, 0, 0xfe, 0xff] => u32::from_be_bytes,
        _ => return None,
    };
    let (units, []) = bytes[4..].as_chunks::<4>() else {
        return None;
    };
    units.iter().map(|u| char::from_u32(unit(*u))).collect()
}

/// UTF-16 without byte order mark: NULs on one side of the pairs only, and sense in the result.
fn utf16(bytes: &[u8]) -> Option<Decoded> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return None;
    };
    let n_high = pairs.iter().filter(|pair| pair[0] == 0).count();
    let n_low = pairs.iter().filter(|pair| pair[1] == 0).count();
    let encoding = match (n_high, n_low) {
        (0, 0) => return None,
        (high, low) if low > high * 10 => UTF_16LE,
        (high, low) if high > low * 10 => UTF_16BE,
        _ => return None,
    };
    let decoded = with(encoding, bytes, 0);
    let n_chars = decoded.text.chars().count();
    let n_sense = decoded.text.chars().filter(|c| is_sensible(*c)).count();
    (!decoded.had_errors && n_sense * 20 >= n_chars * 19).then_some(decoded)
}

fn is_sensible(c: char) -> bool {
    c.is_alphanumeric()
        || c.is_whitespace()
        || c.is_ascii_punctuation()
        || matches!(c, '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{27bf}' | '\u{3000}'..='\u{303f}')
        || matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{fe0f}')
}

/// UTF-8 with a scratch: at least four good sequences of several bytes to each bad one.
///
/// Without this, one broken byte in a long French or Chinese note would turn every accent of it
/// into the two letters it would be in another encoding.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let mut n_good = 0;
    let mut n_bad = 0;
    for chunk in bytes.utf8_chunks() {
        n_good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        n_bad += usize::from(!chunk.invalid().is_empty());
    }
    n_good >= 4 * n_bad
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], encoding: &str, text: &str) {
        let decoded = decode(bytes).unwrap();
        assert_eq!((decoded.encoding, decoded.text.as_str()), (encoding, text));
        assert!(!decoded.had_errors);
    }

    fn check_binary(bytes: &[u8], what: &str) {
        let fault = decode(bytes).unwrap_err().to_string();
        assert!(fault.contains(what), "{fault}");
        assert!(fault.contains("leave it out"), "{fault}");
    }

    fn utf16le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn utf16be(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_decides_and_is_not_part_of_the_text() {
        check("\u{feff}Crème".as_bytes(), "UTF-8", "Crème");
        check(&utf16le("\u{feff}Crème 🍮"), "UTF-16LE", "Crème 🍮");
        check(&utf16be("\u{feff}Crème 🍮"), "UTF-16BE", "Crème 🍮");
        let utf32: Vec<u8> = "\u{feff}Crème 🍮"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        check(&utf32, "UTF-32", "Crème 🍮");
        assert_eq!(decode(b"\xef\xbb\xbfx").unwrap().bom_len, 3);
    }

    #[test]
    fn utf16_without_its_mark_is_seen() {
        let english = "Buy oats, milk and 3 apples.\r\nThen go home.\r\n";
        check(&utf16le(english), "UTF-16LE", english);
        check(&utf16be(english), "UTF-16BE", english);
        let russian = "Купить овёс, молоко и хлеб. Потом идти домой.\n";
        check(&utf16le(russian), "UTF-16LE", russian);
    }

    #[test]
    fn old_encodings_are_detected() {
        check(
            b"Recette de la cr\xe8me br\xfbl\xe9e : chauffer \xe0 feu doux, puis laisser reposer.",
            "windows-1252",
            "Recette de la crème brûlée : chauffer à feu doux, puis laisser reposer.",
        );
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("今日は新しいレシピを試しました。");
        check(&bytes, "Shift_JIS", "今日は新しいレシピを試しました。");
        let (bytes, _, _) =
            encoding_rs::WINDOWS_1251.encode("Сегодня мы готовим овсянку с яблоками и корицей.");
        check(
            &bytes,
            "windows-1251",
            "Сегодня мы готовим овсянку с яблоками и корицей.",
        );
    }

    #[test]
    fn one_bad_byte_does_not_change_the_encoding_of_the_rest() {
        let decoded = decode(b"D\xc3\xa9j\xc3\xa0 pr\xc3\xaat, tr\xc3\xa8s b\xffien").unwrap();
        assert_eq!(decoded.text, "Déjà prêt, très b\u{fffd}ien");
        assert_eq!((decoded.encoding, decoded.had_errors), ("UTF-8", true));
    }

    #[test]
    fn an_empty_file_is_an_empty_text() {
        check(b"", "UTF-8", "");
    }

    #[test]
    fn a_few_nul_bytes_stay_in_place_and_many_are_no_text() {
        let mut text = "a line of a note\n".repeat(20).into_bytes();
        text[40] = 0;
        assert_eq!(decode(&text).unwrap().text.as_bytes(), text);
        check_binary(b"a\0\0\0b\0\0\0c\0\0\0", "NUL bytes");
        check_binary(b"\xfd\0\x01\x02\x80\0\x90", "NUL bytes");
        check_binary(b"\xff\xfe\xfd\0\x01\xd8\x80", "no encoding explains");
    }

    #[test]
    fn other_files_are_named() {
        check_binary(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image");
        check_binary(b"%PDF-1.7\n%\xe2\xe3", "a PDF file");
        check_binary(b"PK\x03\x04\x14\0\x06\0", "a zip archive");
        check_binary(b"\x7fELF\x02\x01\x01\0", "ELF");
        check_binary(b"RIFF\x24\x08\0\0WAVE", "a RIFF media file");
        let controls: Vec<u8> = (0..2000u32).map(|i| (1 + i * 7 % 30) as u8).collect();
        check_binary(&controls, "control characters");
    }

    #[test]
    fn a_note_about_a_file_kind_is_a_note() {
        check(b"RIFF is a container.", "UTF-8", "RIFF is a container.");
        check(b"ID3 tags, again", "UTF-8", "ID3 tags, again");
    }
}
