"""Leases whose process is stopped before their slots go on: stop=term, on the Unix socket."""

import os
import signal
import subprocess
import sys
import time
import unittest

from processes import ProcessTest
from users import AS_NOBODY, needs_nobody

# Says what it gets; ends at TERM unless it is to ignore that.
LISTENER = """
import signal, sys, time
def term(*_):
    print("term", flush=True)
    if sys.argv[1] == "polite":
        sys.exit(0)
signal.signal(signal.SIGTERM, term)
print("ready", flush=True)
while True:
    time.sleep(600)
"""


class StopTest(ProcessTest):
    def listener(self, manner, *prefix):
        process = subprocess.Popen([*prefix, sys.executable, "-c", LISTENER, manner], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.bury, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def stopped(self, process, key=None, ttl="1s", grace="300ms", **more):
        lease = self.granted(self.server.over_unix.acquire(
            key or self.key(), bind=f"pid:{process.pid}", stop="term", grace=grace, ttl=ttl, **more))
        self.assertEqual(lease["stop"], "term")
        return lease


class Stops(StopTest):
    def test_the_lock_goes_on_when_the_process_is_gone(self):
        process = self.listener("stubborn")
        lease = self.stopped(process)
        self.assertEqual((lease["grace_ms"], lease["cooldown_ms"]), (300, 0))
        self.assertEqual(self.server.lock(self.key())["holders"][0]["stop"], "term")
        waiter = self.server.acquire_later(self.key())
        self.assertEqual(process.stdout.readline(), "term\n")
        self.granted(waiter.answer())
        self.assertEqual(process.poll(), -signal.SIGKILL)  # it was gone before
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason="ttl")

    def test_one_that_ends_at_term_hands_the_lock_on_before_the_deadline(self):
        process = self.listener("polite")
        self.stopped(process, ttl="60s", grace="29s", wait="1s")
        begun = time.monotonic()
        self.granted(self.server.post(f"/leases/{self.server.lock(self.key())['holders'][0]['ref']}/break",
                                      after="40s"), 200)
        self.assertEqual(process.stdout.readline(), "term\n")
        self.granted(self.server.acquire(self.key(), wait="30s", timeout=40))
        self.assertLess(time.monotonic() - begun, 20)
        self.assertEqual(process.wait(10), 0)

    def test_one_that_is_stopped_by_a_signal_is_killed_too(self):
        process = self.listener("stubborn")
        self.stopped(process)
        process.send_signal(signal.SIGSTOP)
        waiter = self.server.acquire_later(self.key())
        self.granted(waiter.answer())
        self.assertEqual(process.poll(), -signal.SIGKILL)

    def test_children_get_no_signal(self):
        process = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.bury, process)
        child = int(process.stdout.readline())
        self.stopped(process)
        self.granted(self.server.acquire(self.key(), wait="20s", timeout=30))
        os.kill(child, 0)
        os.kill(child, signal.SIGKILL)

    def test_the_event(self):
        process = self.listener("polite")
        lease = self.stopped(process)
        process.wait(20)
        self.over(lease)
        text = self.server.get("/events", key=self.key(), since="oldest", wait=0, kind="stopping").text
        self.assertIn(f'"ref":"{lease["ref"]}"', text)
        self.assertRegex(self.server.get("/metrics").text, r'leasehold_stops_total\{signal="TERM"\} [1-9]')

    def test_lists_and_refusals_say_that_it_is_stopped(self):
        process = self.listener("stubborn")
        self.stopped(process, ttl="60s", grace="10s")
        ref = self.server.lock(self.key())["holders"][0]["ref"]
        self.granted(self.server.post(f"/leases/{ref}/break", after="40s"), 200)
        self.assertEqual(process.stdout.readline(), "term\n")
        problem = self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        for holders in (problem["holders"], self.server.lock(self.key())["holders"]):
            self.assertEqual((holders[0]["state"], holders[0]["stopping"]), ("held", True))


class Refusals(StopTest):
    def test_what_cannot_be_stopped(self):
        process = self.sleeper()
        pid = f"pid:{process.pid}"
        for query, parameter in (
                ({"bind": pid, "stop": "kill"}, "stop"), ({"bind": pid, "grace": "1s"}, "grace"),
                ({"bind": "connection", "stop": "term"}, "stop"), ({"stop": "term"}, "stop"),
                ({"bind": "cgroup", "stop": "term"}, "stop"),
                ({"bind": pid, "stop": "term", "cooldown": "1s"}, "stop"),
                ({"bind": pid, "stop": "term", "hold_at_least": "1s"}, "stop")):
            with self.subTest(query):
                self.assertProblem(
                    self.server.over_unix.acquire(self.key(), **query), 400, "invalid-parameter", parameter=parameter)
        self.assertProblem(
            self.server.over_unix.acquire(self.key(), bind=pid, stop="term", grace="1ms"), 400, "out-of-range",
            parameter="grace")
        problem = self.assertProblem(
            self.server.acquire(self.key(), bind=pid, stop="term"), 400, "invalid-parameter", parameter="bind")
        self.assertIn("Unix socket", problem["detail"])

    @needs_nobody
    def test_only_who_could_send_the_signal_may_have_it_sent(self):
        os.chmod(self.server.unix, 0o666)
        roots = self.client(self.key(), f"pid:{os.getpid()}&stop=term", prefix=AS_NOBODY)
        self.assertEqual(roots.status, 403, roots.text)
        own = self.client(self.key(), "pid:SELF&stop=term", prefix=AS_NOBODY)
        self.assertEqual(own.status, 201, own.text)
        self.assertIn('"stop":"term"', own.text)
        # A root that may not kill could not do it itself.
        nobodys = self.sleeper(*AS_NOBODY)
        bind = f"pid:{nobodys.pid}&stop=term"
        weak = self.client(self.key("weak"), bind, prefix=("setpriv", "--bounding-set=-kill", "--inh-caps=-kill"))
        self.assertEqual(weak.status, 403, weak.text)
        strong = self.client(self.key("strong"), bind)
        self.assertEqual(strong.status, 201, strong.text)

    @needs_nobody
    def test_a_service_that_may_not_kill_says_so(self):
        server = type(self.server)(prefix=AS_NOBODY).ends_with(self).start()
        process = self.sleeper()
        problem = self.assertProblem(
            server.over_unix.acquire(self.key(), bind=f"pid:{process.pid}", stop="term"), 403, "permission-denied",
            parameter="stop", errno="EPERM")
        self.assertIn("CAP_KILL", problem["detail"])
        self.assertIsNone(process.poll())


class Restarts(StopTest):
    arguments = ("--recovery-grace", "200ms")

    def test_after_a_kill_of_the_service_term_comes_first_and_the_whole_grace(self):
        process = self.listener("stubborn")
        lease = self.stopped(process, ttl="1s", grace="500ms")
        self.server.kill()
        time.sleep(1.2)
        self.assertIsNone(process.poll())
        begun = time.monotonic()
        self.server.start()
        waiter = self.server.acquire_later(self.key())
        self.granted(waiter.answer())
        self.assertGreater(time.monotonic() - begun, 0.5)
        self.assertEqual(process.wait(10), -signal.SIGKILL)
        self.assertIn("term\n", process.stdout.read())
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 410)


if __name__ == "__main__":
    unittest.main()
