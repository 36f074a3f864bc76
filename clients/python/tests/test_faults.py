"""A short run of seeded faults, and that its judge sees what it should."""

import unittest

import faults


class Faults(unittest.TestCase):
    def test_nobody_says_held_after_somebody_else_got_it(self):
        found, leases = faults.main(["--faults", "120"])
        self.assertEqual(found, 0)
        self.assertGreater(leases, 0)

    def test_the_judge_sees_two_at_once(self):
        notes = [("0", "1", "0.0", "2.0", "-"), ("0", "2", "1.5", "3.0", "-"), ("1", "1", "0.0", "9.0", "-")]
        self.assertEqual(len(list(faults.violations(notes))), 1)
        self.assertEqual(list(faults.violations([("0", "1", "0.0", "1.0", "-"), ("0", "2", "1.5", "3.0", "-")])), [])


if __name__ == "__main__":
    unittest.main()
