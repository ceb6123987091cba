#!/usr/bin/env python3
"""Draws a terminal's screen as an image.

usage: tmux capture-pane -ep | terminal-png.py OUT.png COLUMNS ROWS

Reads text with colours (SGR sequences), writes a page, and has Chromium draw it.
CHROMIUM names the browser; default: chromium.
"""

import html
import os
import re
import subprocess
import sys
import tempfile

BACKGROUND, FOREGROUND = "#14161b", "#e0e2ea"
# Neovim's own sixteen colours.
PALETTE = [
    "#07080d", "#ffc0b9", "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#eef1f8",
    "#4f5258", "#ffc0b9", "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#eef1f8",
]


def indexed(number):
    if number < 16:
        return PALETTE[number]
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    number -= 16
    steps = [0, 95, 135, 175, 215, 255]
    return "#%02x%02x%02x" % (steps[number // 36], steps[number // 6 % 6], steps[number % 6])


class Style:
    def __init__(self):
        self.reset()

    def reset(self):
        self.colour = self.behind = None
        self.bold = self.italic = self.underlined = self.reversed = False

    def take(self, codes):
        codes = [int(code or 0) for code in codes]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.reset()
            elif code in (1, 22):
                self.bold = code == 1
            elif code in (3, 23):
                self.italic = code == 3
            elif code in (4, 24):
                self.underlined = code == 4
            elif code in (7, 27):
                self.reversed = code == 7
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.colour = PALETTE[code - 30 if code < 90 else code - 82]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.behind = PALETTE[code - 40 if code < 100 else code - 92]
            elif code == 39:
                self.colour = None
            elif code == 49:
                self.behind = None
            elif code in (38, 48):
                colour = None
                kind = codes.pop(0)
                if kind == 5:
                    colour = indexed(codes.pop(0))
                elif kind == 2:
                    colour = "#%02x%02x%02x" % tuple(codes.pop(0) for _ in range(3))
                if code == 38:
                    self.colour = colour
                else:
                    self.behind = colour

    def css(self):
        colour, behind = self.colour or FOREGROUND, self.behind
        if self.reversed:
            colour, behind = behind or BACKGROUND, colour
        css = f"color:{colour};"
        css += f"background:{behind};" if behind else ""
        css += "font-weight:bold;" if self.bold else ""
        css += "font-style:italic;" if self.italic else ""
        css += "text-decoration:underline;" if self.underlined else ""
        return css


def page(text, columns, rows):
    style, body = Style(), []
    for line in text.split("\n")[:rows]:
        for part in re.split(r"(\x1b\[[0-9;:]*m)", line):
            sequence = re.fullmatch(r"\x1b\[([0-9;:]*)m", part)
            if sequence:
                # A curly underline is `4:3`, and is drawn as a plain one.
                codes = re.sub(r"(\d+):\d+", r"\1", sequence.group(1))
                style.take(codes.split(";"))
            elif part:
                body.append(f'<span style="{style.css()}">{html.escape(part)}</span>')
        body.append("\n")
    return f"""<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: {BACKGROUND}; }}
pre {{ margin: 0; padding: 14px 16px; font: 15px/20px 'DejaVu Sans Mono', monospace; }}
</style><pre>{"".join(body)}</pre>"""


def main():
    out, columns, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "screen.html")
        with open(source, "w", encoding="utf-8") as file:
            file.write(page(sys.stdin.read(), columns, rows))
        width, height = round(columns * 9.03) + 34, rows * 20 + 28
        subprocess.run(
            [
                os.environ.get("CHROMIUM", "chromium"), "--headless=new", "--no-sandbox",
                "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                "--force-device-scale-factor=1.5", f"--user-data-dir={folder}/profile",
                f"--window-size={width},{height}", f"--screenshot={os.path.abspath(out)}",
                "file://" + source,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


main()
