"""What a shell completes: values that the service knows, and the command of `run`."""

import os
import shutil
import subprocess
import tempfile
import unittest

from support import PROGRAM, ROOT, CliTest
from test_terminal import Terminal


class Completions(CliTest):
    def complete(self, line, rest=""):
        """What bash completes at the end of a line."""
        words = line.split(" ")
        script = "\n".join([
            "source /dev/stdin <<<\"$SCRIPT\"", f"leasehold() {{ {os.path.abspath(PROGRAM)} \"$@\"; }}", rest,
            f"COMP_WORDS=({' '.join(word or chr(39) * 2 for word in words)}) COMP_CWORD={len(words) - 1}",
            f"COMP_LINE='{line}' COMP_POINT={len(line)} COMP_TYPE=9",
            f"_leasehold_or_command leasehold '{words[-1]}' '{words[-2]}'", "printf '%s\\n' \"${COMPREPLY[@]}\""])
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=20,
                                cwd=ROOT,
                                env={**self.environment(), "SCRIPT": self.cli("completions", "bash").stdout})
        self.assertEqual(result.stderr, "")
        return result.stdout.split("\n")[:-1]

    def test_words_of_the_command_complete_as_that_commands_own(self):
        self.granted(self.server.acquire(self.key("-web"), owner="ann"))
        for before in ("", "-w 5 ", "-n ", "-j 5 --ttl 5s "):
            line = f"leasehold run {before}{self.key('-w')}"
            self.assertEqual(self.complete(line), [self.key("-web")], line)
        for before in ("deploy", "-n --ttl 5s deploy", "deploy -w 10", "deploy b --", "-j 5 --url x deploy --"):
            self.assertIn("bash", self.complete(f"leasehold run {before} bas"), before)
            self.assertEqual(self.complete(f"leasehold run {before} ls READ"), ["README.md"], before)
        told = "_command_offset() { COMPREPLY=(offset-$1); }"
        self.assertEqual(self.complete("leasehold run deploy git che", told), ["offset-3"])

    def test_values_complete(self):
        lease = self.granted(self.server.acquire(self.key("-web"), owner="ann"))
        self.assertIn(lease["ref"], self.complete("leasehold break "))
        self.assertIn("ann", self.complete("leasehold leases --owner "))
        self.assertEqual(self.complete("leasehold locks --state wai"), ["waited"])
        self.assertEqual(self.complete("leasehold completions z"), ["zsh"])

    def shell(self):
        """A folder with the scripts of the shells, and with the program under its own name."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.symlink(os.path.abspath(PROGRAM), os.path.join(folder.name, "leasehold"))
        for shell, name in (("zsh", "_leasehold"), ("fish", "leasehold.fish")):
            with open(os.path.join(folder.name, name), "w", encoding="utf-8") as file:
                file.write(self.cli("completions", shell).stdout)
        return folder.name

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_in_fish_too(self):
        folder = self.shell()
        script = f"source {folder}/leasehold.fish; complete -C 'leasehold run a -- mkfif'"
        result = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=False, timeout=20,
                                env={**self.environment(), "PATH": f"{folder}:{os.environ['PATH']}"})
        self.assertRegex(result.stdout, r"^mkfifo\b")

    @unittest.skipUnless(shutil.which("zsh"), "there is no zsh")
    def test_in_zsh_too(self):
        folder = self.shell()
        for line in ("leasehold run a mkfif", "leasehold run -n -w 5 a -- mkfif"):
            with self.subTest(line):
                terminal = Terminal(self, "env", "TERM=dumb", f"PATH={folder}:{os.environ['PATH']}", "zsh", "-f", "-i")
                terminal.send(f"fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; PS1='rea''dy>'\r")
                terminal.expect("ready>")
                terminal.send(line + "\t")
                terminal.expect(line + "o ")


if __name__ == "__main__":
    unittest.main()
