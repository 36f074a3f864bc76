"""What signals do to the daemon, whatever it is doing."""

import fcntl
import os
import signal
import subprocess
import time
import unittest

import frozen
import harness
from harness import eventually


class Served(unittest.TestCase):
    def serve(self, *options):
        return harness.Server(*options).ends_with(self)


class EndedAtOnce(Served):
    """A watchdog sends ABRT, a person QUIT: both want it gone, and what the Swift runtime would do first takes long."""

    def test_quit_and_abrt_end_it_without_a_word_and_leases_stay(self):
        for number in (signal.SIGQUIT, signal.SIGABRT):
            with self.subTest(signal=number.name):
                server = self.serve().start()
                lease = server.acquire("kept", ttl="60s").json
                said = server.log_text()
                server.process.send_signal(number)
                self.assertEqual(server.process.wait(3), -number)
                self.assertEqual(server.log_text(), said)
                server.start()
                self.assertEqual(server.get("/leases/" + lease["lease"]).status, 200)


class ClosedDescriptors(Served):
    def test_a_socket_never_gets_the_number_of_a_standard_descriptor_that_is_closed(self):
        server = self.serve()
        server.process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *server.command])
        harness._started.append(server.process)
        server.wait_ready()
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{server.pid}/fd/{number}"), "/dev/null")
        # Its line goes nowhere, and not into an answer.
        server.acquire("short", ttl="100ms")
        harness.eventually(lambda: server.lock("short")["available"] == 1, "the lease's end")
        self.assertEqual(server.terminate(), 0)


def fill(pipe):
    """Writes into a pipe until it is full, through a description of its own, so that the daemon's stays blocking."""
    own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(own, b"x")
    except BlockingIOError:
        os.close(own)


class ToldToStop(Served):
    """SIGTERM always works, and --drain-timeout bounds it; --drain-timeout is long where it must not matter."""

    def ends(self, server, seconds, status=0):
        begun = time.monotonic()
        self.assertEqual(server.terminate(timeout=seconds), status)
        return time.monotonic() - begun

    def with_a_stalled_log(self, *options):
        server = self.serve(*options)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        fill(writer)
        server.process = subprocess.Popen(server.command, stdin=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        harness._started.append(server.process)
        return server

    def test_with_a_log_that_nobody_reads(self):
        server = self.with_a_stalled_log("--drain-timeout", "60s")
        server.wait_ready()
        self.assertEqual(server.acquire("a", ttl="100ms").status, 201)
        self.ends(server, 10)

    def test_an_error_of_the_start_ends_it_although_nobody_reads_it(self):
        server = self.with_a_stalled_log("--state-dir", "/nonexistent/leasehold")
        self.assertEqual(server.process.wait(harness.PATIENCE), 78)

    def test_while_it_stands_by(self):
        first = self.serve().start()
        second = harness.Server("--standby", "--drain-timeout", "60s", control_key=first.control_key)
        self.addCleanup(second.stop)
        second.spawn()
        eventually(lambda: "standing by" in second.log_text(), "standing by")
        self.ends(second, 10)

    def test_with_held_streams_and_waiters(self):
        server = self.serve("--drain-timeout", "60s").start()
        with server.socket() as holder, server.socket() as follower:
            holder.sendall(b"POST /locks/a/hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            self.assertIn(b" 201 ", holder.recv(4096))
            follower.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", follower.recv(4096))
            waiter = server.acquire_later("a")
            self.ends(server, 10)
        self.assertEqual(waiter.answer().status, 503)

    def half_a_request(self, server):
        """A request that stays under way: its body does not come."""
        sock = server.socket()
        self.addCleanup(sock.close)
        sock.sendall(b"POST /locks/b/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
                     b"Content-Type: application/json\r\n\r\n{")
        eventually(lambda: "leasehold_http_active_requests 2" in server.get("/metrics").text, "a request under way")

    def test_what_does_not_end_is_cut_off_after_the_drain_timeout(self):
        server = self.serve("--drain-timeout", "1s").start()
        self.half_a_request(server)
        self.assertGreater(self.ends(server, 10), 0.9)

    def test_a_second_signal_ends_it_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                server = self.serve("--drain-timeout", "60s").start()
                self.half_a_request(server)
                server.process.send_signal(signal.SIGTERM)
                eventually(lambda: "stopping" in server.log_text(), "the first signal")
                self.assertIsNone(server.process.poll())
                server.process.send_signal(number)
                self.assertEqual(server.process.wait(5), -number)

    def test_a_thread_that_hangs_does_not_keep_it(self):
        server = self.serve("--drain-timeout", "100ms").start()
        lease = server.acquire("kept", ttl="60s").json
        with frozen.Frozen(server.pid, "lh-clock") as clock:
            server.process.send_signal(signal.SIGTERM)
            clock.reap()
        self.assertEqual(server.process.wait(harness.PATIENCE), 70)
        self.assertIn("did not stop in good order", server.log_text())
        server.start()
        self.assertEqual(server.get("/leases/" + lease["lease"]).status, 200)


class ClockThatStands(Served):
    def test_health_readiness_and_live_say_so_and_grants_go_on(self):
        server = self.serve().start()
        live = [harness.PROGRAM, "live", "--url", f"http://127.0.0.1:{server.port}"]
        self.assertEqual(subprocess.run(live, capture_output=True).returncode, 0)
        with frozen.Frozen(server.pid, "lh-clock"):
            eventually(lambda: server.get("/healthz").status == 503, "the stall being noticed")
            for path in ("/healthz", "/readyz"):
                self.assertEqual(server.get(path)["code"], "clock-stalled")
            self.assertEqual(server.acquire("a").status, 201)
            said = subprocess.run(live, capture_output=True, text=True)
            self.assertEqual(said.returncode, 69, said)
            self.assertIn("clock", said.stderr)
        eventually(lambda: server.get("/healthz").status == 200, "a clock that turns again")


if __name__ == "__main__":
    unittest.main()
