"""What holders say of themselves, and how much their processes do."""

import os
import re
import signal
import subprocess
import sys
import unittest

from harness import LiveTest, eventually
from processes import ProcessTest


class Notes(LiveTest):
    def note(self, lease, text, **more):
        return self.server.request("PUT", f"/leases/{lease['lease']}/note", note=text, **more)

    def shown(self):
        return [holder.get("note") for holder in self.server.lock(self.key())["holders"]]

    def test_everybody_reads_what_a_holder_says(self):
        lease = self.granted(self.server.acquire(self.key(), note="http://10.0.0.1:8080"))
        self.assertEqual(lease["note"], "http://10.0.0.1:8080")
        for text in ("step 3 of 5", "größer \u202e <b>"):
            self.assertEqual(self.granted(self.note(lease, text), 200)["note"], text)
            self.assertEqual(self.shown(), [text])
        problem = self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        self.assertEqual(problem["holders"][0]["note"], text)
        listed = self.server.get("/leases", key=self.key()).json["leases"]
        self.assertEqual([one["note"] for one in listed], [text])
        page = self.server.get(f"/ui/locks/{self.key()}").text
        self.assertIn("größer \\u{202e} &lt;b&gt;", page)
        self.assertNotIn("<b>größer", page)

    def test_a_renewal_may_bring_a_note(self):
        lease = self.granted(self.server.acquire(self.key()))
        self.assertNotIn("note", lease)
        renewed = self.server.post(f"/leases/{lease['lease']}/renew", ttl="1m", note="half")
        self.assertEqual((renewed["note"], renewed["ttl_ms"]), ("half", 60000))
        self.assertEqual(self.server.post(f"/locks/{self.key()}/renew", lease=lease["lease"])["note"], "half")
        renewed = self.server.json_post(f"/locks/{self.key()}/renew", {"lease": lease["lease"], "note": ""})
        self.assertNotIn("note", self.granted(renewed, 200))
        self.assertEqual(self.shown(), [None])

    def test_a_change_is_an_event(self):
        lease = self.granted(self.server.acquire(self.key(), note="one"))

        def events():
            answer = self.server.get("/events", key=self.key(), since="oldest", wait=0, kind="noted").text
            return re.findall(r'"note":("[^"]*"|null)', answer)

        eventually(lambda: events() == ['"one"'], "the first note is told")
        self.granted(self.note(lease, ""), 200)
        eventually(lambda: events() == ['"one"', "null"], "that it was cleared is told")

    def test_what_is_no_note(self):
        lease = self.granted(self.server.acquire(self.key()))
        self.assertProblem(self.note(lease, "x" * 129), 400, "out-of-range", parameter="note", maximum=128)
        self.assertProblem(self.note(lease, "a\nb"), 400, "invalid-parameter", parameter="note")
        self.assertProblem(
            self.server.request("PUT", f"/leases/{lease['lease']}/note"), 400, "missing-parameter", parameter="note")
        self.assertEqual(self.note(lease, "x" * 128).status, 200)
        self.server.release(lease)
        self.assertProblem(self.note(lease, "over"), 410, "released")


class CPUTime(ProcessTest):
    def used(self):
        return self.server.lock(self.key())["holders"][0].get("cpu_ms")

    def test_a_holder_that_sleeps_uses_none(self):
        process = self.sleeper()
        self.bound(process.pid)
        self.assertEqual(self.used(), 0)
        listed = self.server.get("/leases", key=self.key()).json["leases"]
        self.assertEqual([one["cpu_ms"] for one in listed], [0])
        self.assertNotIn("cpu_ms", self.server.get(f"/leases/{self.bound(process.pid, self.key('-2'))['lease']}").json)

    def test_what_its_children_do_is_its_own(self):
        script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
        process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(os.killpg, process.pid, signal.SIGKILL)  # its child, too
        self.bound(process.pid)
        eventually(lambda: (self.used() or 0) >= 200, "its child's CPU time is told")
        self.assertRegex(self.server.get(f"/ui/locks/{self.key()}").text, r"held by|of CPU")

    def test_what_is_bound_to_nothing_has_none(self):
        self.granted(self.server.acquire(self.key()))
        self.assertIsNone(self.used())

    def test_what_it_used_before_does_not_count(self):
        script = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
        script += "print(1, flush=True)\ntime.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.bury, process)
        process.stdout.readline()
        self.bound(process.pid)
        self.assertLess(self.used(), 400)


if __name__ == "__main__":
    unittest.main()
