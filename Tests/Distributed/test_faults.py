"""A short run of faults.py: some seconds a fault, with the first etcd that is there."""

import os
import random
import unittest

import faults
import rig
from cluster import ETCD

WANTED = [what for what in faults.FAULTS if what not in ("none", "leader-stop")]
SECONDS = float(os.environ.get("LEASEHOLD_SECONDS", "4"))


class Faults(unittest.TestCase):
    def test_no_fault_gives_a_lock_twice(self):
        if not ETCD:
            self.skipTest("there is no etcd: apt-get install etcd-server")
        if reason := rig.why_not():
            self.skipTest(reason)
        seed = int(os.environ.get("LEASEHOLD_SEED", random.randrange(1 << 20)))
        self.assertEqual(faults.run(ETCD, WANTED, SECONDS, seed), [], f"seed {seed}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
