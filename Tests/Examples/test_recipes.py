"""Runs the blocks of docs/recipes.md, those for the shell and those in Python, against a daemon of its own."""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import PROGRAM, LiveTest, eventually  # noqa: E402  (enters a private IPC namespace)

BLOCK = re.compile(r"^(?:<!-- held: (\S+) -->\n)?<!-- expect: ([^\n]*) -->\n```(bash|python)\n(.*?)^```", re.S | re.M)
RUNNERS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
# What the recipes start; each says its name and what it was given.
PROGRAMS = {
    "train": 'echo "train on $CUDA_VISIBLE_DEVICES"',
    "tests": 'echo "tests with $DATABASE_URL"',
    "make": 'echo "make $*"',
    "sync": "echo sync",
    "report": "echo report",
    "nightly": "echo nightly",
    "deploy": 'echo "deploy $1"; [ "$1" = b2 ] || sleep 30',
    "serve": "echo serve; sleep 2",
    "job": "echo job",
    "migrate": "echo migrate",
}


def executable(path, flags):
    return os.open(path, flags, 0o755)


class Recipes(LiveTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(ROOT, "docs", "recipes.md"), encoding="utf-8") as file:
            cls.text = file.read()

    def run_block(self, held, expected, language, text):
        path = os.pathsep.join([".", os.path.dirname(os.path.abspath(PROGRAM)), os.environ["PATH"]])
        environment = os.environ | {
            "LEASEHOLD_URL": f"unix:{self.server.unix}", "PATH": path,
            "PYTHONPATH": os.path.join(ROOT, "clients", "python", "src")}
        key, _, query = held.partition("?")
        lease = self.server.post(f"/locks/{key}/acquire?ttl=5m&{query}")["lease"] if held else None
        with tempfile.TemporaryDirectory() as directory:
            for name, script in PROGRAMS.items():
                with open(os.path.join(directory, name), "w", encoding="utf-8", opener=executable) as file:
                    file.write(f"#!/bin/sh\n{script}\n")
            result = subprocess.run([*RUNNERS[language], text], cwd=directory, env=environment, capture_output=True,
                                    text=True, timeout=60, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        self.assertRegex(result.stdout.replace("\n", " "), expected)
        if lease:
            self.assertFalse(self.server.delete(f"/leases/{lease}")["already"])
        eventually(lambda: not self.server.get("/leases")["leases"], "all locks are free again")

    def test_every_block_prints_what_it_says_and_leaves_nothing(self):
        blocks = BLOCK.findall(self.text)
        self.assertEqual(len(blocks), self.text.count("\n```") // 2, "a block has no expectation")
        for block in blocks:
            with self.subTest(block[3].splitlines()[0]):
                self.run_block(*block)

    def test_the_readme_leads_to_every_recipe(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            readme = file.read()
        recipes = re.findall(r"^## (.*)", self.text, re.M)
        self.assertGreater(len(recipes), 5)
        for recipe in recipes:
            self.assertIn(f"(docs/recipes.md#{recipe.lower().replace(' ', '-')})", readme)
