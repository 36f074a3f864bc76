"""The page at 3 a.m.: three hundred locks, one that hurts, and a service that may be away."""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Live"))

import driven
from harness import PROGRAM, Server, eventually
from test_people import PageTest

WHY_NOT = driven.packages()
# How often a person clicks: pressed by the driver, not by a script.
COUNT_CLICKS = "window.clicks = 0; addEventListener('click', (event) => { clicks += event.isTrusted; }, true)"
ROWS = "return [...document.querySelectorAll('#rows tr')].map((row) => row.dataset.key)"


def crowd(server, waiters=30):
    """Three hundred locks that are held, and one more that others wait for."""
    for number in range(300):
        long = f"tenant-{number % 10}/a-name-that-is-too-long-for-its-column/{number:03}"
        name = long if number % 3 else f"job-{number:03}"
        server.acquire(name, owner=f"worker {number % 7}@build", ttl="30m")
    server.acquire("pay/settle", owner="ann@build", ttl="30m")
    for number in range(waiters):
        server.acquire_later("pay/settle", wait="5m", owner=f"waiter-{number:02}")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Night(PageTest):
    def test_two_clicks_find_who_holds_the_lock_that_hurts_and_end_it(self):
        server, url = self.begin(Server())
        crowd(server)
        with driven.driving(url) as driver:
            self.shows(driver, "#rows td:nth-child(5)", "30")
            self.assertEqual(driver.execute_script(ROWS)[0], "pay/settle", "it is the first row")
            bottom = driver.execute_script("return document.getElementById('rows').getBoundingClientRect().bottom")
            self.assertEqual(len(driver.execute_script(ROWS)), 50)
            self.assertLess(bottom, 2 * 800, "fifty locks are on two screens")
            driven.photograph(driver, "night")
            self.assertEqual(driven.violations(driver), [])
            driver.execute_script(COUNT_CLICKS)
            driver.find_element("css selector", "#rows a").click()
            self.shows(driver, "#sentence", "pay/settle is held by ann@build, for ")
            self.assertIn("; 30 wait, the first for ", self.text(driver, "#sentence"))
            self.shows(driver, "#holders button", "End now")
            self.assertEqual(self.text(driver, "#queue td:first-child").count("|"), 29)
            driven.photograph(driver, "night-lock")
            self.assertEqual(driven.violations(driver), [])
            driver.find_element("css selector", "#holders button.danger").click()
            self.shows(driver, "#sentence", "pay/settle is held by waiter-00")
            self.assertEqual(driver.execute_script("return clicks"), 2)
            self.assertEqual(driven.complaints(driver), [])

    def test_the_end_may_come_in_half_a_minute_and_the_holder_is_told_why(self):
        server, url = self.begin(Server())
        server.acquire("deploy", owner="ann", ttl="30m")
        with driven.driving(f"{url}ui/locks/deploy", 360, "dark") as driver:
            self.shows(driver, "#holders button", "End in 30 s")
            driver.find_element("id", "reason").send_keys("<b>the host</b> goes down")
            driver.find_element("css selector", "#holders button:last-child").click()
            self.shows(driver, "#holders", "is ended in ")
            holder = server.lock("deploy")["holders"][0]
            self.assertEqual(holder["break_reason"], "<b>the host</b> goes down")
            self.assertTrue(20_000 < holder["breaking_in_ms"] <= 30_000, holder)
            self.shows(driver, "#holders", "<b>the host</b> goes down")
            self.assertEqual(driven.violations(driver), [])

    def test_what_is_asked_for_is_in_the_address(self):
        from selenium.webdriver.common.keys import Keys

        server, url = self.begin(Server())
        crowd(server, waiters=2)
        with driven.driving(f"{url}?q=pay*") as driver:
            eventually(lambda: driver.execute_script(ROWS) == ["pay/settle"], "one row", timeout=20)
            driver.get(f"{url}?sort=name&q=job-*&owner=worker 3@build")
            expected = [f"job-{number:03}" for number in range(0, 300, 3) if number % 7 == 3]
            eventually(lambda: driver.execute_script(ROWS) == expected, "those of an owner, by name", timeout=20)
            self.assertEqual(driver.find_element("id", "owner").get_attribute("value"), "worker 3@build")
            driver.find_element("id", "owner").send_keys(*[Keys.BACKSPACE] * len("worker 3@build"))
            driver.find_element("css selector", "[data-sort=waiters]").click()
            self.assertEqual(driver.current_url, f"{url}?sort=waiters&q=job-*")
            driver.find_element("css selector", "#show [value=waited]").click()
            self.assertEqual(driver.current_url, f"{url}?sort=waiters&state=waited&q=job-*")
            self.assertIn("No lock is like that", self.text(driver, "#empty"))

    def test_rows_stay_under_the_pointer(self):
        from selenium.webdriver.common.action_chains import ActionChains

        server, url = self.begin(Server())
        for name in ("aaa", "bbb", "ccc"):
            server.acquire(name, owner=f"of {name}", ttl="30m")
        with driven.driving(f"{url}?sort=waiters") as driver:
            eventually(lambda: driver.execute_script(ROWS) == ["aaa", "bbb", "ccc"], "the rows", timeout=20)
            pointer = ActionChains(driver)
            pointer.move_to_element(driver.find_element("css selector", "#rows tr:first-child a")).perform()
            server.acquire_later("ccc", wait="5m", owner="eve")
            server.acquire("ddd", owner="of ddd", ttl="30m")
            self.shows(driver, "#resort", "2 changed: sort")
            self.shows(driver, '#rows tr[data-key="ccc"] .tag', "waited for")
            self.assertEqual(driver.execute_script(ROWS), ["aaa", "bbb", "ccc"])
            pointer.move_to_element(driver.find_element("id", "resort")).click().perform()
            sorted_now = ["ccc", "aaa", "bbb", "ddd"]
            eventually(lambda: driver.execute_script(ROWS) == sorted_now, "they are sorted", timeout=20)
            self.assertFalse(driver.find_element("id", "resort").is_displayed())

    def test_all_leases_of_an_owner_end_with_the_second_press(self):
        server, url = self.begin(Server())
        for name in ("one", "two", "three"):
            server.acquire(name, owner="ann & co/<b>", ttl="30m")
        server.acquire("other", owner="eve", ttl="30m")
        with driven.driving(url) as driver:
            self.shows(driver, "#rows .who", "ann & co/<b>")
            driver.find_element("css selector", '#rows tr[data-key="one"] a.who').click()
            self.assertEqual(driver.current_url, f"{url}ui/owners/ann%20%26%20co%2F%3Cb%3E")
            self.shows(driver, "#owner-sentence", "ann & co/<b> holds 3 leases.")
            button = driver.find_element("id", "end-all")
            button.click()
            self.assertEqual(button.text, "Really end all 3 leases?")
            self.assertEqual(len(server.get("/leases")["leases"]), 4)
            driven.photograph(driver, "owner")
            self.assertEqual(driven.violations(driver), [])
            button.click()
            self.shows(driver, "#owner-sentence", "holds nothing now")
            self.assertEqual([lease["owner"] for lease in server.get("/leases")["leases"]], ["eve"])


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Away(PageTest):
    def test_a_service_that_hangs_is_said_to_where_one_looks_and_nothing_counts_on(self):
        server, url = self.begin(Server())
        server.acquire("deploy", owner="ann", ttl="30m")
        with driven.driving(f"{url}ui/locks/deploy") as driver:
            self.shows(driver, "#holders button", "End now")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                eventually(lambda: driver.find_element("id", "away").is_displayed(), "it is said", timeout=15)
                self.assertRegex(self.text(driver, "#away"), r"^No answer since \d\d:\d\d:\d\d$")
                buttons = driver.find_elements("css selector", "#holders button, #reason")
                self.assertEqual([button.is_enabled() for button in buttons], [False] * 3)
                self.assertEqual(driver.execute_script(
                    "return getComputedStyle(document.getElementById('away')).position"), "sticky")
                said = self.text(driver, "#lock-view .clock")
                time.sleep(2.1)
                self.assertEqual(self.text(driver, "#lock-view .clock"), said, "clocks stand still")
                driven.photograph(driver, "away")
                self.assertEqual(driven.violations(driver), [])
            finally:
                os.kill(server.pid, signal.SIGCONT)
            eventually(lambda: not driver.find_element("id", "away").is_displayed(), "it is back", timeout=15)
            self.assertTrue(driver.find_element("css selector", "#holders button").is_enabled())
            eventually(lambda: self.text(driver, "#lock-view .clock") != said, "clocks go on", timeout=15)

    def test_a_dead_service_leaves_the_table_to_read(self):
        server, url = self.begin(Server())
        server.acquire("deploy", owner="ann", ttl="30m")
        with driven.driving(url) as driver:
            self.shows(driver, "#rows .who", "ann")
            server.kill()
            self.shows(driver, "#away", "No answer since")
            self.assertEqual(driver.execute_script(ROWS), ["deploy"])
            held = self.text(driver, "#rows td:nth-child(4)")
            time.sleep(2.1)
            self.assertEqual(self.text(driver, "#rows td:nth-child(4)"), held)
            driven.photograph(driver, "dead")
            server.start()
            eventually(lambda: not driver.find_element("id", "away").is_displayed(), "it is back", timeout=30)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Words(PageTest):
    def test_the_sentence_names_the_program_and_the_server_says_the_same_as_the_script(self):
        server, url = self.begin(Server())
        server.over_unix.acquire("deploy", owner="ann@build", ttl="30m")
        server.acquire_later("deploy", wait="5m", owner="eve")
        server.acquire("downloads", limit=5, owner="fetch", count=3, ttl="30m")
        with open("/proc/self/comm", encoding="utf-8") as file:
            name = file.read().strip()
        with driven.driving(f"{url}ui/locks/deploy", script=False) as driver:
            plain = driver.find_element("css selector", "#plain .sentence").text
        with driven.driving(f"{url}ui/locks/deploy") as driver:
            self.shows(driver, "#sentence", "waits")
            live = self.text(driver, "#sentence")
            expected = f"deploy is held by ann@build, pid {os.getpid()} {name}, for N s; one waits, for N s."
            self.assertEqual([re.sub(r"\d+ s\b", "N s", said) for said in (plain, live)], [expected] * 2)
            for text in ("leasehold locks deploy", f"curl {url}locks/deploy", "leasehold run deploy -- command"):
                self.shows(driver, "#copies", text)
            self.shows(driver, "#facts", "one writes")
            driver.get(f"{url}ui/locks/downloads")
            self.shows(driver, "#facts", "3 of 5 slots are taken")
            driver.get(f"{url}ui/locks/no-such")
            self.shows(driver, "#sentence", "no-such is not there now")
            driver.get(url)
            self.shows(driver, '#rows tr[data-key="downloads"]', "3 of 5 slots")
            shown = driver.execute_script("return document.getElementById('locks').innerText").lower()
            for word in ("mutex", "unit", "fence"):
                self.assertNotIn(word, shown)

    def test_a_line_to_copy_does_in_a_shell_what_it_says(self):
        server, url = self.begin(Server())
        name = "it's $(touch x) `y` \"z\" \\ ü"
        server.acquire(name, owner="ann", ttl="30m")
        with driven.driving(url) as driver:
            self.shows(driver, "#rows .who", "ann")
            self.press(driver, "#rows a")
            self.shows(driver, "#copies code", "break")
            lines = self.text(driver, "#copies code").split("|")
            for line, part in ((lines[0], "ann"), (lines[2], "broke the lease")):
                line = f"{os.path.abspath(PROGRAM)} {line.removeprefix('leasehold ')} --url unix:{server.unix}"
                said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
                self.assertIn(part, said.stdout, said)


if __name__ == "__main__":
    unittest.main()
