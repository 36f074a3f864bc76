# Rows: A13 A14 A17 C28
"""Sets stay until they are removed: after the last release, after the service stopped; then ipcrm. ipcs agrees."""

import os
import re
import subprocess
import unittest

from perlside import LEASE, Apache, Died, Server, eventually, ipcs, options, quoted


def listed(server):
    """`GET /semaphores`, by id."""
    answer = server.get("/semaphores", limit=1000)
    assert answer.status == 200, answer
    return {row["id"]: row for row in answer["semaphores"]}


class Persist(Apache):
    def mine(self):
        return [row for row in ipcs() if row["key"] == self.semkey]

    def test_a_set_outlives_its_last_release_and_the_service(self):
        server = Server().ends_with(self).start()
        lease = self.granted(server.acquire(self.name, mode="write", **self.binding))
        perl = self.locker()
        perl.send("$l->acquire_write_lock($s)")
        self.writer_waits(on=self.w)
        server.release(lease)
        perl.answer()
        perl.kill()
        self.assertEqual(self.rw, (0, 0))
        self.assertEqual(server.terminate(), 0)
        self.assertEqual([row["id"] for row in self.mine()], [lease["sysv"]["id"]])
        # Another service goes on with it, and with what Perl made.
        again = self.leased("write")
        self.assertEqual(again["sysv"]["id"], lease["sysv"]["id"])
        self.release(again)

    def test_a_lease_outlives_the_service_that_gave_it(self):
        server = Server().ends_with(self).start()
        lease = self.granted(server.acquire(self.name, mode="write", **self.binding))
        server.terminate()
        self.assertEqual(self.rw, (0, LEASE))
        perl = self.locker()
        perl.send("$l->acquire_read_lock($s)")
        self.writer_waits(on=self.w)
        server.start()
        self.assertEqual(server.release(lease).status, 200)
        perl.answer()
        self.assertEqual(self.rw, (1, 0))

    def test_ipcrm_by_key_and_by_id_makes_room_for_another_nsems(self):
        for how in ("-S", "-s"):
            lease = self.leased("read")
            subprocess.run(["ipcrm", how, str(self.semkey if how == "-S" else lease["sysv"]["id"])], check=True)
            self.assertEqual(self.mine(), [])
            self.assertProblem(self.server.get(f"/semaphores/{self.semkey:#x}"), 404, "no-such-set", errno="ENOENT")
            self.assertProblem(self.server.get(f"/semaphores/id:{lease['sysv']['id']}"), 404, "no-such-set")
            eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "the loss is noticed")
            self.assertProblem(self.server.release(lease), 410, "set-removed")
            perl = self.locker("$l->acquire_read_lock($s)", SemaphoreKey=self.semkey, NSems=8)
            self.assertProblem(self.acquire("read"), 409, "nsems-mismatch", nsems=8, asked_nsems=32)
            perl.do("$l->remove")

    def test_perl_removes_it_under_waiters_and_leases(self):
        perl = self.locker("$l->acquire_write_lock($s)")
        old = perl.do("$l->{sem}->id")
        waiter = self.acquire_later("write")
        self.writer_waits(on=self.w)
        perl.do("$l->remove")
        lease = self.granted(waiter.answer())  # in a new set
        self.assertNotEqual(lease["sysv"]["id"], old)
        self.assertEqual(self.rw, (0, LEASE))
        self.eye.do(f"set_of({self.semkey})->remove")
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "the loss is noticed")
        self.assertProblem(self.server.release(lease), 410, "set-removed")
        with self.assertRaises(Died):
            perl.do("die 'no set' unless $l->{sem}->getall; 1")


class Listing(Apache):
    def test_rows_equal_ipcs(self):
        self.leased("read")
        perl = self.perl()
        perl.do(f"IPC::Semaphore->new({self.semkey + 0x100000}, 5, IPC_CREAT | 0640)->id")
        perl.do("$p = IPC::Semaphore->new(IPC_PRIVATE, 2, IPC_CREAT | 0600); $p->id")
        rows = listed(self.server)
        expected = {row["id"]: (row["key"], row["mode"], row["nsems"]) for row in ipcs()}
        self.assertEqual(
            {number: (row["key"], int(row["mode"], 8), row["nsems"]) for number, row in rows.items()}, expected
        )
        for number, row in rows.items():
            text = subprocess.run(["ipcs", "-s", "-i", str(number)], capture_output=True, text=True, check=True).stdout
            self.assertIn(f"uid={row['uid']}", text)
            self.assertIn(f"cgid={row['cgid']}", text)
        perl.do("$p->remove")
        self.assertEqual(len(listed(self.server)), len(rows) - 1)

    def test_limits_equal_ipcs_and_proc(self):
        limits = self.server.get("/semaphores")["limits"]
        with open("/proc/sys/kernel/sem", encoding="ascii") as file:
            semmsl, semmns, semopm, semmni = map(int, file.read().split())
        self.assertEqual(
            (limits["semmsl"], limits["semmns"], limits["semopm"], limits["semmni"]), (semmsl, semmns, semopm, semmni)
        )
        text = subprocess.run(["ipcs", "-l", "-s"], capture_output=True, text=True, check=True).stdout
        shown = {name: int(value) for name, value in re.findall(r"^(.*) = (\d+)$", text, re.M)}
        self.assertEqual(limits["semmni"], shown["max number of arrays"])
        self.assertEqual(limits["semmsl"], shown["max semaphores per array"])
        self.assertEqual(limits["semmns"], shown["max semaphores system wide"])
        self.assertEqual(limits["semopm"], shown["max ops per semop call"])
        self.assertEqual(limits["semvmx"], shown["semaphore max value"])

    def test_nsems_defaults_to_32_on_both_sides(self):
        perl = self.locker("$l->acquire_read_lock($s)", SemaphoreKey=self.semkey)
        answer = self.at_http(self.name, "acquire", "POST", mode="read", semaphore_key=self.semkey)
        self.assertEqual(self.granted(answer)["sysv"]["nsems"], 32)
        self.assertEqual(len(self.values(self.semkey)), 32)
        self.assertEqual(os.uname().sysname, "Linux")


if __name__ == "__main__":
    unittest.main()
