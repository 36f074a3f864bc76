"""What becomes of command, lease and status when something dies: the table in docs/cli.md is what was seen here."""

import os
import signal
import time
import unittest

from support import ROOT, CliTest, Server, Ticker, eventually

with open(os.path.join(ROOT, "docs", "cli.md"), encoding="utf-8") as page:
    PAGE = page.read()


class Table(CliTest):
    def seen(self, event, command, lease, status):
        """The row of this outcome must stand in the documentation."""
        self.assertIn(f"| {event} | {command} | {lease} | {status} |", PAGE)


class OfRunItself(Table):
    def test_kill_9_of_run_kills_the_command_and_then_frees_the_lock(self):
        for family in (False, True):
            with self.subTest(family=family):
                ticker = Ticker(self, "--ttl", "60s", polite=False, family=family, key=self.key(f"-{family}"))
                waiter = self.server.acquire_later(ticker.key)
                ticker.process.kill()
                self.assertEqual(ticker.wait(), -signal.SIGKILL)
                granted = self.granted(waiter.answer())
                # The fence is no clock: what counts is that nothing ran any more when the next holder was told.
                self.assertTrue(ticker.is_over())
                self.assertLess(ticker.last(), granted["deadline_monotonic_ns"] - granted["ttl_ms"] * 1_000_000)
                self.assertIsNone(ticker.child)
        self.seen("`kill -9` of `leasehold run`", "killed, and all of its process group", "given back right after",
                  "137, as the shell sees it")

    def test_kill_9_of_run_and_guard_leaves_the_lease_to_the_clock(self):
        ticker = Ticker(self, "--ttl", "2s", polite=False)
        # At once: one that is killed alone is replaced.
        ticker.process.send_signal(signal.SIGSTOP)
        for guard in self.guards(ticker.process.pid):
            os.kill(guard, signal.SIGKILL)
        ticker.process.kill()
        ticker.wait()
        eventually(ticker.is_over, "the kernel kills the command")
        self.assertTrue(self.holders(ticker.key))
        eventually(lambda: not self.holders(ticker.key), "the ttl ends the lease")
        self.seen("`kill -9` of `leasehold run` and of its guard at once", "killed", "ends with its ttl",
                  "137, as the shell sees it")

    def test_a_run_that_is_stopped_cannot_renew_and_the_guard_kills_the_command(self):
        ticker = Ticker(self, "--ttl", "1s", polite=False)
        deadline = self.server.lock(ticker.key)["holders"][0]["expires_in_ms"]
        self.assertLessEqual(deadline, 1000)
        ticker.process.send_signal(signal.SIGSTOP)
        waiter = self.server.acquire_later(ticker.key)
        granted = self.granted(waiter.answer())
        self.assertLess(ticker.last(), granted["deadline_monotonic_ns"] - granted["ttl_ms"] * 1_000_000)
        ticker.process.send_signal(signal.SIGCONT)
        self.assertEqual(ticker.wait(), 70)
        self.seen("`kill -STOP` of `leasehold run`", "killed just before the deadline", "ends with its ttl",
                  "70, once continued")

    @staticmethod
    def guards(parent):
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii") as file:
                    stat = file.read()
            except OSError:
                continue
            name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
            if name == "leasehold-guard" and int(rest[1]) == parent:
                found.append(int(entry))
        return found


class OfTheCommand(Table):
    def test_kill_9_of_the_command_gives_the_lock_back(self):
        ticker = Ticker(self)
        ticker.kill_command()
        self.assertEqual(ticker.wait(), 137)
        self.assertEqual(self.holders(ticker.key), [])
        self.assertEqual(ticker.error(), "")
        self.seen("`kill -9` of the command", "dead", "given back", "137")

    def test_an_interrupt_is_passed_on_and_the_command_decides(self):
        ticker = Ticker(self)
        for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGHUP, "SIGHUP"), (signal.SIGUSR1, "SIGUSR1"),
                             (signal.SIGUSR2, "SIGUSR2"), (signal.SIGQUIT, "SIGQUIT"),
                             (signal.SIGWINCH, "SIGWINCH")):
            ticker.process.send_signal(number)
            eventually(lambda name=name: name in ticker.signals(), f"the command gets {name}")
        self.assertTrue(self.holders(ticker.key))
        ticker.process.send_signal(signal.SIGTERM)
        self.assertEqual(ticker.wait(), 5)
        self.assertEqual(self.holders(ticker.key), [])
        self.seen("Ctrl-C, or INT, TERM, HUP, QUIT, USR1, USR2, WINCH sent to `leasehold run`", "gets the signal",
                  "given back when the command ends", "the command's; 130 when INT ended it")

    def test_a_command_that_an_interrupt_ends_is_130(self):
        process = self.begin("run", self.key(), "--", "sleep", "60")
        eventually(lambda: self.holders(self.key()), "the lock is held")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 130)
        self.assertEqual(self.holders(self.key()), [])


class OfTheLease(Table):
    def test_a_lease_that_somebody_releases_stops_the_command(self):
        for polite in (True, False):
            with self.subTest(polite=polite):
                ticker = Ticker(self, "--ttl", "900ms", "--grace", "200ms", polite=polite, key=self.key(f"-{polite}"))
                answer = self.server.delete("/leases", owner=self.holders(ticker.key)[0]["owner"])
                self.assertEqual(answer["released"], 1)
                self.assertEqual(ticker.wait(), 70)
                self.assertIn("SIGTERM", ticker.signals())
                self.assertIn("the lease is lost", ticker.error())
        self.seen("the lease is released or broken by another caller",
                  "TERM at the next renewal (a third of the ttl at most), KILL after the grace", "was lost", "70")

    def test_a_lock_that_is_removed_stops_the_command(self):
        ticker = Ticker(self, "--ttl", "900ms", "--grace", "200ms")
        self.assertEqual(self.server.delete(f"/locks/{ticker.key}", force="true").status, 200)
        self.assertEqual(ticker.wait(), 70)
        self.assertIn("SIGTERM", ticker.signals())
        self.seen("the lock is removed by force", "as above", "was lost", "70")

    def test_a_command_that_ends_before_the_loss_is_noticed_is_70_too(self):
        process = self.begin("run", self.key(), "--", "sh", "-c", "read line; exit 0", stdin=-1, stderr=-1, text=True)
        eventually(lambda: self.holders(self.key()), "the lock is held")
        self.server.delete(f"/locks/{self.key()}", force="true")
        process.stdin.write("go\n")
        process.stdin.flush()
        self.assertEqual(process.wait(20), 70)
        self.assertIn("had lost its lease", process.stderr.read())
        self.seen("the lease is lost, and the command ends before that is noticed", "ended by itself", "was lost", "70")


class OfTheDaemon(Table):
    def setUp(self):
        # One of its own, to kill.
        self.mine = Server("--recovery-grace", "500ms").ends_with(self).start()
        self.url = f"unix:{self.mine.unix}"

    def test_a_daemon_that_is_back_in_time_does_not_matter(self):
        ticker = Ticker(self, "--ttl", "4s", "--grace", "100ms", url=self.url)
        # Right after a renewal: TERM comes 3.87 s after the last, and the daemon needs some of them for its start.
        holder = eventually(lambda: self.fresh(ticker.key), "a renewal")
        self.mine.kill()
        killed = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        time.sleep(1.5)  # longer than a third of the ttl, so that a renewal fails
        self.mine.start()
        eventually(lambda: ticker.last() > killed + 4_000_000_000, "the command lives on, past the old deadline")
        self.assertEqual(self.mine.lock(ticker.key)["holders"][0]["ref"], holder["ref"])
        self.assertEqual(ticker.signals(), [])
        ticker.process.send_signal(signal.SIGTERM)
        self.assertEqual(ticker.wait(), 5)
        self.assertEqual(self.mine.lock(ticker.key)["holders"], [])
        self.seen("`kill -9` of the daemon, which is back before it is time for TERM", "goes on", "goes on",
                  "the command's")

    def fresh(self, key):
        """The holder, if it was renewed within 400 ms."""
        [holder] = self.mine.lock(key)["holders"]
        return holder if holder["expires_in_ms"] > 3600 else None

    def test_without_a_daemon_the_command_is_stopped_before_the_deadline(self):
        for polite in (True, False):
            with self.subTest(polite=polite):
                ticker = Ticker(self, "--ttl", "2s", polite=polite, url=self.url, key=self.key(f"-{polite}"))
                self.mine.kill()
                killed = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                self.assertEqual(ticker.wait(), 70)
                # The last renewal was before the kill, so the deadline is at most a ttl after it.
                self.assertLess(ticker.last(), killed + 2_000_000_000)
                self.assertIn("SIGTERM", ticker.signals())
                self.assertIn("did not renew", ticker.error())
                self.mine.start()
        self.seen("`kill -9` of the daemon, which does not come back",
                  "TERM, and KILL after the grace, before the deadline", "ends with its ttl", "70")

    def test_a_waiter_stays_a_waiter_when_the_daemon_is_restarted(self):
        ticker = Ticker(self, "--ttl", "5s", url=self.url)
        waiting = self.begin("run", ticker.key, "--", "true", url=self.url)
        eventually(lambda: self.mine.waiting(ticker.key) == 1, "it waits")
        self.mine.kill()
        self.mine.start()
        eventually(lambda: self.mine.waiting(ticker.key) == 1, "it waits again")
        ticker.process.send_signal(signal.SIGTERM)
        self.assertEqual(ticker.wait(), 5)
        self.assertEqual(waiting.wait(20), 0)
        self.seen("`kill -9` of the daemon while `leasehold run` waits for the lock, back within 10 s",
                  "starts when the lock is free", "the place in the queue is a new one", "the command's")


if __name__ == "__main__":
    unittest.main()
