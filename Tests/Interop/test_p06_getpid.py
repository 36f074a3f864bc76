# Rows: P6
"""getpid: both sides see the program that changed a semaphore last; leases that stand on it are named."""

import unittest

from ipc_semaphore import BothSides, Perl


class LastProcess(BothSides):
    def test_the_last_process_is_the_same_on_both_sides(self):
        made, perl = self.make_for_perl(nsems=2)
        shown = [one["pid"] for one in self.get(made)["semaphores"]]
        self.assertEqual(shown, perl.values("map { $sem->getpid($_) } 0, 1"))
        self.assertEqual(perl.ask("$sem->op(1, 1, 0) || undef"), "ok 1")
        self.assertEqual(self.get(made, 1)["pid"], perl.pid)
        self.granted(self.op(made, (1, 1)), 200)
        self.assertEqual(perl.value("$sem->getpid(1)"), self.server.pid)
        self.assertEqual(self.get(made, 1)["pid"], self.server.pid)

    def test_nobody_is_0_on_both_sides(self):
        perl = Perl(self)
        made = self.forget(perl.value("($sem = IPC::Semaphore->new(IPC_PRIVATE, 1, 0600 | IPC_CREAT))->id"))
        self.assertEqual((perl.value("$sem->getpid(0)"), self.get(made, 0)["pid"]), (0, 0))

    def test_a_lease_is_seen_by_its_ref_and_the_service_by_its_pid(self):
        lease = self.granted(self.server.acquire(self.key(), limit=3))
        sysv = lease["sysv"]
        [number] = sysv["semaphores"]
        shown = self.get(sysv["id"], number)
        self.assertEqual((shown["leases"], shown["pid"]), ([lease["ref"]], self.server.pid))
        self.assertEqual(Perl(self).use(sysv["id"]).value(f"$sem->getpid({number})"), self.server.pid)
        self.granted(self.server.release(lease), 200)
        self.assertEqual(self.get(sysv["id"], number)["leases"], [])


if __name__ == "__main__":
    unittest.main()
