//! Texts that somebody else wrote: of clouds, of users, of files. Whatever shows one (status, Events, the log, a terminal)
//! shows its excerpt.

/// `text` on one line of at most `longest` characters, with each character in it that nobody sees as it is written out:
/// `\n` for a new line, `\u{202e}` for what turns around the text after it. What is cut off is an `…`.
///
/// An excerpt of an excerpt is the same, so a text may pass through here on each of its ways.
pub fn excerpt(text: &str, longest: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut cut = 0; // where the `…` goes if all does not fit
    for letter in text.chars() {
        if length < longest {
            cut = line.len();
        }
        let before = line.len();
        match letter {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            hidden if is_hidden(hidden) => line.extend(hidden.escape_unicode()),
            plain => line.push(plain),
        }
        length += line[before..].chars().count();
        if length > longest {
            line.truncate(cut);
            if longest > 0 {
                line.push('…');
            }
            break;
        }
    }
    line
}

/// Whether a character moves the cursor, turns text around or is not seen at all: controls, the separators of lines and
/// paragraphs, annotations, and Default_Ignorable_Code_Point of
/// <https://www.unicode.org/Public/17.0.0/ucd/DerivedCoreProperties.txt>, in which the marks of direction are.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hidden_characters_are_escaped() {
        assert_eq!(excerpt("yes\u{1b}[2K\rno\nmore", 100), "yes\\u{1b}[2K\\rno\\nmore");
        for hidden in "\u{0}\u{7}\u{8}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\
                       \u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{fe0f}\u{feff}\u{fff9}\u{e0001}\u{e0041}\u{e007f}\u{e0100}"
            .chars()
        {
            let shown = excerpt(&format!("a{hidden}b"), 100);
            assert_eq!(shown, format!("a{}b", hidden.escape_unicode()));
        }
        let plain = "Zoë (Łódź) zahlt 5 €: `a\\b` – 日本語 عربي 🙂";
        assert_eq!(excerpt(plain, 100), plain);
    }

    #[test]
    fn long_texts_are_cut_with_an_ellipsis() {
        assert_eq!(excerpt("ärger", 5), "ärger");
        assert_eq!(excerpt("ärger", 4), "ärg…");
        assert_eq!(excerpt("är\nger", 4), "är…", "no half of what is written out");
        assert_eq!(excerpt("är\n", 4), "är\\n");
        assert_eq!((excerpt("ä", 0), excerpt("", 0)), (String::new(), String::new()));
    }

    proptest! {
        #[test]
        fn an_excerpt_is_one_short_line_that_hides_nothing(text in any::<String>(), longest in 0_usize..40) {
            let shown = excerpt(&text, longest);
            prop_assert!(shown.chars().count() <= longest);
            prop_assert!(!shown.chars().any(is_hidden), "{shown:?}");
            prop_assert_eq!(excerpt(&shown, longest), shown.clone());
            let whole = excerpt(&text, usize::MAX);
            prop_assert!(shown == whole || longest == 0 || whole.starts_with(shown.strip_suffix('…').unwrap()));
        }

        #[test]
        fn every_character_that_is_seen_stays(text in "[ -~à-ü一-三]{0,40}") {
            prop_assert_eq!(excerpt(&text, 40), text);
        }
    }
}
