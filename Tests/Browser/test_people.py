"""The dashboard beside native programs, tokens and restarts: what a person in front of it is told."""

import os
import select
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Live"))

import driven
from access import TokenServer
from harness import PATIENCE, Pending, Server, eventually
from native import Native

WHY_NOT = driven.packages()
PHP = os.environ.get("PHP", "php")
# Takes a lock, puts three variables into a segment, and holds both until its input ends.
PHP_HOLDER = """
$lock = sem_get((int) $argv[1]);
sem_acquire($lock);
$memory = shm_attach((int) $argv[1] + 1, 20000);
shm_put_var($memory, 1, ['jobs' => 3]);
shm_put_var($memory, 2, 'text');
shm_put_var($memory, 7, 4.5);
echo "ready\\n";
fgets(STDIN);
"""


def has_php():
    try:
        modules = subprocess.run([PHP, "-m"], check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return False
    return {"sysvsem", "sysvshm"} <= set(modules)


class PageTest(unittest.TestCase):
    def begin(self, server):
        server.ends_with(self).start()
        return server, f"http://127.0.0.1:{server.port}/"

    def text(self, driver, selector):
        return driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent).join('|')", selector)

    def shows(self, driver, selector, text):
        eventually(lambda: text in self.text(driver, selector), f"{selector} shows {text}", timeout=30, pause=0.1)

    def press(self, driver, selector):
        """Clicks; by script, as the element may be drawn anew at any moment."""
        driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def is_open(self, driver, dialog):
        return driver.execute_script("return document.getElementById(arguments[0]).open", dialog)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class States(PageTest):
    def test_damaged_cooling_and_free_but_waited_for(self):
        server, url = self.begin(Server())
        lease = server.acquire("hurt", limit=3, owner="ann").json
        server.acquire("job", ttl="200ms", cooldown="5m", owner="bob\u202e")
        server.acquire("busy", owner="cat")
        Pending(lambda: server.json_post("/leases", {"want": [{"key": "free"}, {"key": "busy"}], "wait": "60s"}))
        with Native(lease["sysv"]) as perl:
            perl.ask(f"op {lease['sysv']['semaphores'][0] + 64} 1")
        eventually(lambda: server.get("/readyz")["damaged_locks"] == 1, "it is found damaged")
        with driven.driving(url) as driver:
            self.shows(driver, '#rows tr[data-key="hurt"] .tag', "damaged")
            self.shows(driver, '#rows tr[data-key="job"] .tag', "cools down")
            self.shows(driver, '#rows tr[data-key="free"]', "also waits for busy")
            self.assertEqual(self.text(driver, "#count-leases"), "2")
            driven.photograph(driver, "states")
            self.assertEqual(driven.violations(driver), [])
            for key, selector, text in (
                    ("hurt", "#sentence", "hurt is damaged: another program wrote its values"),
                    ("hurt", "#mend code", "/locks/hurt?force=true"), ("job", "#sentence", "job cools down for 4 min"),
                    ("job", "#holders .person", "bob\\u{202e}"),
                    ("free", "#sentence", "is free, but the first who waits also waits for busy; one waits"),
                    ("free", "#queue td:nth-child(6)", "busy")):
                driver.get(f"{url}ui/locks/{key}")
                self.shows(driver, selector, text)
                if key == "job":
                    self.assertEqual(self.text(driver, "#holders button"), "", "there is nothing to end")
                self.assertEqual(driven.violations(driver), [])


@unittest.skipIf(WHY_NOT, WHY_NOT)
class NativePrograms(PageTest):
    def php(self, key):
        command = [PHP, "-r", PHP_HOLDER, "--", str(key)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, holder, key + 1)
        self.assertTrue(select.select([holder.stdout], [], [], PATIENCE)[0], "php has the lock")
        self.assertEqual(holder.stdout.readline(), "ready\n")
        return holder

    @staticmethod
    def end(holder, segment):
        """Segments outlive who made them, and the page shows all that are there."""
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
        subprocess.run(["ipcrm", "-M", hex(segment)], check=False, capture_output=True)

    @unittest.skipUnless(has_php(), "SKIPPED: no php with sysvsem and sysvshm here (apt-get install php-cli)")
    def test_a_php_program_that_holds_a_lock_and_who_waits_behind_it(self):
        server, url = self.begin(Server())
        holder = self.php(4711)
        with driven.driving(url) as driver:
            waiters = [server.acquire_later("php:4711", owner=owner, wait="2m", ttl="1m") for owner in ("eve", "joe")]
            row = '#rows tr[data-key="php:4711"] '
            self.shows(driver, row + "td:nth-child(5)", "2")
            self.shows(driver, row, f"native program, pid {holder.pid}")
            self.assertEqual(self.text(driver, row + ".tag"), "waited for")
            self.assertNotIn("reader", self.text(driver, row))
            self.assertEqual(self.text(driver, "#count-native"), "1")
            driver.get(f"{url}ui/locks/php:4711")
            self.shows(driver, "#sentence", f"held by a native program, pid {holder.pid} php")
            self.shows(driver, "#queue .who", "joe")
            self.assertEqual(self.text(driver, "#queue .who .start"), "eve|joe")
            self.assertEqual(self.text(driver, "#holders button"), "", "a native holder has no lease to end")
            driven.photograph(driver, "native")
            self.assertEqual(driven.violations(driver), [])
            holder.stdin.close()
            lease = waiters[0].answer().json
            self.shows(driver, "#holders .who", "eve")
            self.assertNotIn("native", self.text(driver, "#holders"))
            server.release(lease)
            self.assertEqual(waiters[1].answer().status, 201)
            self.shows(driver, "#holders .who", "joe")

    @unittest.skipUnless(has_php(), "SKIPPED: no php with sysvsem and sysvshm here (apt-get install php-cli)")
    def test_variables_that_php_put(self):
        _, url = self.begin(Server())
        self.php(98)
        with driven.driving(url) as driver:
            self.shows(driver, "#segments button", "Variables")
            self.assertEqual(self.text(driver, "#segments button"), "Variables", "the ledger is not PHP's")
            self.press(driver, '#segments button[aria-label="Variables of 0x00000063"]')
            self.shows(driver, "#variables caption", "Variables in 0x00000063: 3, ")
            self.assertEqual(self.text(driver, "#variables tbody th"), "1|2|7")
            self.assertEqual(self.text(driver, "#variables td:nth-child(2)"), "array|string|double")
            driven.photograph(driver, "variables")
            self.assertEqual(driven.violations(driver), [])
            self.assertEqual(driven.complaints(driver), [])

    def test_a_perl_program_that_does_its_own_semop(self):
        server, url = self.begin(Server())
        lease = server.acquire("ledger", ttl="1m").json
        server.release(lease)
        with Native(lease["sysv"]) as perl, driven.driving() as driver:
            self.assertEqual(perl.ask(perl.take()), "ok")
            driver.get(url)
            self.shows(driver, "#rows .native", f"native program, pid {perl.pid}")
            self.assertEqual(self.text(driver, "#rows .tag"), "held")
            self.assertEqual(perl.ask(perl.give()), "ok")
            self.shows(driver, "#rows .tag", "free")
            eventually(lambda: "native" not in self.text(driver, "#rows"), "it is gone", timeout=30)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Breaking(PageTest):
    """A service with tokens; the page itself has one that may only read."""

    def setUp(self):
        self.server, self.url = self.begin(TokenServer())
        self.holder = self.server.with_token("lock")
        self.assertEqual(self.holder.acquire("nightly", owner="ann", ttl="10m").status, 201)

    def ask(self, driver):
        """Opens the lock's page with the token `read`, and ends the lease, which that token may not."""
        driver.get(f"{self.url}ui/locks/nightly")
        eventually(lambda: self.is_open(driver, "token-dialog"), "the page asks for a token")
        driver.find_element("id", "token").send_keys(self.server.tokens["read"], "\n")
        self.shows(driver, "#sentence", "held by ann")
        self.shows(driver, "#holders button", "End now")
        driver.find_element("id", "reason").send_keys("it hangs")
        self.press(driver, "#holders button")
        eventually(lambda: self.is_open(driver, "admin-dialog"), "the page asks for the token of an admin")
        self.assertEqual(self.holder.lock("nightly")["held"], 1)
        return self.text(driver, "#admin-error")

    def answer(self, driver, token):
        """Sends a token, and waits for what is said."""
        driver.execute_script("document.getElementById('admin-error').textContent = ''")
        driver.find_element("id", "admin-token").send_keys(token)
        driver.find_element("id", "admin-submit").click()
        eventually(lambda: not self.is_open(driver, "admin-dialog") or self.text(driver, "#admin-error"),
                   "it is refused or done", timeout=PATIENCE)
        return self.text(driver, "#admin-error")

    def test_an_admin_token_ends_the_lease_and_the_lock_remembers_why(self):
        with driven.driving() as driver:
            self.assertIn("'read'", self.ask(driver))
            driven.photograph(driver, "admin")
            self.assertEqual(driven.violations(driver), [])
            self.assertEqual(self.answer(driver, self.server.tokens["admin"]), "")
            self.assertFalse(self.is_open(driver, "admin-dialog"))
            self.shows(driver, "#sentence", "nightly is free")
            self.shows(driver, "#history .kind", "broken")
            self.shows(driver, "#history", "it hangs")
            self.assertEqual(self.text(driver, "#holders button"), "")
            self.assertEqual(self.holder.lock("nightly")["held"], 0)
            self.assertEqual(driver.execute_script("return document.getElementById('admin-token').value"), "")

    def test_tokens_that_are_wrong_or_may_not_are_refused_with_a_sentence(self):
        with driven.driving() as driver:
            self.ask(driver)
            self.assertIn("does not know", self.answer(driver, "lh_no-such-token"))
            self.assertFalse(self.is_open(driver, "token-dialog"))
            for name in ("read", "lock", ""):
                said = self.answer(driver, self.server.tokens.get(name, ""))
                self.assertIn("admin", said, name)
                self.assertIn(f"'{name or 'read'}'", said)
                self.assertTrue(self.is_open(driver, "admin-dialog"))
                self.assertEqual(self.holder.lock("nightly")["held"], 1)
            # The right one in the last try.
            self.answer(driver, self.server.tokens["admin"])
            self.shows(driver, "#sentence", "nightly is free")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Events(PageTest):
    def kinds(self, driver):
        return self.text(driver, "#events .kind").split("|")

    def test_the_last_events_are_there_when_the_page_opens_and_right_after_a_restart(self):
        server, url = self.begin(Server("--recovery-grace", "100ms"))
        lease = server.acquire("before", owner="ann", ttl="10m").json
        server.release(lease)
        with driven.driving(url) as driver:
            self.shows(driver, "#events", "before")
            self.assertEqual(self.kinds(driver), ["released", "granted"])
            server.kill()
            self.shows(driver, "#status", "trying again")
            self.shows(driver, "#away", "No answer since")
            server.start()
            self.shows(driver, "#status", "Live")
            server.acquire("after", owner="eve", ttl="10m")
            self.shows(driver, "#events", "after")
            kinds = self.kinds(driver)
            self.assertEqual((kinds[0], kinds[-2:]), ("granted", ["released", "granted"]), kinds)
            self.assertEqual(kinds.count("gap"), 1, kinds)
            driven.photograph(driver, "restart")
        # A page that opens now knows nothing of before, and misses nothing since.
        with driven.driving(url) as driver:
            self.shows(driver, "#events", "after")
            self.assertEqual(self.kinds(driver), ["granted"])
            self.assertEqual(driven.complaints(driver), [])


if __name__ == "__main__":
    unittest.main()
