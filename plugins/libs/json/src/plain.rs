//! How much of a text is plain: characters of one byte that stand for themselves.

/// Which characters of a text are of interest.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub enum Interest {
    /// Those that are not one byte that stands for itself.
    Json = 1,
    /// And those that HTML gives a meaning.
    JsonAndHtml = 1 | 2,
}

/// What each byte of a text is: 1 is of interest to JSON, 2 to HTML.
pub(crate) static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'"' | b'\\' | ..0x20 | 0x80.. => 1,
            b'&' | b'<' | b'>' | b'\'' | b'/' | b'`' => 2,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// How many bytes there are before the first that is of interest.
///
/// Eight are looked at together, because a component pays for every round of a loop: that is where its call can be ended.
pub(crate) fn plain(text: &[u8], interest: Interest) -> usize {
    let mut rest = text;
    let mut count = 0;
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let found = of_interest(u64::from_le_bytes(*eight), interest);
        if found != 0 {
            return count + found.trailing_zeros() as usize / 8;
        }
        count += 8;
        rest = behind;
    }
    let plain = |byte: &&u8| CLASS[usize::from(**byte)] & interest as u8 == 0;
    count + rest.iter().take_while(plain).count()
}

/// The bytes of a word that are of interest by [`CLASS`], the first of them in the lowest bits: of those that are, the
/// highest bit is set. Behind the first it may be set in others as well.
#[inline(always)]
fn of_interest(word: u64, interest: Interest) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Less one, a byte that was nothing has its highest bit set, as has one that was below 0x20 less that.
    let is = |word: u64, byte: u8| (word ^ (EACH * u64::from(byte))).wrapping_sub(EACH);
    let mut found = word | word.wrapping_sub(EACH * 0x20) | is(word, b'"') | is(word, b'\\');
    if let Interest::JsonAndHtml = interest {
        // Two that differ in one bit are one, with that bit set.
        found |= is(word | EACH, b'\'') | is(word | (EACH * 2), b'>');
        found |= is(word, b'/') | is(word, b'`');
    }
    found & (EACH * 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_by_one(text: &[u8], interest: Interest) -> usize {
        text.iter()
            .take_while(|byte| CLASS[usize::from(**byte)] & interest as u8 == 0)
            .count()
    }

    #[test]
    fn eight_together_are_what_they_are_one_by_one() {
        let mut compared = 0;
        for interest in [Interest::Json, Interest::JsonAndHtml] {
            for (first, second) in (0..=u8::MAX).flat_map(|a| (0..=u8::MAX).map(move |b| (a, b))) {
                // Before, in and behind a whole word, with what comes after it beside it.
                for at in [0, 3, 7, 8, 17] {
                    let mut text = *b"a message of usual l";
                    text[at] = first;
                    text[at + 1] = second;
                    assert_eq!(
                        plain(&text, interest),
                        one_by_one(&text, interest),
                        "{text:?} {interest:?}"
                    );
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 2 * 256 * 256 * 5);
    }
}
