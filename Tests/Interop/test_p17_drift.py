# Rows: P17 H28
"""Values that natives write, or remove, under a lease: an event, a metric, a log line, and no slot too many."""

import subprocess
import unittest

from followed import counted, told
from ipc_semaphore import BothSides, Perl, eventually, next_second, proc_sets


class Written(BothSides):
    def drift(self, key, kind, units):
        """It is told once, everywhere."""
        eventually(lambda: told(self.server, "drift", key), "the drift is found")
        [event] = told(self.server, "drift", key)
        self.assertEqual((event["reason"], event["units"]), (kind, units), event)
        self.assertGreaterEqual(counted(self.server, f'leasehold_drift_total{{kind="{kind}"}}'), 1)
        eventually(lambda: f"key={key}" in self.server.log_text() or f'"{key}"' in self.server.log_text(), "a log line")

    def broken(self, lease):
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "rewritten", reason="rewritten")
        self.assertProblem(self.server.release(lease), 410, "rewritten")

    def test_setval_under_a_lease_on_a_set_of_others_breaks_it(self):
        made = self.make(values=[2])
        key = f"sysv:id:{made}.0"
        next_second(proc_sets()[made]["ctime"])  # the kernel counts whole seconds
        lease = self.granted(self.server.acquire(key))
        self.assertEqual(Perl(self).use(made).ask("defined $sem->setval(0, 2) ? 1 : undef"), "ok 1")
        self.drift(key, "rewritten", 1)
        self.broken(lease)
        self.assertEqual([event["ref"] for event in told(self.server, "broken", key)], [lease["ref"]])
        self.assertEqual(self.values(made), [2])

    def test_setval_under_operations_with_undo_forgets_them_as_it_does_a_processs(self):
        made = self.make(values=[2])
        next_second(proc_sets()[made]["ctime"])
        process = Perl(self).use(made)
        self.assertEqual(process.ask("$sem->op(0, -1, SEM_UNDO) || undef"), "ok 1")
        lease = self.granted(self.op(made, (0, -1, "undo"), ttl="60s"))
        self.assertEqual(Perl(self).use(made).ask("defined $sem->setval(0, 5) ? 1 : undef"), "ok 1")
        process.kill()
        self.broken(lease)  # a look at the lease is enough
        self.assertEqual(self.values(made), [5])

    def test_a_new_mode_is_no_write(self):
        made = self.make(values=[2])
        key = f"sysv:id:{made}.0"
        next_second(proc_sets()[made]["ctime"])
        lease = self.granted(self.server.acquire(key))
        self.assertRegex(Perl(self).use(made).ask("$sem->set(mode => 0640) ? 1 : undef"), "ok")
        self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
        self.granted(self.server.release(lease), 200)
        self.assertEqual((self.values(made), told(self.server, "drift", key)), ([2], []))

    def test_ipc_set_and_operations_between_two_looks_are_no_write(self):
        """As Log4perl does: it sets owner and mode at its start, and takes and gives at once."""
        made = self.make(values=[3])
        key = f"sysv:id:{made}.0"
        perl, other = Perl(self).use(made), Perl(self).use(made)
        for number, mode in enumerate(("0666", "0660")):
            next_second(proc_sets()[made]["ctime"])
            lease = self.granted(self.server.acquire(key))
            self.assertEqual(other.ask("$sem->op(0, -1, 0) || undef"), "ok 1")
            asked = f"(defined $sem->set(mode => {mode}) && $sem->op(0, -1, 0) && $sem->op(0, 1, 0)) ? 1 : undef"
            self.assertEqual(perl.ask(asked), "ok 1")
            self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
            self.assertEqual(other.ask("$sem->op(0, 1, 0) || undef"), "ok 1")
            self.granted(self.server.release(lease), 200)
            self.assertEqual((self.values(made), told(self.server, "drift", key)), ([3], []), number)

    def test_a_write_beside_operations_and_a_mode_never_leads_to_more_leases_than_slots(self):
        made = self.make(values=[2])
        key = f"sysv:id:{made}.0"
        next_second(proc_sets()[made]["ctime"])
        lease = self.granted(self.server.acquire(key))
        perl = Perl(self).use(made)
        asked = "(defined $sem->set(mode => 0640) && $sem->op(0, -1, 0) && defined $sem->setval(0, 2)) ? 1 : undef"
        self.assertEqual(perl.ask(asked), "ok 1")
        self.assertEqual([self.server.acquire(key).status for _ in range(3)], [201, 201, 423])
        self.broken(lease)

    def test_a_raised_value_of_an_own_lock_is_put_right(self):
        lease = self.granted(self.server.acquire("own", limit=3))
        place = lease["sysv"]["semaphores"][0]
        perl = Perl(self).use(lease["sysv"]["id"])
        self.assertEqual(perl.ask(f"defined $sem->setval({place}, 9) ? 1 : undef"), "ok 1")
        self.drift("own", "surplus", 7)
        self.assertEqual(perl.value(f"$sem->getval({place})"), 2)
        self.granted(self.server.release(lease), 200)
        self.assertEqual(perl.value(f"$sem->getval({place})"), 3)

    def test_a_raised_value_of_a_php_lock_is_not_raised_further(self):
        key = "php:0x5afe70"
        leases = [self.granted(self.server.acquire(key, limit=2)) for _ in range(2)]
        perl = Perl(self).use(self.forget(leases[0]["sysv"]["id"]))
        self.assertEqual(perl.ask("defined $sem->setval(0, 1) ? 1 : undef"), "ok 1")
        self.drift(key, "surplus", 1)
        for lease in leases:
            self.granted(self.server.release(lease), 200)
        self.assertEqual(perl.values("$sem->getall"), [2, 0, 0])

    def test_a_raised_value_of_a_path_lock_is_its_programs_right(self):
        key = "path:/tmp/leasehold-drift"
        self.granted(self.server.request("PUT", "/locks/path:%2Ftmp%2Fleasehold-drift?limit=2"), 201)
        leases = [self.granted(self.server.acquire(key)) for _ in range(2)]
        perl = Perl(self).use(self.forget(leases[0]["sysv"]["id"]))
        self.assertEqual(perl.ask("defined $sem->setval(0, 1) ? 1 : undef"), "ok 1")
        for lease in leases:
            self.granted(self.server.release(lease), 200)
        self.assertEqual(perl.values("$sem->getall")[:2], [3, 0])

    def test_usage_that_somebody_wiped_breaks_leases_on_phps_semaphore(self):
        key = "php:0x5afe71"
        lease = self.granted(self.server.acquire(key))
        perl = Perl(self).use(self.forget(lease["sysv"]["id"]))
        for number, value in ((1, 0), (0, 1)):
            self.assertEqual(perl.ask(f"defined $sem->setval({number}, {value}) ? 1 : undef"), "ok 1")
        self.drift(key, "uncounted", 1)
        self.broken(lease)
        self.assertEqual(perl.values("$sem->getall"), [1, 0, 0])

    def test_ipcrm_ends_leases_and_says_so(self):
        key = "php:0x5afe72"
        lease = self.granted(self.server.acquire(key))
        subprocess.run(["ipcrm", "-s", str(lease["sysv"]["id"])], check=True)
        eventually(lambda: told(self.server, "removed", key), "the removal is found")
        [event] = told(self.server, "removed", key)
        self.assertEqual((event["ref"], event["reason"]), (lease["ref"], "set-removed"))
        self.assertProblem(self.server.release(lease), 410, "set-removed")
        again = self.granted(self.server.acquire(key))
        self.assertNotEqual(again["sysv"]["id"], lease["sysv"]["id"])
        self.assertEqual(Perl(self).use(self.forget(again["sysv"]["id"])).values("$sem->getall"), [0, 1024, 0])


if __name__ == "__main__":
    unittest.main()
