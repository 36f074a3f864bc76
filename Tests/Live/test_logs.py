"""What the daemon writes to standard error."""

import datetime
import json
import os
import re
import subprocess
import time
import unittest
import unittest.mock

import harness
from delays import soon
from harness import eventually


class Journal(unittest.TestCase):
    """systemd tells a service by JOURNAL_STREAM that its standard error is the journal (systemd.exec(5))."""

    def lines(self, *options, stream):
        """The lines of a daemon's whole life; `stream` makes JOURNAL_STREAM of the status of its standard error."""
        server = harness.Server("--log-level", "debug", *options).ends_with(self)
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        status = os.fstat(write_end)
        environment = {**os.environ, "JOURNAL_STREAM": stream(status)}
        server.process = subprocess.Popen(
            server.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write_end, env=environment)
        os.close(write_end)
        harness._started.append(server.process)
        server.wait_ready()
        self.assertEqual(server.terminate(), 0)
        with os.fdopen(os.dup(read_end), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertGreaterEqual(len(lines), 2, lines)
        return lines

    @staticmethod
    def own(status):
        return f"{status.st_dev}:{status.st_ino}"

    @staticmethod
    def other(status):
        return f"{status.st_dev}:{status.st_ino + 1}"

    def test_plain_lines_have_a_priority_and_no_time(self):
        for line in self.lines(stream=self.own):
            self.assertRegex(line, r"^<[2-7]>(?!\d{4}-)")

    def test_json_lines_have_a_priority_before_the_object(self):
        priorities = {"debug": 7, "info": 6, "notice": 5, "warning": 4, "error": 3}
        for line in self.lines("--log-format", "json", stream=self.own):
            match = re.match(r"^<([2-7])>(\{.*\})$", line)
            self.assertTrue(match, line)
            self.assertEqual(int(match[1]), priorities[json.loads(match[2])["level"]], line)

    def test_the_time_is_that_of_the_answers_also_where_the_zone_counts_leap_seconds(self):
        if not os.path.exists("/usr/share/zoneinfo/right/UTC"):
            self.skipTest("there are no zones with leap seconds")
        with unittest.mock.patch.dict(os.environ, TZ="right/UTC"):
            line = self.lines(stream=self.other)[-1]
        told = datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00"))
        self.assertLess(abs(told.timestamp() - time.time()), 10, line)

    def test_another_file_than_the_journal_gets_no_priority(self):
        for line in self.lines(stream=self.other):
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT")
        for line in self.lines("--log-format", "json", stream=self.other):
            self.assertIn("time", json.loads(line))


class Lines(unittest.TestCase):
    def serve(self, *options):
        return harness.Server(*options).ends_with(self).start()

    def test_numbers_and_booleans_are_such_in_every_json_line(self):
        server = self.serve("--log-format", "json", "--log-level", "debug", "--slow-wait", "0s",
                            "--max-waiters-per-caller", "1")
        short = server.acquire("short", ttl=soon(100), owner="17").json
        waiter = server.over_unix.acquire_later("short")
        self.assertEqual(server.over_unix.acquire("short", wait="5s").status, 429)
        waiter = waiter.answer().json
        self.assertEqual(server.post(f"/leases/{waiter['ref']}/break", after="0s").status, 200)
        kept = server.acquire("kept", ttl="60s").json
        self.assertEqual(subprocess.run(["ipcrm", "-s", str(kept["sysv"]["id"])]).returncode, 0)
        messages = lambda: {json.loads(line)["message"] for line in server.log_text().splitlines()}
        eventually(lambda: "a semaphore set was removed" in messages(), "the removed set being told of")
        server.process.terminate()
        server.process.wait(harness.PATIENCE)
        told = {"serving", "waited for a lock", "refused", "an operator ends a lease", "a lease ended", "stopped"}
        self.assertLessEqual(told, messages())
        names = {"lock", "owner", "ref", "holder_ref", "holder_owner", "request_id", "time"}  # may look like anything
        for line in map(json.loads, server.log_text().splitlines()):
            for name, value in line.items():
                if isinstance(value, str) and name not in names:
                    self.assertNotRegex(value, r"^(-?\d+(\.\d+)?|true|false)$", line)
            if line["message"] == "serving":
                self.assertEqual((line["port"], line["leases"], line["locks"]), (server.port, 0, 0))
            if line["message"] == "a lease ended" and line["ref"] == short["ref"]:
                self.assertEqual(line["owner"], "17")

    def test_a_removed_set_is_one_warning_with_how_many_leases_it_took_along(self):
        server = self.serve()
        leases = [server.acquire(f"job {number}", ttl="60s").json for number in range(3)]
        self.assertEqual(subprocess.run(["ipcrm", "-s", str(leases[0]["sysv"]["id"])]).returncode, 0)
        for lease in leases:
            eventually(lambda lease=lease: server.get("/leases/" + lease["lease"]).status == 410, "the lease's end")
        told = lambda: [line for line in server.log_text().splitlines() if "semaphore set was removed" in line]
        eventually(told, "the line")
        self.assertEqual(len(told()), 1, told())
        self.assertRegex(told()[0], r" warning .* leases_ended=3 ")


class StateDirectory(unittest.TestCase):
    def refusal(self, folder):
        server = harness.Server("--state-dir", folder).ends_with(self).spawn()
        self.assertEqual(server.process.wait(harness.PATIENCE), 78, server.log_text())
        return server.log_text()

    def test_a_folder_or_mark_that_cannot_be_used_is_refused_by_name(self):
        server = harness.Server().ends_with(self)
        folder = server.directory + "/state"
        os.mkdir(folder, 0o755)
        self.assertIn(folder + "/missing", self.refusal(folder + "/missing"))
        for text, mode in (("9223372036854775807\n", 0o600), ("", 0o600), ("7\n", 0o666)):
            with open(folder + "/fence", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(folder + "/fence", mode)
            said = self.refusal(folder)
            self.assertIn(folder + "/fence", said)
            self.assertIn("emove it", said)


if __name__ == "__main__":
    unittest.main()
