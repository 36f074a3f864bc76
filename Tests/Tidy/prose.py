"""Checks of the documents: links lead somewhere, and shell snippets are shell."""

import posixpath
import re
import subprocess
import urllib.parse

from rows import PAGE, Rows
from tree import line_of

SOURCE = re.compile(r"`((?:Sources|Tests|Tools|packaging|docker)/[\w+/.-]*|[\w+]+\.swift)`")


def slug(heading):
    """The anchor that a heading gets on the usual forges."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def anchors(text):
    return {slug(match[1]) for match in re.finditer(r"^#+ (.*)$", text, re.M)}


def links_lead_somewhere(tree):
    for path, text in tree.matching(".md"):
        prose = re.sub(r"^```.*?^```|`[^`\n]*`", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.S | re.M)
        for match in re.finditer(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", prose):
            target, _, anchor = match[1].partition("#")
            where = f"{path}:{line_of(prose, match.start())}"
            if re.match(r"[a-z]+:", target):
                continue
            whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), urllib.parse.unquote(target)))
            file = path if not target else whole
            if file not in tree.paths and not any(known.startswith(file + "/") for known in tree.paths):
                yield f"{where}: there is no {target}"
            elif anchor and file.endswith(".md") and anchor not in anchors(tree.text(file)):
                yield f"{where}: {file} has no heading #{anchor}"


def proofs_are_tests(tree):
    """A link with a title is a proof: its title names a test in the file that it leads to."""
    for path, text in tree.matching(".md"):
        for match in re.finditer(r'\]\(([^)\s]+) "([^"]*)"\)', text):
            file = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
            if not re.search(rf"\b(?:def|func) {re.escape(match[2])}\(", tree.text(file)):
                yield f"{path}:{line_of(text, match.start())}: {file} has no test {match[2]}"


def sources_in_documents_exist(tree):
    """What stands between backticks and looks like a source or a folder of sources is one."""
    for path, text in tree.matching(".md", under=("README.md", "docs/", "CONTRIBUTING.md")):
        for match in SOURCE.finditer(text):
            name = match[1].rstrip("/")
            if not any(f"/{known}".endswith(f"/{name}") or known.startswith(f"{name}/") for known in tree.paths):
                yield f"{path}:{line_of(text, match.start())}: there is no {match[1]}"


def shell_snippets_are_shell(tree):
    for path, text in tree.matching(".md"):
        for match in re.finditer(r"^```(?:sh|bash)\n(.*?)^```", text, re.S | re.M):
            result = subprocess.run(["bash", "-n"], input=match[1], capture_output=True, text=True, check=False)
            if result.returncode or result.stderr:
                yield f"{path}:{line_of(text, match.start())}: {result.stderr.strip()}"


def readme_has_both_commands(tree):
    for command in ("make run", "make test"):
        if command not in tree.text("README.md"):
            yield f"README.md does not say '{command}'"


def the_list_of_behaviours_is_of_today(tree):
    """docs/behaviours.md is what the rows and the tests of Tests/Interop make, and every row has its test."""
    rows = Rows(tree.files)
    yield from rows.wrong()
    if (rows.rows or rows.proofs) and tree.text(PAGE) != rows.page():
        yield f"{PAGE} is stale: Tests/Interop/rows.py writes it anew"


def targets_say_what_they_are_for(tree):
    for folder in sorted({path.split("/")[1] for path, _ in tree.matching(".swift", ".c", under=("Sources/",))}):
        text = tree.text(f"Sources/{folder}/DESIGN.md")
        if "Invariants" not in text:
            yield f"Sources/{folder}/DESIGN.md must say what the target is for, why not the obvious, and its invariants"


CHECKS = [
    links_lead_somewhere, proofs_are_tests, sources_in_documents_exist, shell_snippets_are_shell,
    readme_has_both_commands, the_list_of_behaviours_is_of_today,
    targets_say_what_they_are_for,
]
