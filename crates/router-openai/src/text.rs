//! Any text → a short line without anything that a reader would not see.

/// How many bytes of a text are looked at for each that is kept: a text may be megabytes of blanks.
const LOOKED_AT: usize = 4;

/// The beginning of `text` as one line of at most `most` bytes, with `…` where something is missing. Runs of white
/// space and control characters become one space. Characters that only format, such as those that reverse the
/// direction of writing, and tag characters, which models read and people do not see, are dropped.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    const ELLIPSIS: char = '…';
    let mut line = String::new();
    // Where the line can be cut so that the ellipsis fits.
    let mut cut = 0;
    let mut pending_space = false;
    for (place, character) in text.char_indices() {
        let is_blank = character.is_whitespace() || character.is_control();
        if !is_blank && is_invisible(character) {
            continue;
        }
        let needed = character.len_utf8() + usize::from(pending_space);
        let is_full = !is_blank && line.len() + needed > most;
        if is_full || place > most.saturating_mul(LOOKED_AT) {
            line.truncate(cut);
            if line.len() + ELLIPSIS.len_utf8() <= most {
                line.push(ELLIPSIS);
            }
            return line;
        }
        if is_blank {
            pending_space = !line.is_empty();
            continue;
        }
        if std::mem::take(&mut pending_space) {
            line.push(' ');
        }
        line.push(character);
        if line.len() + ELLIPSIS.len_utf8() <= most {
            cut = line.len();
        }
    }
    line
}

/// Characters of the category "format" and those like them, as far as they can hide or disguise a text.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_one_short_line() {
        let check = |text: &str, most: usize, expected: &str| assert_eq!(one_line(text, most), expected, "{text:?}");
        check("", 10, "");
        check("  a \r\n\t b  ", 10, "a b");
        check("a\0b\u{1b}[31mc\u{85}d\u{2028}e", 20, "a b [31mc d e");
        check("pay\u{202e}lap\u{200b}\u{feff}\u{e0049}\u{e0047}!", 20, "paylap!");
        check("abcdef", 6, "abcdef");
        check("abcdef   ", 6, "abcdef");
        check("abcdefg", 6, "abc…");
        check("ab cd ef", 7, "ab c…");
        check("čččč", 7, "čč…");
        check("čččč", 8, "čččč");
        check("abc", 2, "");
        check("abc", 0, "");
    }

    #[test]
    fn it_never_exceeds_the_limit_nor_reads_for_ever() {
        let blanks = " ".repeat(10_000_000);
        assert_eq!(one_line(&format!("a{blanks}b"), 10), "a…");
        assert_eq!(one_line(&blanks, 10), "…");
        for most in 0..40 {
            let line = one_line("Wörter und Zeichen 文字 🦀 und noch mehr davon", most);
            assert!(line.len() <= most && !line.ends_with(' '), "{most}: {line:?}");
        }
    }
}
