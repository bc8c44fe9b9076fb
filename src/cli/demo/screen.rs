//! The terminal: lines that stay, and below them a frame that is drawn again in place. Where there is no terminal, there
//! are lines only.

use std::env;
use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

/// The least height of a terminal that the frame fits into.
const ROWS_NEEDED: u16 = 14;
/// The width of a terminal that does not tell its own.
const COLUMNS: u16 = 80;

/// Standard output.
pub struct Screen {
    live: bool,
    coloured: bool,
    frame: Vec<String>,
}

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

impl Screen {
    pub fn new() -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let coloured = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { live: terminal && rows() >= ROWS_NEEDED, coloured, frame: Vec::new() }
    }

    /// Whether frames are shown.
    pub fn is_live(&self) -> bool {
        self.live
    }

    pub fn paint(&self, style: Style, text: &str) -> String {
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

    /// Writes a line that stays, above the frame.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{}", self.home())?;
        writeln!(out, "{text}")?;
        for line in &self.frame {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    /// Draws `lines`, none of which is wider than the terminal, in place of the last frame.
    pub fn draw(&mut self, lines: Vec<String>) -> io::Result<()> {
        if !self.live {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        write!(out, "{}", self.home())?;
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        self.frame = lines;
        Ok(())
    }

    /// Lets the frame stay as it is.
    pub fn settle(&mut self) {
        self.frame.clear();
    }

    /// Each row as a line, its cells in columns of the same width in all rows, cut to the terminal's width.
    pub fn columns(&self, rows: &[Vec<Cell>]) -> Vec<String> {
        let width = |column| rows.iter().filter_map(|row| row.get(column)).map(|cell: &Cell| length(&cell.text)).max();
        let widths: Vec<_> = (0..).map_while(width).collect();
        rows.iter().map(|row| self.row(row, &widths)).collect()
    }

    /// How long a line of the frame may be.
    pub fn width(&self) -> usize {
        if !self.live {
            return usize::MAX;
        }
        let columns = tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
        usize::from(if columns == 0 { COLUMNS } else { columns })
    }

    fn row(&self, cells: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        let mut left = self.width();
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

    /// What moves the cursor to where the frame begins and clears it.
    fn home(&self) -> String {
        if self.frame.is_empty() { String::new() } else { format!("\x1b[{}F\x1b[J", self.frame.len()) }
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

/// A terminal that does not tell its height is taken to be high enough.
fn rows() -> u16 {
    tcgetwinsize(io::stdout()).map(|size| size.ws_row).ok().filter(|rows| *rows > 0).unwrap_or(u16::MAX)
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
        let screen = Screen { live: false, coloured: false, frame: Vec::new() };
        let rows = [["NAME", "OFFER"], ["imagine", "FreeTrial"]].map(|row| row.map(Cell::plain).into());
        assert_eq!(screen.columns(&rows), ["NAME     OFFER", "imagine  FreeTrial"]);
    }
}
