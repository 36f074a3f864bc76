#!/usr/bin/env python3
"""Makes docs/pictures from a running service: a page in both colours, and a terminal. `make pictures` calls it.

What is to be seen is the same each time but for the times and numbers; a test compares the words (test_pictures.py).
"""

import contextlib
import html
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

import driven  # noqa: E402
from harness import PROGRAM, Server, eventually  # noqa: E402  (enters a private IPC namespace)

FOLDER = os.path.join(ROOT, "docs", "pictures")
WIDTH, HEIGHT = 1280, 440
# The pages: where each is, the element with its words, and what is there when it shows everything.
PAGES = {
    "page": ("", "locks", ("backup", "ann@build", "reader-1", "fetch-1", "web")),
    "lock": ("ui/locks/deploy", "lock-view", ("ann@build", "carl@laptop", "dora@ci", "leasehold break", "granted")),
}
COLUMNS, LINES = 100, 14
COLOURS = {31: "#e5534b", 32: "#57ab5a", 33: "#c69026", 34: "#539bf5", 35: "#b083f0", 36: "#39c5cf"}


@contextlib.contextmanager
def scene():
    """A service with holders and waiters as a host has them."""
    server = Server()
    server.start()
    try:
        ask = server.over_unix
        for key, owner, more in (
                ("nightly", "backup", {}), ("deploy", "ann@build", {}), ("report", "reader-1", {"mode": "shared"}),
                ("report", "reader-2", {"mode": "shared"}), ("downloads", "fetch-1", {"limit": 5, "count": 2}),
                ("downloads", "fetch-2", {"limit": 5}), ("php:1234", "web", {})):
            ask.acquire(key, owner=owner, ttl="1h", **more)
        waiting = [ask.acquire_later("deploy", owner=owner, wait="1h") for owner in ("carl@laptop", "dora@ci")]
        waiting.append(ask.acquire_later("report", owner="writer", wait="1h"))
        yield server
    finally:
        server.stop()


def words(text):
    """The text without what differs from one day to the next: numbers and times."""
    return " ".join(re.sub(r"(?:\d[\d.,:]*(?: ?(?:ms|min|s|m|h)(?![a-z]))?\s*)+", "# ", text).split())


@contextlib.contextmanager
def page(server, colour, name):
    """A browser that shows a page of the service."""
    path, element, shown = PAGES[name]
    with driven.driving(f"http://127.0.0.1:{server.port}/{path}", WIDTH, colour) as driver:
        text = f"return document.getElementById('{element}').innerText"
        eventually(lambda: all(word in driver.execute_script(text) for word in shown), "all is shown", timeout=30)
        yield driver


def page_words(driver, name):
    """What the page says, but for the names of programs and of this service's address."""
    said = driver.execute_script(f"return document.getElementById('{PAGES[name][1]}').innerText")
    return words(re.sub(r" python3(\.\d+)?\b|\b[0-9a-f]{10}\b|0x[0-9a-f]+", "", said))


def terminal(server):
    """What `leasehold top` shows, as lines with the terminal's codes for colours."""
    name = f"leasehold-pictures-{os.getpid()}"
    tmux = ["tmux", "-L", name, "-f", os.devnull]
    command = f"'{os.path.abspath(PROGRAM)}' top --url unix:{server.unix}"
    size = ["-x", str(COLUMNS), "-y", str(LINES)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    subprocess.run([*tmux, "new-session", "-d", *size, command], check=True, env=environment)
    try:
        def shown():
            capture = [*tmux, "capture-pane", "-e", "-p"]
            return subprocess.run(capture, check=True, capture_output=True, text=True).stdout
        eventually(lambda: "nightly" in shown(), "top shows the locks")
        # The scene's own address is another one each time.
        return shown().replace(server.unix, "/run/leasehold/leasehold.sock").rstrip().splitlines()
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def spans(line):
    """The pieces of a line, each with its style."""
    style = {}
    for codes, text in re.findall(r"(?:\x1b\[([\d;]*)m)?([^\x1b]*)", line):
        for code in [int(word or 0) for word in codes.split(";")] if codes is not None else []:
            if code == 0 and codes:
                style = {}
            elif code == 1:
                style = style | {"font-weight": "bold"}
            elif code == 2:
                style = style | {"opacity": "0.6"}
            elif code == 7:
                style = style | {"font-weight": "bold", "text-decoration": "underline"}
            elif code in COLOURS:
                style = style | {"fill": COLOURS[code]}
        if text:
            yield style, text


def svg(lines):
    """The lines as a picture of text."""
    across, down, edge = 8.4, 19, 16
    width, height = round(COLUMNS * across + 2 * edge), len(lines) * down + 2 * edge
    made = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>leasehold top</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1c2128"/>',
        '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#cdd9e5">',
    ]
    for number, line in enumerate(lines):
        column, pieces = 0, []
        for style, text in spans(line):
            said = "".join(f' {name}="{value}"' for name, value in sorted(style.items()))
            if text.strip():
                pieces.append(f'<tspan x="{edge + column * across:.1f}" textLength="{len(text) * across:.1f}"{said} '
                              f'xml:space="preserve">{html.escape(text)}</tspan>')
            column += len(text)
        made.append(f'<text y="{edge + (number + 1) * down - 5}">{"".join(pieces)}</text>')
    return "\n".join([*made, "</g>", "</svg>", ""])


def svg_words(text):
    return words(html.unescape(re.sub(r"<[^>]*>", " ", text)))


def main():
    why_not = driven.packages() or (None if shutil.which("tmux") else "there is no tmux here (apt-get install tmux)")
    if why_not:
        sys.exit(why_not)
    os.makedirs(FOLDER, exist_ok=True)
    with scene() as server:
        for colour in ("light", "dark"):
            for name in PAGES:
                with page(server, colour, name) as driver:
                    path = os.path.join(FOLDER, f"{name}-{colour}.png")
                    driven.photograph(driver, f"{name}-{colour}", path, HEIGHT)
                    keep(f"{name}.txt", page_words(driver, name) + "\n")
        keep("top.svg", svg(terminal(server)))


def keep(name, text):
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
