"""What commands print speaks of their own flags, and shows what does not show."""

import glob
import json
import os
import re
import subprocess
import unittest

from support import PROGRAM, ROOT, CliTest, Server, eventually

TABLE = os.path.join(ROOT, "Sources", "leasehold", "Commands", "SpokenProblem.swift")
# Sent by no command, so no answer to a command is about them.
NEVER_SENT = {
    "cooldown", "max_waiters", "holding", "touch", "undo", "perm", "semaphore_key", "project", "sem", "format", "lease",
    "leases", "want", "since", "kind", "values", "ops", "cursor", "size", "uid", "gid", "fence", "init", "offset",
    "length", "sort", "q",
}


# No command does these: HTTP's words are the only ones there are.
OF_HTTP_ALONE = {"POST /segments", "DELETE /segments", "GET /healthz", "POST /leases", "DELETE /locks",
                 "DELETE /leases"}
REQUEST = r"\b(?:GET|HEAD|PUT|POST|PATCH|DELETE) /\w+"


def parameters():
    """HTTP's parameters, which are the cases of the list in the sources."""
    with open(os.path.join(ROOT, "Sources", "LeaseholdHTTP", "Routing", "Parameter.swift"), encoding="utf-8") as file:
        cases = re.search(r"enum Parameter: .*?\n\n", file.read(), re.DOTALL)[0]
    listed = ",".join(re.findall(r"case (.*)", cases)).replace("`", "").replace(" ", "").split(",")
    return {re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name) for name in listed}


def flags():
    """The table of the commands."""
    with open(TABLE, encoding="utf-8") as file:
        table = re.search(r"static let flags[^=]*= \[(.*?)\n  \]", file.read(), re.DOTALL)[1]
    return dict(re.findall(r'"(\w+)": "([^"]+)"', table))


class Flags(CliTest):
    def assertSpoken(self, text):
        for name in parameters():
            self.assertNotRegex(text, rf"(?<![-\w]){name}=\w", text)
            self.assertNotRegex(text, rf"(?<![Ll]ock )'{name}'", text)
        self.assertNotRegex(text, REQUEST)

    def test_every_parameter_that_a_sentence_of_the_service_names_has_a_flag(self):
        known = parameters()
        self.assertGreater(len(known), 20)
        named = set()
        for path in glob.glob(os.path.join(ROOT, "Sources", "Leasehold*", "**", "*.swift"), recursive=True):
            if os.sep + "LeaseholdClient" + os.sep in path or "TestKit" in path:
                continue
            with open(path, encoding="utf-8") as file:
                for literal in re.findall(r'"((?:[^"\\]|\\.)* (?:[^"\\]|\\.)*)"', file.read()):
                    named |= set(re.findall(r"(?<![\w'])([a-z_]+)=", literal)) & known
        self.assertIn("wait", named)
        self.assertEqual(named - NEVER_SENT - set(flags()), set(), "SpokenProblem.swift has no flag for these")

    def test_every_request_that_a_sentence_of_the_service_names_has_a_command(self):
        with open(TABLE, encoding="utf-8") as file:
            known, named = set(re.findall(REQUEST, file.read())), set()
        for folder in ("Leasehold", "LeaseholdLocal", "LeaseholdHTTP"):
            for path in glob.glob(os.path.join(ROOT, "Sources", folder, "**", "*.swift"), recursive=True):
                with open(path, encoding="utf-8") as file:
                    lines = [line for line in file if not line.lstrip().startswith("//")]
                named |= set(re.findall(REQUEST, "".join(lines)))
        self.assertIn("GET /semaphores", named)
        self.assertEqual(named - OF_HTTP_ALONE - known, set(), "SpokenProblem.swift has no command for these")

    def test_every_parameter_that_a_command_sends_has_a_flag(self):
        known, sent = parameters(), set()
        paths = glob.glob(os.path.join(ROOT, "Sources", "leasehold", "Commands", "*.swift"))
        for path in paths + [os.path.join(ROOT, "Sources", "LeaseholdClient", "Lease.swift")]:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            sent |= set(re.findall(r'\("([a-z_]+)", ', text) + re.findall(r'[\[ ]"([a-z_]+)": ', text)) & known
        self.assertTrue({"wait", "ttl", "nsems", "force", "reason"} <= sent, sent)
        self.assertEqual(sent - NEVER_SENT - set(flags()), set(), "SpokenProblem.swift has no flag for these")

    def test_no_sentence_of_a_command_speaks_HTTP(self):
        words = "|".join(sorted(parameters()))
        paths = glob.glob(os.path.join(ROOT, "Sources", "leasehold", "**", "*.swift"), recursive=True)
        self.assertGreater(len(paths), 40)
        for path in paths:
            if path == TABLE or os.sep + "Settings" + os.sep in path:  # the settings are of what speaks HTTP
                continue
            with open(path, encoding="utf-8") as file:
                code = "".join(line for line in file if not line.lstrip().startswith("//"))
            for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', code):
                self.assertNotRegex(literal, rf"{REQUEST}|(?<![-.\w])(?:{words})=", path)

    def test_every_flag_of_the_table_is_one_of_a_command(self):
        help_text = subprocess.run([PROGRAM, "--experimental-dump-help"], check=True, capture_output=True).stdout
        names = set()

        def look(command):
            for argument in command.get("arguments", []):
                for name in argument.get("names") or []:
                    names.add(("-" if name["kind"] == "short" else "--") + name["name"])
            for child in command.get("subcommands", []):
                look(child)

        look(json.loads(help_text)["command"])
        self.assertEqual({flag for flag in flags().values() if flag.startswith("-")} - names, set())

    def test_what_the_commands_say_of_their_mistakes(self):
        key, held = self.key(), self.key("-held")
        self.granted(self.server.acquire(held, owner="somebody", ttl="60s"))
        self.granted(self.server.acquire(self.key("-slots"), limit=3, ttl="60s"))
        self.granted(self.server.acquire("php:77", ttl="60s"))
        for words, part in (
            (("acquire", held, "--no-wait"), "-w 10s"), (("run", "--no-wait", held, "--", "true"), "-w 10s"),
            (("hold", "--no-wait", held), "-w 10s"), (("acquire", key, "--ttl", "1ms"), "--ttl must be"),
            (("acquire", key, "--ttl", "0"), "--ttl"), (("acquire", key, "--take", "4", "-j", "3"), "--slots 3"),
            (("acquire", key, "--count", "4"), "--slots 4"), (("acquire", self.key("-slots")), "--slots 3"),
            (("acquire", held, "-j", "2"), "--slots"), (("acquire", key, "--owner", "x" * 200), "--owner must"),
            (("acquire", key, "--bind", "pid:0"), "--bind"), (("acquire", key, "--bind", "nobody"), "--bind"),
            (("acquire", "php:x"), "php:1234"), (("acquire", "php:77", "-s"), None),
            (("renew", "x"), None), (("break", "0" * 10, "--after", "900h"), None),
            (("locks", "--state", "odd"), "--state must be one of"), (("locks", "--prefix", "x" * 300), "LOCK"),
            (("leases", "--owner", "x" * 200), "--owner must"), (("sem", "create", "0"), None),
            (("sem", "create", "0x77", "--nsems", "0"), "--nsems must be"),
            (("sem", "create", "0x77", "--mode", "9"), "--mode"),
            (("sem", "show", "odd"), "`leasehold sem`"), (("sem", "show", "0x7a7a"), "`leasehold sem`"),
            (("shm", "get", "1", "--segment", "x"), "`ipcs -m`"), (("acquire", "sysv:0x7a7a.0"), None),
            (("sem", "set", f"id:{self.server.lock(held)['sysv']['id']}", "0", "1"), None),
        ):
            with self.subTest(words):
                result = self.cli(*words)
                self.assertNotIn(result.returncode, (0, -4), result)
                self.assertOneLine(result.stderr)
                self.assertSpoken(result.stderr)
                if part:
                    self.assertIn(part, result.stderr)

    def test_a_lock_with_a_parameters_name_keeps_it(self):
        for name in ("wait", "limit", "ttl", "wait=10s"):
            self.granted(self.server.acquire(name, owner="force=true", ttl="60s"))
            result = self.cli("acquire", "--no-wait", name)
            self.assertOneLine(result.stderr, f"'{name}'", "force=true")

    def test_operations_that_wait_too(self):
        number = self.cli("sem", "create", "0x7792").stdout.strip()
        self.addCleanup(self.cli, "sem", "rm", "--force", number)
        result = self.cli("sem", "op", number, "0:-1")
        self.assertOneLine(result.stderr, "-w 10s")
        self.cli("sem", "set", number, "0", "1")
        self.assertEqual(self.cli("sem", "op", "--ttl", "60s", number, "0:-1,undo").returncode, 0)
        for words in (("sem", "set", number, "0", "1"), ("sem", "rm", number)):
            result = self.cli(*words)
            self.assertOneLine(result.stderr, "--force")
            self.assertSpoken(result.stderr)


class Names(CliTest):
    """A name that a terminal would show as another is shown by its numbers; `apache:` takes any session id."""

    NAME = "apache:a\u202eb\u2066\u200b\u2028\u00a0\ufeffc\U000e0041"
    SHOWN = "apache:a\\u{202e}b\\u{2066}\\u{200b}\\u{2028}\\u{a0}\\u{feff}c\\u{e0041}"
    ESCAPED = "apache:a\\u202eb\\u2066\\u200b\\u2028\\u00a0\\ufeffc\\udb40\\udc41"

    def setUp(self):
        self.lease = self.granted(self.server.acquire(self.NAME, owner=self.NAME, ttl="60s"))
        self.addCleanup(self.forget, self.server, self.lease)

    @staticmethod
    def forget(server, lease):
        """Releases the lease, and takes away the set that the name has made."""
        server.release(lease)
        server.delete(f"/semaphores/id:{lease['sysv']['id']}", force="true")

    def test_tables_and_messages_show_the_numbers(self):
        for words in (("locks",), ("locks", self.NAME), ("leases",), ("top",), ("acquire", "--no-wait", self.NAME),
                      ("run", "--no-wait", self.NAME, "--", "true"), ("hold", "--no-wait", self.NAME),
                      ("acquire", "-w", self.NAME, "a"), (self.NAME,), ("doctor",),
                      ("break", self.lease["ref"], "--reason", "x")):
            with self.subTest(words):
                result = self.cli(*words)
                for scalar in self.NAME:
                    if not scalar.isascii():
                        self.assertNotIn(scalar, result.stdout + result.stderr)
                if words[0] not in ("doctor", "break", self.NAME):
                    self.assertIn(self.SHOWN, result.stdout + result.stderr)

    def test_json_is_faithful_and_escaped(self):
        for words in (("locks", "--json"), ("leases", "--json"), ("locks", "--json", self.NAME)):
            with self.subTest(words):
                text = self.cli(*words).stdout
                self.assertIn(self.ESCAPED, text)
                self.assertNotIn("\u202e", text)
                self.assertIn(self.NAME, json.dumps(json.loads(text), ensure_ascii=False))

    def test_the_log_shows_the_numbers(self):
        for form in ("plain", "json"):
            with self.subTest(form):
                server = Server("--log-format", form, "--log-level", "debug").ends_with(self).start()
                lease = self.granted(server.acquire(self.NAME, owner=self.NAME, semaphore_key="0x5afe42", ttl="60s"))
                self.addCleanup(self.forget, self.server, lease)
                self.assertEqual(server.post(f"/leases/{lease['ref']}/break").status, 200)
                # The log is written beside the answers.
                eventually(lambda server=server: self.ESCAPED in server.log_text(), "the name is in the log")
                self.assertNotIn("\u202e", server.log_text())


if __name__ == "__main__":
    unittest.main()
