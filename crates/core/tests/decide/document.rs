//! The rows in `docs/reference/decisions.md` are those of the code.

use std::collections::BTreeSet;
use std::fs;

use payg_core::decide::{ROWS, Row};
use payg_core::reason::Reason;
use strum::IntoEnumIterator;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/decisions.md");
const BEGIN: &str = "<!-- Generated from crates/core/src/decide/rows.rs by `make reference`. -->\n";
const END: &str = "<!-- End of what is generated. -->\n";

/// The reasons of `Ready` with which the decision ends at row `number`.
fn reasons(number: u8) -> Vec<&'static str> {
    Reason::iter().filter(|reason| reason.row() == Some(number)).map(Reason::name).collect()
}

#[test]
fn rows_are_numbered_in_order_and_each_has_a_reason() {
    for (number, row) in (1..).zip(&ROWS) {
        assert_eq!(row.number, number, "{}", row.name);
        assert!(!reasons(number).is_empty(), "{number}");
    }
    let last = u8::try_from(ROWS.len()).unwrap();
    assert!(Reason::iter().filter_map(Reason::row).all(|row| (1..=last).contains(&row)));
}

/// With `BLESS=1` it writes them.
#[test]
fn the_document_lists_the_rows_of_the_code() {
    let mut lines = vec![
        "| # | To go on to the next row | Reason of `Ready` if the decision ends here |".to_owned(),
        "| --- | --- | --- |".to_owned(),
    ];
    let line = |row: &Row| format!("| {} | {} | `{}` |", row.number, row.name, reasons(row.number).join("`, `"));
    lines.extend(ROWS.iter().map(line));
    let table = lines.join("\n") + "\n";
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(DOCUMENT, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
    } else {
        assert_eq!(found, format!("\n{table}\n"), "run `make reference`");
    }
}

/// The reasons in the third column of every table of rows.
#[test]
fn the_document_gives_each_reason_to_its_row() {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let (_, described) = text.split_once(END).unwrap();
    let mut checked = BTreeSet::new();
    for line in described.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, number, _, ready, ..] = cells.as_slice() else { continue };
        let Ok(number) = number.parse::<u8>() else { continue };
        for (index, word) in ready.split('`').enumerate() {
            // A reason, and not a condition or a line of a manifest.
            let is_reason = index % 2 == 1 && word.chars().all(char::is_alphanumeric);
            if !is_reason || matches!(word, "Ready" | "Observed") {
                continue;
            }
            // The second line of row 19 ends where row 10 does.
            let expected = if (number, word) == (19, "UpgradeUnresolved") { 10 } else { number };
            assert_eq!(word.parse::<Reason>().ok().and_then(Reason::row), Some(expected), "{word}");
            checked.insert(expected);
        }
    }
    assert_eq!(checked, ROWS.iter().map(|row| row.number).collect());
}
