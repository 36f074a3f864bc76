"""Leases that end with a process: bind=pid:N and bind=peer, on the Unix socket."""

import os
import signal
import statistics
import subprocess
import sys
import time
import unittest

from harness import Server, eventually
from processes import SECONDS_UNTIL_GONE, Client, ProcessTest, in_namespace
from users import AS_NOBODY, needs_nobody


class Ends(ProcessTest):
    def test_a_killed_process_takes_its_leases_with_it_soon(self):
        times = []
        for number in range(20):
            process = self.sleeper()
            lease = self.bound(process.pid, ttl=0)
            self.assertEqual((lease["ttl_ms"], lease["expires_at"]), (0, None))
            self.assertEqual(self.server.lock(self.key())["holders"][0]["bind"], f"pid:{process.pid}")
            process.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
            times.append(self.over(lease))
            process.wait()
        print(f"\nlease over after its process: median {statistics.median(times) * 1000:.1f} ms, "
              f"worst {max(times) * 1000:.1f} ms", file=sys.stderr)
        self.assertLess(max(times), SECONDS_UNTIL_GONE)

    def test_a_process_that_nobody_waited_for_yet_is_over(self):
        process = self.sleeper()
        lease = self.bound(process.pid)
        process.kill()
        self.assertLess(self.over(lease), SECONDS_UNTIL_GONE)  # it is a zombie all the while
        self.assertProblem(
            self.server.over_unix.acquire(self.key(), bind=f"pid:{process.pid}"), 422, "no-such-process",
            parameter="bind", value=f"pid:{process.pid}")

    def test_an_exit_ends_the_lease_and_the_end_of_the_connection_does_not(self):
        client = self.client(self.key())
        self.assertEqual(client.status, 201, client.text)
        time.sleep(0.1)  # its connection is closed, which the service hears of at once
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        waiter = self.server.acquire_later(self.key())
        client.exit()
        self.granted(waiter.answer())

    def test_an_exec_does_not_end_the_lease(self):
        script = "import os, sys; sys.stdin.readline(); os.execvp('sleep', ['sleep', '600'])"
        process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
        self.addCleanup(self.bury, process)
        lease = self.bound(process.pid)
        process.stdin.write(b"\n")
        process.stdin.close()

        def name():
            with open(f"/proc/{process.pid}/comm", encoding="ascii") as file:
                return file.read().strip()

        eventually(lambda: name() == "sleep", "it runs another program")
        time.sleep(0.1)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)
        process.kill()
        self.over(lease)

    def test_many_leases_of_one_process_take_one_entry_and_end_together(self):
        process = self.sleeper()
        # The last test's process may just have ended.
        eventually(lambda: self.server.metric("leasehold_bound_processes") == 0, "nothing is watched")
        leases = [self.bound(process.pid, self.key(str(number)), ttl=0) for number in range(50)]
        self.assertEqual(self.server.metric("leasehold_bound_processes"), 1)
        for lease in leases[:25]:
            self.granted(self.server.release(lease), 200)
        process.kill()
        for lease in leases[25:]:
            self.over(lease)
        eventually(lambda: self.server.metric("leasehold_bound_processes") == 0, "nothing is watched any more")
        ended = self.server.metric('leasehold_leases_ended_total{reason="process_exited"}')
        self.assertGreaterEqual(ended, 25)

    def test_the_peer_itself(self):
        client = self.client(self.key(), "peer")
        self.assertEqual(client.status, 201, client.text)
        self.assertIn('"bind":"peer"', client.text)
        self.assertEqual(self.server.lock(self.key())["holders"][0]["bind"], "peer")
        waiter = self.server.acquire_later(self.key())
        client.close()
        self.granted(waiter.answer())


class Refusals(ProcessTest):
    def test_only_the_unix_socket_tells_who_asks(self):
        for bind in (f"pid:{os.getpid()}", "peer"):
            problem = self.assertProblem(
                self.server.acquire(self.key(), bind=bind), 400, "invalid-parameter", parameter="bind", value=bind)
            self.assertIn("Unix socket", problem["detail"])

    def test_what_is_no_process(self):
        for bind in ("pid:", "pid:0", "pid:-1", "pid:x", "pid:99999999999", "moon"):
            self.assertProblem(
                self.server.over_unix.acquire(self.key(), bind=bind), 400, "invalid-parameter", parameter="bind")
        gone = subprocess.Popen(["true"])
        gone.wait()
        for pid in (gone.pid, 2**31 - 1):
            self.assertProblem(
                self.server.over_unix.acquire(self.key(), bind=f"pid:{pid}"), 422, "no-such-process",
                parameter="bind", value=f"pid:{pid}")

    def test_a_proxy_cannot_bind(self):
        for header, value in (("Via", "1.1 proxy"), ("Forwarded", "for=10.0.0.1"), ("X-Forwarded-For", "10.0.0.1")):
            for target in (f"/locks/{self.key()}/acquire?bind=connection",
                           f"/locks/{self.key()}/acquire?bind=pid:{os.getpid()}",
                           f"/locks/{self.key()}/acquire?bind=peer", f"/locks/{self.key()}/hold"):
                with self.subTest(header=header, target=target):
                    problem = self.assertProblem(
                        self.server.over_unix.request("POST", target, headers={header: value}), 400,
                        "invalid-parameter", header=header)
                    self.assertIn("proxy", problem["detail"])
            plain = self.server.request("POST", f"/locks/{self.key(header)}/acquire", headers={header: value})
            self.granted(plain)

    @needs_nobody
    def test_a_process_of_another_user(self):
        os.chmod(self.server.unix, 0o666)
        mine = self.client(self.key(), "pid:SELF", prefix=AS_NOBODY)
        self.assertEqual(mine.status, 201, mine.text)
        others = self.client(self.key("other"), f"pid:{os.getpid()}", prefix=AS_NOBODY)
        self.assertEqual(others.status, 403, others.text)
        self.assertIn('"code":"permission-denied"', others.text)
        process = self.sleeper(*AS_NOBODY)
        eventually(lambda: os.stat(f"/proc/{process.pid}").st_uid == 65534, "it is nobody's")
        lease = self.bound(process.pid, self.key("root"))  # root may bind to anybody's
        process.kill()
        self.over(lease)


class Limits(ProcessTest):
    arguments = ("--max-processes", "2")

    def test_the_maximum_of_processes(self):
        first, second, third = self.sleeper(), self.sleeper(), self.sleeper()
        self.bound(first.pid, self.key("1"))
        lease = self.bound(second.pid, self.key("2"))
        self.bound(first.pid, self.key("3"))
        problem = self.assertProblem(
            self.server.over_unix.acquire(self.key("4"), bind=f"pid:{third.pid}"), 507, "too-many-processes",
            limit="max-processes", value=2)
        self.assertIn("--max-processes", problem["detail"])
        self.server.release(lease)
        self.bound(third.pid, self.key("4"))


class Fallback(Ends):
    """The same with the number of the peer alone, as before Linux 6.5."""

    arguments = ("--peer-pidfd", "never")


class Restarts(ProcessTest):
    arguments = ("--recovery-grace", "300ms")

    def test_bindings_survive_a_daemon_that_is_killed(self):
        living, dying = self.sleeper(), self.sleeper()
        kept = self.bound(living.pid, self.key("kept"), ttl=0, owner="k" * 100)
        lost = self.bound(dying.pid, self.key("lost"), ttl=0)
        self.server.kill()
        self.bury(dying)
        self.server.start()
        self.assertLess(self.over(lost), SECONDS_UNTIL_GONE)
        shown = self.granted(self.server.get(f"/leases/{kept['lease']}"), 200)
        self.assertEqual((shown["bind"], shown["owner"]), (f"pid:{living.pid}", "k" * 100))
        time.sleep(0.5)  # the grace is over
        self.assertEqual(self.server.get(f"/leases/{kept['lease']}").status, 200)
        living.kill()
        self.over(kept)

    def test_a_process_beside_is_lost_in_a_restart_and_its_lease_ends_after_the_grace(self):
        if os.getuid() != 0:
            self.skipTest("needs to make PID namespaces")
        server = Server(*self.arguments, prefix=in_namespace()).ends_with(self)
        self.addCleanup(server.kill)
        server.start()
        client = Client(server, self.key(), "peer", in_namespace())
        self.addCleanup(client.close)
        if client.status == 422:
            self.skipTest("this kernel has no SO_PEERPIDFD")
        server.restart()
        self.assertEqual(server.acquire(self.key()).status, 423)
        eventually(lambda: server.acquire(self.key()).status == 201, "the grace is over")


if __name__ == "__main__":
    unittest.main()
