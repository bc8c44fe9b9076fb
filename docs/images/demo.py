"""Makes docs/images/demo.svg: a picture of the terminal in the middle of the demo, from the demo's real output.

    python3 -m venv target/picture
    target/picture/bin/pip install rich==14.2.0 pyte==0.8.2
    target/picture/bin/python docs/images/demo.py

It takes about a minute once everything is built.
"""

import codecs
import fcntl
import os
import pathlib
import pty
import select
import struct
import sys
import termios

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, ROWS = 120, 25
MOMENT = "day 26 of the trials"  # what the terminal shows when the picture is taken
PICTURE = pathlib.Path(__file__).resolve().with_suffix(".svg")

# Rich's window without its web font, which GitHub does not load.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>make demo: a table of simulated accounts, with offer, credit, end and verdict of each</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: arial, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def show():
    """Runs the demo at a terminal, and gives back the screen as it is at MOMENT."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    process, terminal = pty.fork()
    if process == 0:
        os.environ["TERM"] = "xterm-256color"
        os.chdir(PICTURE.parent / "../..")
        os.execvp("make", ["make", "demo"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    decode = codecs.getincrementaldecoder("utf-8")().decode
    picture = None
    while data := read(terminal):
        # pyte knows no dim text; what is dim is grey.
        stream.feed(decode(data).replace("\x1b[2m", "\x1b[90m"))
        is_whole = not select.select([terminal], [], [], 0.1)[0]  # a frame comes in several parts
        if picture is None and is_whole and any(MOMENT in line for line in screen.display):
            picture = [paint(screen.buffer[row]) for row in range(ROWS)]
    _, status = os.waitpid(process, 0)
    if status != 0 or picture is None:
        sys.exit(f"The demo failed, or never came to {MOMENT!r}:\n" + "\n".join(screen.display))
    return picture


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so at the end
        return b""


def paint(row):
    """A row of the screen with its colours."""
    line = Text()
    for column in range(COLUMNS):
        cell = row[column]
        colour = None if cell.fg == "default" else cell.fg.replace("brown", "yellow").replace("bright", "bright_")
        line.append(cell.data, Style(color=colour, bold=cell.bold))
    line.rstrip()
    return line


def main():
    lines = show()
    while lines and not lines[-1].plain:
        lines.pop()
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True, color_system="256")
    for line in lines:
        console.print(line, no_wrap=True, crop=False, highlight=False)
    PICTURE.write_text(console.export_svg(title="make demo", code_format=FORMAT, unique_id="demo"))


main()
