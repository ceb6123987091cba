//! The Finder's tags: a binary property list with one array of strings, in and out.
//!
//! A tag may carry its colour behind a line break (`work\n6`); that stays with it.
//! Invariant: what was read is written back; a list of another shape is not read at all. Pure, so
//! that it is tested on every system.

/// The tags in the attribute's bytes, colours included; none where they cannot be read.
pub(in crate::sink) fn tags(bytes: &[u8]) -> Option<Vec<String>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let list = List::parse(bytes)?;
    let array = list.object(list.top)?;
    let (kind, count, body) = head(array)?;
    if kind != 0xa0 {
        return None;
    }
    let strings = (0..count).map(|idx| {
        let start = idx.checked_mul(list.reference)?;
        let reference = body.get(start..start + list.reference)?;
        list.string(number(reference)?)
    });
    strings.collect()
}

/// The bytes of an attribute with these tags; all of them can be written.
pub(in crate::sink) fn bytes(tags: &[String]) -> (Vec<u8>, Vec<String>) {
    if tags.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut out = b"bplist00".to_vec();
    let mut offsets = vec![out.len()];
    out.extend(object_head(0xa0, tags.len()));
    out.extend((1..=tags.len()).flat_map(|idx| (idx as u16).to_be_bytes()));
    for tag in tags {
        offsets.push(out.len());
        if tag.is_ascii() {
            out.extend(object_head(0x50, tag.len()));
            out.extend(tag.as_bytes());
        } else {
            out.extend(object_head(0x60, tag.encode_utf16().count()));
            out.extend(tag.encode_utf16().flat_map(u16::to_be_bytes));
        }
    }
    let table = out.len();
    out.extend(offsets.iter().flat_map(|at| (*at as u32).to_be_bytes()));
    out.extend([0, 0, 0, 0, 0, 0, 4, 2]); // Bytes of an offset, and of a reference.
    for number in [offsets.len(), 0, table] {
        out.extend((number as u64).to_be_bytes());
    }
    (out, Vec::new())
}

struct List<'a> {
    bytes: &'a [u8],
    offsets: Vec<usize>,
    reference: usize,
    top: usize,
}

impl<'a> List<'a> {
    fn parse(bytes: &'a [u8]) -> Option<List<'a>> {
        let trailer = bytes.len().checked_sub(32)?;
        if !bytes.starts_with(b"bplist0") {
            return None;
        }
        let size = usize::from(bytes[trailer + 6]);
        let reference = usize::from(bytes[trailer + 7]);
        let field = |idx: usize| number(&bytes[trailer + 8 + idx * 8..trailer + 16 + idx * 8]);
        let (count, top, table) = (field(0)?, field(1)?, field(2)?);
        if !(1..=8).contains(&size) || !(1..=8).contains(&reference) || count > bytes.len() {
            return None;
        }
        let offset = |idx: usize| {
            let start = table.checked_add(idx.checked_mul(size)?)?;
            number(bytes.get(start..start.checked_add(size)?)?)
        };
        let offsets = (0..count).map(offset).collect::<Option<_>>()?;
        Some(List {
            bytes,
            offsets,
            reference,
            top,
        })
    }

    fn object(&self, idx: usize) -> Option<&'a [u8]> {
        self.bytes.get(*self.offsets.get(idx)?..)
    }

    fn string(&self, idx: usize) -> Option<String> {
        let (kind, count, body) = head(self.object(idx)?)?;
        match kind {
            0x50 => String::from_utf8(body.get(..count)?.to_vec()).ok(),
            0x60 => {
                let units = body.get(..count.checked_mul(2)?)?.chunks_exact(2);
                let units: Vec<u16> = units
                    .map(|two| u16::from_be_bytes([two[0], two[1]]))
                    .collect();
                String::from_utf16(&units).ok()
            }
            _ => None,
        }
    }
}

/// An object's kind, its count and what follows.
fn head(object: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (marker, rest) = object.split_first()?;
    let kind = marker & 0xf0;
    match marker & 0x0f {
        0x0f => {
            let (marker, rest) = rest.split_first()?;
            let size = 1_usize << (marker & 0x0f).min(3);
            let count = number(rest.get(..size)?)?;
            (marker & 0xf0 == 0x10).then_some((kind, count, &rest[size..]))
        }
        count => Some((kind, usize::from(count), rest)),
    }
}

fn object_head(kind: u8, count: usize) -> Vec<u8> {
    match u8::try_from(count) {
        Ok(few) if few < 15 => vec![kind | few],
        _ => {
            let mut out = vec![kind | 0x0f, 0x12];
            out.extend((count as u32).to_be_bytes());
            out
        }
    }
}

fn number(bytes: &[u8]) -> Option<usize> {
    bytes.iter().try_fold(0_usize, |sum, byte| {
        sum.checked_mul(256)?.checked_add(usize::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_finder_wrote_is_read() {
        // `defaults write x -array "Red\n6" "Grün"`, as macOS stores it.
        let mut list = b"bplist00\xa2\x01\x02\x55Red\n6\x64\0G\0r\0\xfc\0n\x08\x0b\x11".to_vec();
        list.extend([0, 0, 0, 0, 0, 0, 1, 1]);
        for number in [3_u64, 0, 26] {
            list.extend(number.to_be_bytes());
        }
        assert_eq!(
            tags(&list),
            Some(vec!["Red\n6".to_owned(), "Grün".to_owned()])
        );
        assert_eq!(tags(b"bplist00"), None);
        assert_eq!(tags(b""), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_tags_come_back(list in prop::collection::vec("\\PC{0,40}", 0..40)) {
            let (written, odd) = bytes(&list);
            prop_assert!(odd.is_empty());
            prop_assert_eq!(tags(&written), Some(list));
        }

        #[test]
        fn any_bytes_are_tags_or_not(bytes: Vec<u8>, tail in prop::array::uniform32(any::<u8>())) {
            let _ = tags(&bytes);
            let _ = tags(&[b"bplist00", bytes.as_slice(), &tail].concat());
        }
    }
}
