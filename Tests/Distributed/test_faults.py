"""A short run of faults.py: some seconds a fault."""

import os
import random
import unittest

import faults
import rig
from cluster import ETCD, for_each_etcd

WANTED = [what for what in faults.FAULTS if what not in ("none", "leader-stop")]
SECONDS = float(os.environ.get("LEASEHOLD_SECONDS", "4"))


class Faults(unittest.TestCase):
    program = ETCD

    def test_no_fault_gives_a_lock_twice(self):
        if not self.program:
            self.skipTest("there is no etcd: apt-get install etcd-server")
        if reason := rig.why_not():
            self.skipTest(reason)
        seed = int(os.environ.get("LEASEHOLD_SEED", random.randrange(1 << 20)))
        self.assertEqual(faults.run(self.program, WANTED, SECONDS, seed), [], f"seed {seed}")


load_tests = for_each_etcd(Faults)

if __name__ == "__main__":
    unittest.main(verbosity=2)
