#!/usr/bin/env python3
"""Tools/version in checkouts with and without tags, in sources without git, and in a folder of another project."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER = "Sources/CBuild/build.h"


class Version(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.root = os.path.join(os.path.realpath(made.name), "sources")
        os.makedirs(os.path.join(self.root, "Tools"))
        os.makedirs(os.path.join(self.root, "Sources", "CBuild"))
        shutil.copy(os.path.join(ROOT, "Tools", "version"), os.path.join(self.root, "Tools"))
        self.write("VERSION", "0.2.0-dev\n")
        self.write("Sources/CBuild/cbuild.c", "")
        self.write(".gitignore", f"/{HEADER}\n")

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def header(self):
        with open(os.path.join(self.root, HEADER), encoding="utf-8") as file:
            return file.read()

    def git(self, *words, where=None):
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@b.invalid",
                            f"GIT_{role}_DATE": "2026-01-02T03:04:05Z"}
        return subprocess.run(["git", "-C", where or self.root, *words], check=True, capture_output=True, text=True,
                              env=environment).stdout.strip()

    def commit(self, text="a"):
        self.write("file", text)
        self.git("add", ".")
        self.git("commit", "-qm", text)
        return self.git("rev-parse", "--short=7", "HEAD")

    def checkout(self, tag=None):
        self.git("init", "-q")
        commit = self.commit()
        if tag:
            self.git("tag", tag)
        return commit

    def said(self, what, **more):
        bare = {name: value for name, value in os.environ.items()
                if not name.startswith(("LEASEHOLD_", "SOURCE_DATE_EPOCH", "GIT_"))}
        return subprocess.run([os.path.join(self.root, "Tools", "version"), what], check=True, capture_output=True,
                              text=True, cwd="/", env={**bare, **more}).stdout.strip()

    def all_said(self, **more):
        return tuple(self.said(what, **more) for what in ("program", "deb", "python"))

    def test_at_a_tag_it_is_the_tag(self):
        self.checkout("v0.2.0")
        self.assertEqual(self.all_said(), ("0.2.0", "0.2.0", "0.2.0"))
        self.assertEqual(self.said("commit"), self.git("rev-parse", "HEAD"))
        self.assertEqual(self.said("epoch"), "1767323045")

    def test_later_it_counts_the_commits(self):
        self.checkout("v0.2.0")
        self.commit("b")
        short = self.commit("c")
        self.assertEqual(
            self.all_said(), (f"0.2.0-2-g{short}", f"0.2.0+2.g{short}", f"0.2.0.post2+g{short}"))

    def test_a_changed_tree_says_so_and_a_new_file_is_no_change(self):
        self.checkout("v0.2.0")
        self.write("new", "")
        self.assertEqual(self.said("program"), "0.2.0")
        self.write("file", "changed")
        self.assertEqual(self.all_said(), ("0.2.0.dirty", "0.2.0+dirty", "0.2.0+dirty"))

    def test_tags_of_other_things_do_not_count(self):
        short = self.checkout("deployed-0.9")
        self.assertEqual(self.said("program"), f"0.2.0-dev-g{short}")

    def test_without_tags_it_is_that_of_the_file_with_the_commit(self):
        short = self.checkout()
        self.assertEqual(
            self.all_said(), (f"0.2.0-dev-g{short}", f"0.2.0~dev.g{short}", f"0.2.0.dev0+g{short}"))
        self.assertEqual(self.said("release"), "0.2.0")
        self.write("file", "changed")
        self.assertEqual(self.said("program"), f"0.2.0-dev-g{short}.dirty")

    def test_a_release_without_its_tag_is_that_of_the_file(self):
        self.write("VERSION", "0.2.0\n")
        self.checkout()
        self.assertEqual(self.said("program"), "0.2.0")

    def test_a_candidate_comes_before_its_release(self):
        self.checkout("v0.3.0-rc1")
        self.assertEqual(self.all_said(), ("0.3.0-rc1", "0.3.0~rc1", "0.3.0rc1"))
        short = self.commit("b")
        self.assertEqual(
            self.all_said(), (f"0.3.0-rc1-1-g{short}", f"0.3.0~rc1+1.g{short}", f"0.3.0rc1.post1+g{short}"))

    def test_without_git_it_is_that_of_the_file(self):
        self.assertEqual(self.all_said(), ("0.2.0-dev", "0.2.0~dev", "0.2.0.dev0"))
        self.assertEqual((self.said("commit"), self.said("epoch")), ("", ""))
        self.said("write")
        self.assertEqual(self.header(), '#define LEASEHOLD_VERSION "0.2.0-dev"\n#define LEASEHOLD_COMMIT ""\n'
                         '#define LEASEHOLD_INSTANT ""\n')

    def test_in_a_folder_of_another_project_it_is_not_that_projects(self):
        outer = os.path.dirname(self.root)
        self.git("init", "-q", where=outer)
        self.git("add", ".", where=outer)
        self.git("commit", "-qm", "a", where=outer)
        self.git("tag", "v9.9.9", where=outer)
        self.assertEqual((self.said("program"), self.said("commit")), ("0.2.0-dev", ""))

    def test_what_was_packed_with_the_sources_is_kept(self):
        self.checkout("v0.2.0")
        commit = self.git("rev-parse", "HEAD")
        self.said("write")
        packed = self.header()
        self.assertIn('LEASEHOLD_INSTANT "2026-01-02T03:04:05Z"', packed)
        shutil.rmtree(os.path.join(self.root, ".git"))
        self.assertEqual((self.said("program"), self.said("commit"), self.said("epoch")),
                         ("0.2.0", commit, "1767323045"))
        self.said("write")
        self.assertEqual(self.header(), packed)

    def test_the_environment_beats_git(self):
        self.checkout("v0.2.0")
        told = {"LEASEHOLD_VERSION": "1.0.0", "LEASEHOLD_COMMIT": "abc", "SOURCE_DATE_EPOCH": "86400"}
        self.said("write", **told)
        self.assertEqual(self.header(), '#define LEASEHOLD_VERSION "1.0.0"\n#define LEASEHOLD_COMMIT "abc"\n'
                         '#define LEASEHOLD_INSTANT "1970-01-02T00:00:00Z"\n')

    def test_nothing_is_written_that_has_not_changed(self):
        self.checkout("v0.2.0")
        # What was compiled without the header has to be compiled again when it comes.
        source = os.path.join(self.root, "Sources/CBuild/cbuild.c")
        os.utime(source, (0, 0))
        self.said("write")
        self.assertGreater(os.path.getmtime(source), 0)
        for path in (source, os.path.join(self.root, HEADER)):
            os.utime(path, (0, 0))
        self.said("write")
        self.assertEqual(os.path.getmtime(os.path.join(self.root, HEADER)), 0)
        self.commit("b")
        self.said("write")
        self.assertGreater(os.path.getmtime(os.path.join(self.root, HEADER)), 0)
        self.assertEqual(os.path.getmtime(source), 0)


if __name__ == "__main__":
    unittest.main()
