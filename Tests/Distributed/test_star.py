"""Several hosts and one service: the lines of docs/several-hosts.md, and a short run of star.py. Hosts are network
namespaces; where there are none, all but the checker is skipped."""

import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

import history
import rig
import star
from history import Held

PAGE = os.path.join(rig.ROOT, "docs", "several-hosts.md")
BLOCK = re.compile(r"^<!-- on: (\S+?)(, goes on)? -->\n```(bash|python)\n(.*?)^```", re.S | re.M)


class Checker(unittest.TestCase):
    capacity = {"one": 1, "two": 2}

    def found(self, *held):
        return len(history.violations([Held(*entry) for entry in held], self.capacity))

    def test_who_comes_after_the_other_has_ended_is_right(self):
        beside = [("two", 1, 0, 9, 1), ("two", 1, 0, 9, 2)]
        self.assertEqual(self.found(("one", 1, 0, 1, 7), ("one", 1, 1, 2, 8), *beside), 0)

    def test_two_holders_of_a_lock_for_one_are_found(self):
        self.assertEqual(self.found(("one", 1, 0, 1, 7), ("one", 1, 0.9, 2, 8)), 1)

    def test_more_units_than_there_are_are_found(self):
        self.assertEqual(self.found(("two", 2, 0, 1, 7), ("two", 1, 0.5, 2, 8)), 1)

    def test_a_fence_that_does_not_grow_is_found(self):
        self.assertEqual(self.found(("one", 1, 0, 1, 7), ("one", 1, 1, 2, 7)), 1)


class SeveralHosts(unittest.TestCase):
    def setUp(self):
        if reason := rig.why_not():
            self.skipTest(reason)

    def test_the_lines_of_the_page_set_it_up(self):
        with open(PAGE, encoding="utf-8") as file:
            blocks = BLOCK.findall(file.read())
        self.assertEqual([block[0] for block in blocks], ["locks.example", "locks.example", "web1", "web2"])
        hosts = {name: rig.Host(number) for number, name in enumerate(["locks.example", "web1", "web2"], 1)}
        for host in hosts.values():
            self.addCleanup(host.remove)
        rig.names({name: host.address for name, host in hosts.items()})
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        address = {"LEASEHOLD_URL": "https://locks.example:31818", "LEASEHOLD_CACERT": "locks.pem"}
        environment = {**os.environ, "PATH": f"{rig.COMMANDS}:{os.environ['PATH']}",
                       "PYTHONPATH": os.path.join(rig.ROOT, "clients", "python", "src")}
        said = ""
        for name, goes_on, language, text in blocks:
            command = hosts[name].inside([sys.executable, "-c", text] if language == "python"
                                         else ["bash", "-euo", "pipefail", "-c", text])
            if goes_on:
                service = subprocess.Popen(command, cwd=folder.name, env=environment, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
                self.addCleanup(service.wait, 20)
                self.addCleanup(service.terminate)
                url, trusted = "https://locks.example:31818/healthz", os.path.join(folder.name, "locks.pem")
                rig.eventually(lambda: subprocess.run(["curl", "-fs", "--cacert", trusted, url], check=False,
                                                      capture_output=True).returncode == 0, "the service answers")
                continue
            if language == "python":
                with open(os.path.join(folder.name, f"{name}.token"), encoding="ascii") as file:
                    environment.update(address, LEASEHOLD_TOKEN=file.read().strip())
            ran = subprocess.run(command, cwd=folder.name, env=environment, capture_output=True, text=True, timeout=60,
                                 check=False)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""), text)
            said += ran.stdout
        expected = r"^the backup runs here, and nowhere else\n\{\"lease\".*\}\s*web2 deploys with fence \d+\n$"
        self.assertRegex(said, expected)

    def test_nobody_acts_while_others_have_the_lock(self):
        seed = int(os.environ.get("LEASEHOLD_SEED", random.randrange(1 << 20)))
        run = star.Star(seed)
        self.addCleanup(run.close)
        run.run(14)
        print(f"{len(run.held)} holders, faults {dict(run.faults)}, {dict(run.told)}, seed {seed}", flush=True)
        self.assertEqual(run.violations(), [], f"seed {seed}")
        self.assertEqual(set(run.faults), set(star.FAULTS))
        self.assertGreater(len(run.held), 5, f"seed {seed}")
        rig.eventually(lambda: run.left() == 0, "nothing is left")


if __name__ == "__main__":
    unittest.main(verbosity=2)
