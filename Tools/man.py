#!/usr/bin/env python3
"""Writes manual pages from the command tree: Tools/man.py PROGRAM FOLDER [VERSION]

The program says what it takes (--experimental-dump-help, of swift-argument-parser); this turns it into man(7).
"""

import json
import os
import subprocess
import sys

DATE = "2026-11-22"
# Those that have a page of their own; all others stand on the main page.
OWN_PAGES = ("run", "serve")
SETTINGS = {"serve": "Every setting is also in docs/settings.md."}
STATUSES = [
    ("the command's", "of run: the command ended by itself; 128 + n when signal n ended it"),
    ("0", "done"),
    ("1", "of doctor: a problem was found"),
    ("64", "the command line cannot be understood, or the service does not take what it asks for"),
    ("66", "there is no lock, lease, set, segment or variable of this name"),
    ("69", "the service cannot be reached, or is not ready"),
    ("70", "the lease was lost or is over, or a fault of the program"),
    ("73", "the kernel has no room, or a listener cannot be made"),
    ("75", "others hold the lock; run -E gives another status"),
    ("77", "the service or the kernel denies it"),
    ("78", "of serve: the environment or the configuration file cannot be used"),
    ("126", "of run: the command cannot be run"),
    ("127", "of run: there is no such command"),
]
ENVIRONMENT = [
    ("LEASEHOLD_URL",
     "Where the service is: unix:/run/leasehold/leasehold.sock, http://127.0.0.1:31818, or https://HOST:PORT over TLS. "
     "Without it, the first that is there of /run/leasehold/leasehold.sock, the socket of your own service, and "
     "http://127.0.0.1:31818."),
    ("XDG_RUNTIME_DIR",
     "The socket of your own service is leasehold/leasehold.sock there; without it, "
     "/tmp/leasehold-UID/leasehold.sock."),
    ("LEASEHOLD_IDLE_EXIT",
     "The idle time after which your own service ends (default: 5m). run, acquire and hold start that service."),
    ("LEASEHOLD_TOKEN", "Sent as Authorization: Bearer. The command of run gets it with --keep-token only."),
    ("LEASEHOLD_CACERT",
     "File of certificates in PEM that vouch for a service of https, in place of those that the system trusts."),
    ("TRACEPARENT", "Sent as traceparent (W3C Trace Context): the log of the service names the trace."),
    ("LEASEHOLD_LEASE, LEASEHOLD_FENCE, LEASEHOLD_LOCK",
     "Set by run for its command: the lease, the fence to send along with writes, the names of the locks, one a line."),
    ("LEASEHOLD_HOLDING",
     "Set by run for its command: its lease and those of each run above it, with commas between. Commands that take "
     "locks say so to the service, which refuses to let them wait for themselves."),
]


def escaped(text):
    """Text as roff takes it: no escape, no request at the beginning of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    lines = ("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))
    return "\n".join(line or ".PP" for line in lines)


def option_head(argument):
    if argument["kind"] == "positional":
        return f"\\fI{escaped(argument['valueName'])}\\fR" + (" ..." if argument["isRepeating"] else "")
    names = sorted(("-" * (1 if name["kind"] == "short" else 2) + name["name"] for name in argument["names"]), key=len)
    head = ", ".join(f"\\fB{escaped(name)}\\fR" for name in names)
    return head + (f" \\fI{escaped(argument['valueName'])}\\fR" if argument["kind"] == "option" else "")


def options(command):
    for argument in command.get("arguments", []):
        names = [name["name"] for name in argument.get("names") or []]
        if argument["shouldDisplay"] and not {"help", "version"} & set(names):
            yield from (".TP", option_head(argument), escaped(argument.get("abstract") or ""))


def shown(command):
    return [child for child in command.get("subcommands", []) if child["shouldDisplay"] and
            child["commandName"] != "help"]


def section(title, pairs):
    yield f".SH {title}"
    for head, text in pairs:
        yield from (".TP", f"\\fB{escaped(head)}\\fR", escaped(text))


def run_synopsis():
    head = "\\fBleasehold run\\fR [\\fIoptions\\fR] \\fIlock\\fR "
    words = "\\fIcommand\\fR [\\fIargument\\fR ...]"
    return "\n.br\n".join([head + words, head + "\\fB\\-c\\fR \\fItext\\fR", head + "... \\fB\\-\\-\\fR " + words])


def synopsis(words, command):
    if words[-1] == "run":
        return run_synopsis()
    line = f"\\fB{escaped(' '.join(words))}\\fR"
    displayed = [a for a in command.get("arguments", []) if a["shouldDisplay"]]
    if any(a["kind"] != "positional" for a in displayed):
        line += " [\\fIoptions\\fR]"
    for argument in displayed:
        if argument["kind"] == "positional":
            head = option_head(argument)
            line += f" [{head}]" if argument["isOptional"] else f" {head}"
    return line


def describe(words, command):
    """A command and those below it, as sub-sections."""
    yield f".SS {escaped(' '.join(words))}"
    yield synopsis(words, command)
    yield ".PP"
    yield escaped(command.get("abstract") or "")
    if command.get("discussion"):
        yield from (".PP", escaped(command["discussion"]))
    yield from options(command)
    for child in shown(command):
        yield from describe([*words, child["commandName"]], child)


def head(name, abstract, version):
    yield f'.TH "{name.upper()}" "1" "{DATE}" "leasehold {version}" "User Commands"'
    yield from (".SH NAME", f"{escaped(name)} \\- {escaped(abstract.rstrip('.'))}", ".SH SYNOPSIS")


def main_page(root, version):
    yield from head("leasehold", root["abstract"], version)
    yield from ("\\fBleasehold\\fR \\fIcommand\\fR [\\fIoptions\\fR]", ".SH COMMANDS")
    for child in shown(root):
        if child["commandName"] in OWN_PAGES:
            name = child["commandName"]
            yield from (f".SS leasehold {name}", escaped(child["abstract"]), f"See \\fBleasehold\\-{name}\\fR(1).")
        else:
            yield from describe(["leasehold", child["commandName"]], child)
    yield from section("EXIT STATUS", STATUSES)
    yield from section("ENVIRONMENT", ENVIRONMENT)
    yield from (".SH SEE ALSO", "\\fBleasehold\\-run\\fR(1), \\fBleasehold\\-serve\\fR(1), \\fBflock\\fR(1), "
                "\\fBipcs\\fR(1), \\fBsemop\\fR(2)")


def own_page(command, version):
    name = command["commandName"]
    yield from head(f"leasehold-{name}", command["abstract"], version)
    yield synopsis(["leasehold", name], command)
    yield from (".SH DESCRIPTION", escaped(command.get("discussion") or ""))
    if name in SETTINGS:
        yield from (".PP", escaped(SETTINGS[name]))
    yield ".SH OPTIONS"
    yield from options(command)
    yield from section("EXIT STATUS", STATUSES)
    yield from section("ENVIRONMENT", ENVIRONMENT)
    yield from (".SH SEE ALSO", "\\fBleasehold\\fR(1)")


def release():
    """The release that these sources are, or become: docs/man is of it."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(folder, "VERSION"), encoding="utf-8") as file:
        return file.readline().strip().partition("-")[0]


def pages(program, version=None):
    """File name to text."""
    def say(word):
        return subprocess.run([program, word], check=True, capture_output=True, text=True).stdout

    root, version = json.loads(say("--experimental-dump-help"))["command"], version or release()
    made = {"leasehold.1": main_page(root, version)}
    for child in shown(root):
        if child["commandName"] in OWN_PAGES:
            made[f"leasehold-{child['commandName']}.1"] = own_page(child, version)
    return {name: "\n".join(line.rstrip() for line in "\n".join(lines).split("\n") if line.strip()) + "\n"
            for name, lines in made.items()}


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: Tools/man.py PROGRAM FOLDER [VERSION]")
    for file_name, page in pages(sys.argv[1], *sys.argv[3:]).items():
        with open(os.path.join(sys.argv[2], file_name), "w", encoding="utf-8") as file:
            file.write(page)
