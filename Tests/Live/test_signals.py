"""What signals do to the daemon, whatever it is doing."""

import os
import signal
import subprocess
import unittest

import harness


class Served(unittest.TestCase):
    def serve(self, *options):
        server = harness.Server(*options)
        self.addCleanup(server.stop)
        return server


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


if __name__ == "__main__":
    unittest.main()
