# Rows: A21
"""A holder dies: the kernel gives back what Perl held, the service what a lease held; the next waiter gets in."""

import http.client
import sys
import unittest

from perlside import LEASE, PATIENCE, Apache, Talking, eventually

CURL = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("POST", sys.argv[2])
response = connection.getresponse()
print(response.status, response.readline().decode().strip(), flush=True)
sys.stdin.read()
"""


class Death(Apache):
    def client(self, action, **parameters):
        """Another process that acquires and stays; its lease."""
        query = "&".join(f"{name}={value}" for name, value in (self.binding | parameters).items())
        target = f"/locks/{self.name}/{action}?{query}"
        client = Talking(sys.executable, "-c", CURL, str(self.server.port), target)
        self.addCleanup(client.kill)
        self.assertRegex(client.line(PATIENCE), r"^201 \{")
        return client

    def only_lease(self):
        leases = [lease for lease in self.server.get("/leases")["leases"] if lease["key"] == self.name]
        self.assertEqual(len(leases), 1)
        return leases[0]

    def test_an_http_client_is_killed(self):
        for action, parameters in (("hold", {}), ("acquire", {"bind": "connection", "ttl": "1h"})):
            for mode, method in (("write", "read"), ("write", "write"), ("read", "write")):
                with self.subTest(action=action, mode=mode, method=method):
                    client = self.client(action, mode=mode, **parameters)
                    self.only_lease()
                    perl = self.locker()
                    perl.send(f"$l->acquire_{method}_lock($s)")
                    number = self.w if mode == "write" else self.r
                    self.writer_waits(on=number)
                    client.kill()
                    perl.answer()
                    self.assertEqual(self.rw, (1, 0) if method == "read" else (0, 1))
                    perl.kill()
                    self.assertEqual(self.rw, (0, 0))

    def bound(self, mode, process):
        """A lease of the session that ends with a process."""
        answer = self.server.over_unix.post(
            f"/locks/{self.name}/acquire", mode=mode, bind=f"pid:{process.pid}", ttl=0, **self.binding)
        lease = self.granted(answer)
        self.assertEqual(lease["bind"], f"pid:{process.pid}")
        return lease

    def test_a_process_ends_that_a_lease_is_bound_to(self):
        """A Perl program that locks over HTTP is as good as one that locks natively: its end gives back."""
        for end in ("kill", "exit"):
            for mode, method in (("write", "read"), ("write", "write"), ("read", "write")):
                with self.subTest(end=end, mode=mode, method=method):
                    program, perl = self.perl(), self.locker()
                    lease = self.bound(mode, program)
                    perl.send(f"$l->acquire_{method}_lock($s)")
                    self.writer_waits(on=self.w if mode == "write" else self.r)
                    getattr(program, end)()
                    perl.answer()
                    self.assertEqual(self.rw, (1, 0) if method == "read" else (0, 1))
                    self.assertProblem(
                        self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason="process-exited")
                    perl.kill()
                    self.assertEqual(self.rw, (0, 0))

    def test_a_lease_runs_out(self):
        lease = self.leased("write", ttl="200ms")
        perl = self.locker("$l->acquire_read_lock($s)")
        self.assertEqual(self.rw, (1, 0))
        problem = self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired")
        self.assertEqual(problem["reason"], "ttl", problem)

    def test_how_it_ended_is_told(self):
        connection = self.server.connection()
        answer = self.server.post(
            f"/locks/{self.name}/acquire", connection=connection, mode="write", bind="connection", **self.binding
        )
        lease = self.granted(answer)
        perl = self.locker()
        perl.send("$l->acquire_write_lock($s)")
        self.writer_waits(on=self.w)
        connection.close()
        perl.answer()
        problem = self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired")
        self.assertEqual(problem["reason"], "connection-closed", problem)

    def test_a_waiting_client_is_killed(self):
        perl = self.locker("$l->acquire_read_lock($s)")
        connection = self.server.connection()
        self.addCleanup(connection.close)
        query = "&".join(f"{name}={value}" for name, value in self.binding.items())
        connection.request("POST", f"/locks/{self.name}/acquire?mode=write&wait=30s&{query}")
        self.writer_waits()
        connection.close()
        self.writer_waits(0)
        self.assertEqual(self.queued(self.name, self.binding), 0)
        self.does(perl, "$l->release_read_lock($s)", leaving=(0, 0))

    def test_perl_is_killed_or_exits_while_http_waits(self):
        for held, mode in (("read", "write"), ("write", "read"), ("write", "write")):
            for end in ("kill", "exit"):
                with self.subTest(held=held, mode=mode, end=end):
                    perl = self.locker(f"$l->acquire_{held}_lock($s)")
                    waiter = self.acquire_later(mode)
                    self.writer_waits(on=self.r if held == "read" else self.w)
                    getattr(perl, end)()
                    lease = self.granted(waiter.answer())
                    self.assertEqual(self.rw, (LEASE, 0) if mode == "read" else (0, LEASE))
                    self.release(lease, leaving=(0, 0))

    def test_perl_is_killed_while_it_waits(self):
        lease = self.leased("write")
        perl = self.locker()
        perl.send("$l->acquire_write_lock($s)")
        self.writer_waits(on=self.w)
        perl.kill()
        self.writer_waits(0, on=self.w)
        self.release(lease, leaving=(0, 0))


class DaemonDeath(Apache):
    def test_what_a_killed_daemon_left_is_found_again(self):
        """kill -9 of the service: leases stand, those bound to connections end, waiters are gone; Perl keeps its."""
        perl = self.locker("$l->acquire_read_lock($s)")
        lease = self.leased("read", ttl="1h")
        connection = self.server.connection()
        self.addCleanup(connection.close)
        target = f"/locks/{self.name}/acquire"
        bound = self.server.post(target, connection=connection, mode="read", bind="connection", **self.binding)
        self.granted(bound)
        living, dying = self.perl(), self.perl()
        for program in (living, dying):
            self.granted(self.server.over_unix.post(
                target, mode="read", bind=f"pid:{program.pid}", ttl=0, **self.binding))
        waiter = self.acquire_later("write")
        self.writer_waits()
        self.assertEqual(self.rw, (4 * LEASE + 1, 0))
        self.server.kill()
        dying.kill()
        self.writer_waits(0)
        with self.assertRaises((OSError, http.client.HTTPException)):
            waiter.answer()
        self.assertEqual(self.rw, (4 * LEASE + 1, 0))
        writer = self.locker()
        writer.send("$l->acquire_write_lock($s)")
        self.writer_waits()
        self.server.start()
        eventually(lambda: self.rw == (3 * LEASE + 1, 0), "the lease of the process that died is over", timeout=1)
        eventually(lambda: self.rw == (2 * LEASE + 1, 0), "the lease of the connection ends after its grace")
        living.kill()
        eventually(lambda: self.rw == (LEASE + 1, 0), "the lease of the process that lived on ends with it", timeout=1)
        self.assertTrue(writer.is_silent())
        self.release(lease, leaving=(1, 0))
        perl.kill()
        writer.answer()
        self.assertEqual(self.rw, (0, 1))
        writer.kill()
        self.assertEqual(self.rw, (0, 0))


if __name__ == "__main__":
    unittest.main()
