# Rows: A15 A16 C22
"""No space left on device: the kernel's limits, lowered in this namespace, end Perl and are 507 over HTTP."""

import unittest

from perlside import Apache, Died, Path, options

SEM = "/proc/sys/kernel/sem"


def limits():
    with open(SEM, encoding="ascii") as file:
        return list(map(int, file.read().split()))


def set_limits(values):
    with open(SEM, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, values)))


class Lowered:
    """Limits that are put back afterwards."""

    def setUp(self):
        super().setUp()
        self.usual = limits()
        try:
            set_limits(self.usual)
        except OSError as error:
            self.skipTest(f"kernel.sem cannot be written here: {error}")
        self.addCleanup(set_limits, self.usual)

    def lower(self, semmsl=None, semmns=None, semmni=None):
        usual = self.usual
        set_limits([semmsl or usual[0], semmns or usual[1], usual[2], semmni or usual[3]])

    def used(self):
        return self.server.get("/semaphores")["used"]


class NoSpace(Lowered, Apache):
    def both_fail(self, limit, value):
        perl = self.locker()
        with self.assertRaisesRegex(Died, "No space left on device"):
            perl.do("$l->acquire_read_lock($s)")
        self.assertEqual(self.look(self.semkey), [])
        self.assertProblem(self.acquire("read"), 507, "kernel-limit", errno="ENOSPC", limit=limit, value=value)
        self.assertEqual(self.look(self.semkey), [])
        return perl

    def both_work(self, perl):
        perl.do("$l->acquire_read_lock($s)")
        self.assertProblem(self.acquire("write"), 423, "locked")
        perl.do("$l->release_read_lock($s)")
        self.release(self.leased("write"))
        self.assertEqual(self.rw, (0, 0))

    def test_sets(self):
        self.eye.do("$p = IPC::Semaphore->new(IPC_PRIVATE, 32, IPC_CREAT | 0600)")
        self.lower(semmni=self.used()["sets"])
        self.assertEqual(self.server.get("/semaphores")["free"]["sets"], 0)
        perl = self.both_fail("SEMMNI", self.used()["sets"])
        self.eye.do("$p->remove")
        self.assertEqual(self.server.get("/semaphores")["free"]["sets"], 1)
        self.both_work(perl)

    def test_semaphores(self):
        self.eye.do("$p = IPC::Semaphore->new(IPC_PRIVATE, 32, IPC_CREAT | 0600)")
        semmns = self.used()["semaphores"] + 31
        self.lower(semmns=semmns)
        self.assertEqual(self.server.get("/semaphores")["free"]["semaphores"], 31)
        perl = self.both_fail("SEMMNS", semmns)
        self.eye.do("$p->remove")
        self.both_work(perl)

    def test_semaphores_of_one_set(self):
        self.lower(semmsl=31)
        perl = self.locker()
        with self.assertRaisesRegex(Died, "Invalid argument"):
            perl.do("$l->acquire_read_lock($s)")
        answer = self.acquire("read")
        self.assertProblem(answer, 400, "out-of-range", errno="EINVAL", limit="SEMMSL")
        self.lower(semmsl=32)
        self.both_work(perl)


class NoSpaceForSlots(Lowered, Path):
    def test_sets(self):
        self.lower(semmni=self.used()["sets"])
        perl = self.perl()
        self.assertIsNone(perl.do(f"Concurrency->new({options(path=self.path)})"))
        self.assertEqual(perl.errno, "ENOENT")  # of the last look, as the module has it; the one before was ENOSPC
        code = f"IPC::Semaphore->new({self.key_of()}, 1, IPC_CREAT | 0666)"
        self.assertIsNone(perl.do(code))
        self.assertEqual(perl.errno, "ENOSPC")
        answer = self.acquire()
        self.assertProblem(answer, 507, "kernel-limit", errno="ENOSPC", limit="SEMMNI", value=self.used()["sets"])
        set_limits(self.usual)
        lease = self.leased()
        self.assertTrue(perl.do(f"$c = Concurrency->new({options(path=self.path)}); $c ? 1 : 0"))
        self.assertFalse(perl.do("$c->acquire"))
        self.release(lease)
        self.assertEqual(self.user_values(), [1])


if __name__ == "__main__":
    unittest.main()
