# Rows: H28
"""symfony/lock itself, Debian's: what its SemaphoreStore takes is the lock that HTTP sees by the documented name."""

import os
import re
import subprocess
import unittest

from php_support import HERE, PHP_PROGRAM, PHPTest, set_id

SYMFONY = os.environ.get("SYMFONY_LOCK", "/usr/share/php/Symfony/Component/Lock")
DOCUMENT = os.path.join(HERE, "..", "..", "docs", "interop-php.md")


def documented():
    """Which releases, and what they make of a resource, as the document has it."""
    with open(DOCUMENT, encoding="utf-8") as file:
        section = file.read().partition("### symfony/lock")[2].partition("\n### ")[0]
    return re.findall(r"^\| ((?:before|from) .*?) \| `(.*)` \|$", section, re.M)


def number(formula, resource):
    """What a formula of the document makes of a resource."""
    code = f"$resource = $argv[1]; echo {formula};"
    ran = subprocess.run([PHP_PROGRAM, "-r", code, resource], check=True, capture_output=True, text=True)
    return int(ran.stdout)


def debian_version():
    asked = ["dpkg-query", "-W", "-f", "${Version}", "php-symfony-lock"]
    text = subprocess.run(asked, check=False, capture_output=True, text=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


@unittest.skipUnless(os.path.isdir(SYMFONY), "needs the Debian package php-symfony-lock")
class RealSymfonyLock(PHPTest):
    def setUp(self):
        super().setUp()
        self.resource = f"invoice-{self.sysv_key}"
        candidates = {formula: number(formula, self.resource) for _, formula in documented()}
        # Its own code says which one it is; the document must have it.
        with open(os.path.join(SYMFONY, "Store", "SemaphoreStore.php"), encoding="utf-8") as file:
            made = re.search(r"\$keyId = (.*);", file.read())[1].replace("$key,", "$resource,")
        self.assertIn(made, candidates)
        self.sysv_key = candidates[made]
        self.lock = f"php:{self.sysv_key}"

    def symfony(self):
        return self.php()

    def test_the_document_has_the_releases_right(self):
        self.assertEqual([which.split()[:2] for which, _ in documented()],
                         [["before", "4.4.27"], ["from", "4.4.27"], ["from", "6.3"]])
        if "SYMFONY_LOCK" in os.environ or not debian_version():
            self.skipTest("not Debian's package")
        formula = documented()[2 if debian_version() >= (6, 3) else 1][1]
        self.assertEqual(number(formula, self.resource), self.sysv_key)

    def test_what_symfony_takes_http_sees_by_that_name(self):
        program = self.symfony()
        self.assertIs(program.ask(f"lock a {self.resource}"), True)
        state = self.server.lock(self.lock).json
        self.assertEqual((state["available"], state["sysv"]["pid"]), (0, program.pid), state)
        self.assertEqual(state["sysv"]["id"], set_id(self.sysv_key))
        self.assertProblem(self.acquire(), 423, "locked")
        waiter = self.server.acquire_later(self.lock)
        self.assertIs(program.ask("unlock a"), True)
        lease = self.granted(waiter.answer())
        self.assertIs(program.ask(f"lock b {self.resource}"), False)
        self.release(lease)
        self.assertIs(program.ask(f"lock b {self.resource}"), True)
        self.assertIs(program.ask("locked b"), True)
        self.assertProblem(self.acquire(), 423, "locked")

    def test_symfony_waits_for_a_lease(self):
        lease = self.lease()
        program = self.symfony()
        program.send(f"lock a {self.resource} wait")
        self.waiters(1)
        self.assertTrue(program.is_silent())
        self.release(lease)
        self.assertIs(program.answer()["result"], True)
        self.assertProblem(self.acquire(), 423, "locked")
        self.assertIs(program.ask("unlock a"), True)
        self.release(self.lease())

    def test_a_killed_program_leaves_nothing(self):
        program = self.symfony()
        self.assertIs(program.ask(f"lock a {self.resource}"), True)
        waiter = self.server.acquire_later(self.lock)
        program.kill()
        self.release(self.granted(waiter.answer()))

    def test_the_name_of_another_release_excludes_nobody(self):
        """Why the document has the table: a wrong guess is a lock of its own."""
        program = self.symfony()
        self.assertIs(program.ask(f"lock a {self.resource}"), True)
        others = {number(formula, self.resource) for _, formula in documented()} - {self.sysv_key}
        self.assertEqual(len(others), 2)
        for other in others:
            lease = self.granted(self.server.acquire(f"php:{other}"))
            self.server.release(lease)
        self.assertEqual(self.server.lock(self.lock)["available"], 0)


if __name__ == "__main__":
    unittest.main()
