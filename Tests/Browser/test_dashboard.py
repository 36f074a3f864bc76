"""The dashboard in a real browser: what it shows, how it looks, and that nothing a caller names runs in it."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Live"))

import driven
from access import TokenServer
from harness import Server, eventually
from native import remove_set
from test_people import PageTest

WHY_NOT = driven.packages()
EVIL = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


def dress(server):
    """Three locks as people meet them: held with waiters, with free slots, and read by two."""
    server.acquire("deploy/production", owner="ann@build-7", ttl="10m")
    for name in ("eve", "joe"):
        server.acquire_later("deploy/production", wait="2m", owner=f"{name}@build-9")
    server.acquire("image-resizer", limit=4, owner=EVIL, ttl="45s")
    server.acquire("image-resizer", limit=4, owner="worker 2", ttl="20m", count=2)
    server.acquire(EVIL, mode="shared", ttl="5m")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Dashboard(PageTest):
    def serve(self, *flags):
        return self.begin(Server(*flags))

    def faces(self, count, url, first):
        """The page in each size and colour: no word of axe, nothing wider than the window."""
        for width, colour in driven.FACES:
            with self.subTest(count=count, width=width, colour=colour), driven.driving(url, width, colour) as driver:
                self.shows(driver, "#status", "Live")
                self.shows(driver, *first)
                driven.photograph(driver, f"{count}-{width}-{colour}")
                wide = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
                self.assertLessEqual(driver.execute_script(wide), 0)
                self.assertEqual(driven.violations(driver), [])
                self.assertEqual(driven.complaints(driver), [])
                self.assertEqual(driver.title, "Leasehold")

    def test_no_locks(self):
        _, url = self.serve()
        self.faces(0, url, ("#empty", "No locks now"))

    def test_three_locks_with_names_that_would_run(self):
        server, url = self.serve()
        dress(server)
        self.faces(3, url, ("#rows", EVIL))

    def test_five_hundred_locks(self):
        server, url = self.serve()
        for number in range(500):
            server.acquire(f"job-{number:03}", owner=f"worker {number % 7}", ttl="30m")
        self.faces(500, url, ("#rows .who", "worker 3"))
        with driven.driving(url) as driver:
            self.shows(driver, "#more-text", "50 of 500")
            driver.execute_script("document.getElementById('more-button').click()")
            self.shows(driver, "#rows th", "job-499")
            # Two lists tell all that the table shows: no lock is read by itself.
            reads = "return performance.getEntriesByType('resource').filter((one) => /locks.job/.test(one.name)).length"
            self.assertEqual(driver.execute_script(reads), 0)
            driver.execute_script("const field = document.getElementById('search'); field.value = 'job-31';"
                                  "field.dispatchEvent(new Event('input'))")
            eventually(lambda: self.text(driver, "#rows th").count("job-") == 10, "the filter", timeout=20)

    def test_it_is_live(self):
        server, url = self.serve()
        with driven.driving(url) as driver:
            self.shows(driver, "#status", "Live")
            lease = server.acquire("nightly", owner="ann", ttl="1m")
            self.shows(driver, "#rows .who", "ann")
            self.shows(driver, "#events .kind", "granted")
            waiter = server.acquire_later("nightly", wait="30s", owner="eve")
            self.shows(driver, "#rows .tag", "waited for")
            self.shows(driver, "#rows td:nth-child(5)", "1")
            server.release(lease)
            self.assertEqual(waiter.answer().status, 201)
            self.shows(driver, "#rows .who", "eve")
            labels = "return [...document.querySelectorAll('#plot svg')].map((one) => one.getAttribute('aria-label'))"
            eventually(lambda: [label[-3:] for label in driver.execute_script(labels)] == [": 2", ": 1", ": 0"],
                       "the plot counts two grants and a wait")

    def test_an_event_leads_to_the_lock_that_is_meant(self):
        server, url = self.serve()
        lease = server.acquire("apache:store", semaphore_key="0x5afe42", ttl="1m").json
        self.addCleanup(remove_set, lease["sysv"]["id"])
        link = "return document.querySelector('#events a')?.getAttribute('href')"
        meant = f"/ui/locks/apache%3Astore?semaphore_key={0x5afe42}&nsems=32"
        with driven.driving(url) as driver:
            self.shows(driver, "#rows th", "apache:store")
            server.release(lease)
            eventually(lambda: driver.execute_script(link) == meant, "the link", timeout=20)

    def test_by_keyboard_alone_a_lock_is_found_and_its_lease_ended(self):
        from selenium.webdriver.common.keys import Keys

        server, url = self.serve()
        for number in range(30):
            server.acquire(f"job-{number:02}", owner=f"worker {number}", ttl="10m")
        server.acquire("nightly", owner="ann", ttl="10m")
        with driven.driving() as driver:
            focused = lambda: driver.switch_to.active_element  # noqa: E731
            driver.get(url)
            self.shows(driver, "#rows .who", "worker 1")
            focused().send_keys(Keys.ARROW_DOWN)
            self.assertEqual(focused().get_attribute("href"), f"{url}ui/locks/job-00")
            focused().send_keys(Keys.ARROW_DOWN)
            self.assertEqual(focused().get_attribute("href"), f"{url}ui/locks/job-01")
            driven.photograph(driver, "focus")
            focused().send_keys("/")
            self.assertEqual(focused().get_attribute("id"), "search")
            focused().send_keys("night")
            eventually(lambda: self.text(driver, "#rows th") == "nightly", "the one row", timeout=20)
            self.assertEqual(driver.current_url, f"{url}?q=night")
            focused().send_keys(Keys.ARROW_DOWN)
            focused().send_keys(Keys.ENTER)
            self.shows(driver, "#sentence", "nightly is held by ann")
            self.assertEqual(driver.current_url, f"{url}ui/locks/nightly")
            self.shows(driver, "#holders button", "End now")
            focused().send_keys(Keys.TAB)
            self.assertEqual(focused().get_attribute("id"), "reason")
            focused().send_keys("it hangs")
            for _ in range(4):
                focused().send_keys(Keys.TAB)
                if focused().text == "End now":
                    break
            focused().send_keys(Keys.ENTER)
            self.shows(driver, "#history .kind", "broken")
            self.shows(driver, "#history", "it hangs")
            self.shows(driver, "#sentence", "nightly is free; nobody waits.")
            focused().send_keys(Keys.ESCAPE)
            self.assertEqual(driver.current_url, f"{url}?q=night")
            self.assertEqual(focused().get_attribute("href"), f"{url}ui/locks/nightly", "the focus is on its row again")
            self.assertEqual(driven.violations(driver), [])

    def test_names_that_would_lie_are_shown_by_their_numbers_and_break_by_what_is_shown(self):
        server, url = self.serve()
        lease = server.acquire("apache:a\u202eb\u200b", semaphore_key="0x5afe41", owner="\u2066ann", ttl="10m").json
        self.addCleanup(os.system, f"ipcrm -s {lease['sysv']['id']}")
        with driven.driving(url) as driver:
            self.shows(driver, "#rows bdi", "apache:a\\u{202e}b\\u{200b}")
            self.shows(driver, "#rows .who", "\\u{2066}ann")
            self.shows(driver, "#events", "\\u{2066}ann")
            for mark in "\u202e\u200b\u2066":
                self.assertNotIn(mark, driver.execute_script("return document.body.innerText"))
            driver.execute_script("document.querySelector('#rows a').click()")
            self.shows(driver, "#sentence", "apache:a\\u{202e}b\\u{200b} is held by \\u{2066}ann")
            self.shows(driver, "#copies", "semaphore_key=")
            for mark in "\u202e\u200b\u2066":
                self.assertNotIn(mark, driver.execute_script("return document.body.innerText"))
            driver.execute_script("document.querySelector('#holders button').click()")
            self.shows(driver, "#history .kind", "broken")

    def test_locks_that_share_a_name_have_a_row_each(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server, url = self.serve("--path-roots", folder.name)
        name = f"path:{folder.name}/jobs"
        for owner, key, more in (
            ("ann", "apache:one", {"semaphore_key": "0xfa000001", "nsems": 8}), ("eve", "apache:one", {}),
            ("joe", name, {"project": "A", "nsems": 3, "sem": 2}), ("kim", name, {"nsems": 3, "sem": 2}),
        ):
            lease = server.acquire(key, owner=owner, ttl="10m", **more).json
            self.addCleanup(os.system, f"ipcrm -s {lease['sysv']['id']}")
        with driven.driving(url) as driver:
            for owner in ("ann", "eve", "joe", "kim"):
                self.shows(driver, "#rows .who", owner)
            self.assertEqual(self.text(driver, "#rows a.who").count("|"), 3)

    def test_a_service_with_tokens_shows_nothing_before_it_has_one(self):
        server = TokenServer().ends_with(self).start()
        url, admin = f"http://127.0.0.1:{server.port}/", server.with_token("admin")
        self.assertEqual(admin.acquire("nightly", owner="ann", ttl="10m").status, 201)
        with driven.driving(url) as driver:
            eventually(lambda: driver.execute_script("return document.getElementById('token-dialog').open"), "asked")
            self.assertNotIn("nightly", driver.page_source)
            driven.photograph(driver, "token")
            self.assertEqual(driven.violations(driver), [])
            driver.execute_script("return document.getElementById('token')").send_keys(admin.token, "\n")
            self.shows(driver, "#rows .who", "ann")
            self.assertEqual(driver.execute_script("return localStorage.length + sessionStorage.length"), 0)
            self.assertEqual(driver.get_cookies(), [])

    def test_without_a_script_it_is_a_table(self):
        server, url = self.serve()
        dress(server)
        with driven.driving(url, script=False) as driver:
            rows = driver.find_elements("css selector", "tbody tr")
            self.assertTrue(any(EVIL in row.text.replace("\n", "") for row in rows), [row.text for row in rows])
            driven.photograph(driver, "no-script")
            self.assertFalse(driver.find_element("id", "list-view").is_displayed())
            driver.find_element("link text", "deploy/production").click()
            said = driver.find_element("css selector", ".sentence").text
            who = "deploy/production is held by ann@build-7"
            self.assertRegex(said, rf"^{who}, for \d+ s; 2 wait, the first for \d+ s\.$")
            driver.find_element("link text", "ann@build-7").click()
            self.assertEqual(driver.find_element("css selector", ".sentence").text, "ann@build-7 holds 1 lease.")


if __name__ == "__main__":
    unittest.main()
