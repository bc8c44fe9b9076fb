//! Texts as each format shows them. Any text of a notice may hold what somebody else wrote, such as the name of an account:
//! it must not become a link, a mention of people, or markup. What would is replaced by a character that looks alike.

/// The longest texts, in characters.
pub(crate) const LONGEST_TITLE: usize = 200;
pub(crate) const LONGEST_TEXT: usize = 1500;
pub(crate) const LONGEST_VALUE: usize = 200;
/// So many facts are shown.
pub(crate) const MOST_FACTS: usize = 15;

/// `text` on one line of bounded length, as programs get it.
pub(crate) fn line(text: &str, longest: usize) -> String {
    payg_text::excerpt(text, longest)
}

/// `text` for people, in a format without markup: no link and no mention comes of it. Clients make links of whatever looks
/// like an address.
pub(crate) fn plain(text: &str, longest: usize) -> String {
    let line = line(text, longest);
    let letters: Vec<char> = line.chars().collect();
    let at = |index: Option<usize>| index.and_then(|index| letters.get(index)).copied().unwrap_or(' ');
    let harmless = letters.iter().enumerate().map(|(index, letter)| {
        let (before, after) = (at(index.checked_sub(1)), at(Some(index + 1)));
        match letter {
            '@' => '＠',
            '#' => '＃',
            '.' if before.is_alphanumeric() && after.is_alphabetic() => '․',
            ':' if after == '/' || (before.is_alphabetic() && after.is_alphanumeric()) => '∶',
            other => *other,
        }
    });
    harmless.collect()
}

/// The same for a format whose markup is like Markdown's, HTML's tags included.
pub(crate) fn unmarked(text: &str, longest: usize) -> String {
    let harmless = |letter| match letter {
        '<' => '‹',
        '>' => '›',
        '[' => '［',
        ']' => '］',
        '*' => '∗',
        '_' => '＿',
        '~' => '∼',
        '`' => '‵',
        '\\' => '＼',
        '|' => '｜',
        other => other,
    };
    plain(text, longest).chars().map(harmless).collect()
}

/// A command, which is shown as it is: only what would end its block, or name somebody, is replaced.
pub(crate) fn command(text: &str) -> String {
    line(text, LONGEST_TEXT).replace('`', "‵").replace('@', "＠")
}

/// `text` with `&`, `<` and `>` as entities, and quotes too.
pub(crate) fn entities(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
