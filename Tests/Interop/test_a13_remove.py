# Rows: A13 A14 C21
"""DELETE /locks/{key} removes the whole set, so every session and every number of it counts as in use."""

import unittest

from perlside import LEASE, Apache, Path, eventually, options, quoted


class Sessions(Apache):
    def delete(self, **parameters):
        return self.at_http(self.name, method="DELETE", **(self.binding | parameters))

    def test_other_sessions_holders_of_both_kinds(self):
        other = self.elsewhere()
        perl = self.locker(session=other)
        for mode in ("read", "write"):
            perl.do(f"$l->acquire_{mode}_lock($s)")
            self.assertProblem(self.delete(), 409, "in-use")
            perl.do("$l->release_all_locks($s)")
            lease = self.granted(self.at_http(f"apache:{other}", "acquire", "POST", mode=mode, **self.binding))
            self.assertProblem(self.delete(), 409, "in-use")
            self.release(lease)
        self.granted(self.delete(), 200)
        self.assertEqual(self.look(self.semkey), [])
        self.assertProblem(self.delete(), 404, "no-such-set")

    def test_perl_waiters_count(self):
        lease = self.leased("write")
        perl = self.locker()
        perl.send("$l->acquire_read_lock($s)")
        self.reader_waits()
        self.assertProblem(self.delete(), 409, "in-use")
        self.release(lease)
        perl.answer()

    def test_by_force_everybody_learns_of_it(self):
        other = self.elsewhere()
        lease = self.leased("read")
        second = self.granted(self.at_http(f"apache:{other}", "acquire", "POST", mode="write", **self.binding))
        waiter = self.acquire_later("write")
        self.writer_waits()
        # Of several locks on the set the answer is about the one that is meant.
        for name in (self.name, f"apache:{other}"):
            answer = self.at_http(name, method="DELETE", **self.binding)
            self.assertProblem(answer, 409, "in-use", key=name)
        self.granted(self.delete(force="true"), 200)
        self.assertProblem(waiter.answer(), 410, "set-removed", errno="EIDRM")
        for one in (lease, second):
            self.assertProblem(self.server.release(one), 410, "set-removed")
        perl = self.locker("$l->acquire_read_lock($s)", SemaphoreKey=self.semkey, NSems=8)
        self.assertProblem(self.acquire("read"), 409, "nsems-mismatch", nsems=8)


class OneSemaphoreManyNames(Path):
    """A lock is a semaphore, not its spelling."""

    def test_spellings_of_a_path(self):
        lease = self.leased()
        folder = self.folder
        for spelling in ("/./sem_file", f"/../{folder.split('/')[-1]}/sem_file", "//sem_file"):
            answer = self.server.acquire(f"path:{folder}{spelling}")
            self.assertProblem(answer, 423, "locked")
            self.assertEqual(len(answer["holders"]), 1, answer)
        key, number = self.key_of() & 0xFFFFFFFF, lease["sysv"]["id"]
        for name in (f"sysv:{key:#x}.0", f"sysv:{key}.0", f"sysv:id:{number}.0"):
            self.assertProblem(self.server.acquire(name), 423, "locked")
            shown = self.granted(self.at_http(name), 200)
            self.assertEqual((shown["held"], shown["sysv"]["id"]), (1, number), shown)
        self.release(lease)
        self.assertEqual(self.user_values(), [1])

    def test_sysv_takes_perls_slot_and_perl_its(self):
        perl = self.user(value=2)
        name = f"sysv:{self.key_of() & 0xFFFFFFFF:#x}.0"
        first = self.granted(self.server.acquire(name))
        second = self.leased()
        self.assertFalse(perl.do("$c->acquire"))
        waiter = self.acquire_in_background(name, {})
        self.release(first)
        self.release(self.granted(waiter.answer()))
        self.assertTrue(perl.do("$c->acquire"))
        self.assertProblem(self.server.acquire(name), 423, "locked")
        self.release(second)
        perl.exit()
        self.assertEqual(self.all, [2])

    def test_the_leases_of_an_apache_set_are_full_at_31(self):
        leases = []
        for _ in range(31):
            leases.append(self.granted(self.server.acquire("apache:a", mode="read", semaphore_key=77)))
        answer = self.server.acquire("apache:a", mode="read", semaphore_key=77)
        self.assertProblem(answer, 507, "native-count-full", errno="ERANGE", units_out=31)
        self.assertEqual(max(self.values(77)), 31 * LEASE)
        self.release(leases.pop())
        leases.append(self.granted(self.server.acquire("apache:a", mode="read", semaphore_key=77)))
        for lease in leases:
            self.release(lease)
        self.assertEqual(self.values(77), [0] * 32)

    def test_a_set_of_our_own_locks_is_not_for_natives_names(self):
        own = self.granted(self.server.acquire("plain"))
        answer = self.server.acquire(f"sysv:id:{own['sysv']['id']}.0")
        self.assertProblem(answer, 409, "kind-mismatch")
        self.release(own)

    def test_an_idle_lock_is_forgotten_and_its_set_stays(self):
        lease = self.leased()
        self.release(lease)
        eventually(lambda: self.at_http(self.name).status == 200, "it is known, or found again")
        self.assertEqual(self.user_values(), [1])


if __name__ == "__main__":
    unittest.main()
