//! The terminal: lines that stay, and below them a frame that is drawn again in place. Where there is no terminal, there
//! are lines only.

use std::env;
use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use payg_operator::cli::columns::{Cell, Paint, Style};

/// The least height of a terminal that the frame fits into.
const ROWS_NEEDED: u16 = 14;
/// The width of a terminal that does not tell its own.
const COLUMNS: u16 = 80;

/// Standard output.
pub struct Screen {
    live: bool,
    paint: Paint,
    frame: Vec<String>,
}

impl Screen {
    pub fn new() -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { live: terminal && rows() >= ROWS_NEEDED, paint: Paint::of_stdout(), frame: Vec::new() }
    }

    /// Whether frames are shown.
    pub fn is_live(&self) -> bool {
        self.live
    }

    pub fn paint(&self, style: Style, text: &str) -> String {
        self.paint.paint(style, text)
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

    /// Each row as a line, in columns, cut to the terminal's width.
    pub fn columns(&self, rows: &[Vec<Cell>]) -> Vec<String> {
        self.paint.columns(rows, self.width())
    }

    /// How long a line of the frame may be.
    pub fn width(&self) -> usize {
        if !self.live {
            return usize::MAX;
        }
        let columns = tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
        usize::from(if columns == 0 { COLUMNS } else { columns })
    }

    /// What moves the cursor to where the frame begins and clears it.
    fn home(&self) -> String {
        if self.frame.is_empty() { String::new() } else { format!("\x1b[{}F\x1b[J", self.frame.len()) }
    }
}

/// A terminal that does not tell its height is taken to be high enough.
fn rows() -> u16 {
    tcgetwinsize(io::stdout()).map(|size| size.ws_row).ok().filter(|rows| *rows > 0).unwrap_or(u16::MAX)
}
