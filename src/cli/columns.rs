//! Text in columns, with colours where there is a terminal to show them.

use std::env;
use std::io::{self, IsTerminal};

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Bold,
    Dim,
    Good,
    Pending,
    Bad,
}

/// A piece of text that stands in a column.
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    pub coloured: bool,
}

impl Paint {
    /// As standard output and its user want it: <https://no-color.org>.
    pub fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { coloured: terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
    }

    /// `text` in this style.
    pub fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            _ if !self.coloured || text.is_empty() => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Pending => "33",
            Style::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Each row as a line of at most `width` characters, its cells in columns that are as wide as their widest cell.
    pub fn columns(self, rows: &[Vec<Cell>], width: usize) -> Vec<String> {
        let widest = |column| rows.iter().filter_map(|row| row.get(column)).map(|cell: &Cell| length(&cell.text)).max();
        let widths: Vec<_> = (0..).map_while(widest).collect();
        rows.iter().map(|row| self.row(row, &widths, width)).collect()
    }

    fn row(self, cells: &[Cell], widths: &[usize], mut left: usize) -> String {
        let mut line = String::new();
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let last = index + 1 == cells.len();
            let text = cut(&cell.text, left);
            let taken = length(&text);
            line += &self.paint(cell.style, &text);
            left -= taken;
            let gap = if last { 0 } else { (width + 2 - taken.min(*width)).min(left) };
            line += &" ".repeat(gap);
            left -= gap;
        }
        line
    }
}

/// `text` in at most `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let whole: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { whole } else { whole + "…" }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(cut("credit", 6), "credit");
        assert_eq!(cut("credit", 4), "cre…");
        assert_eq!(cut("credit", 0), "");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let paint = Paint { coloured: false };
        let rows = [["NAME", "OFFER"], ["imagine", "FreeTrial"]].map(|row| row.map(Cell::plain).into());
        assert_eq!(paint.columns(&rows, usize::MAX), ["NAME     OFFER", "imagine  FreeTrial"]);
        assert_eq!(paint.columns(&rows, 12), ["NAME     OF…", "imagine  Fr…"]);
    }
}
