# Rows: A1
"""No semaphores at all: Perl dies at its first acquire, the service says so in /readyz; with them both are ready."""

import os
import sys
import unittest

from perlside import HERE, Apache, Died, Server, eventually, options, quoted
from refuse import is_known

NAMES = {"ENOSYS": "Function not implemented", "EPERM": "Operation not permitted"}


def refusing(error):
    return (sys.executable, os.path.join(HERE, "refuse.py"), "semget", error)


class Ready(Apache):
    def test_ready_where_perl_can(self):
        self.assertEqual(self.server.get("/readyz").status, 200)
        perl = self.locker()
        self.assertEqual(perl.do("ref $l"), "Apache::Session::Lock::Semaphore")
        self.assertEqual(self.look(self.semkey), [], "new makes no system call")
        self.does(perl, "$l->acquire_read_lock($s)", leaving=(1, 0))

    def test_perl_dies_at_its_first_acquire_and_not_in_new(self):
        if not is_known("semget"):
            self.skipTest("the number of semget on this machine is not known here")
        for error, message in NAMES.items():
            perl = self.perl(*refusing(error))
            perl.list(f"($l, $s) = locker({quoted(self.session)}, {options(SemaphoreKey=self.semkey)})")
            self.assertEqual(perl.do("ref $l"), "Apache::Session::Lock::Semaphore")
            with self.assertRaisesRegex(Died, f"Cannot create semaphore with key .*: {message}"):
                perl.do("$l->acquire_read_lock($s)")

    def test_the_service_says_why_it_cannot_serve(self):
        """Either it answers 503 to everything, or it does not start; silence it must not be."""
        if not is_known("semget"):
            self.skipTest("the number of semget on this machine is not known here")
        for error, message in NAMES.items():
            server = Server(prefix=refusing(error)).ends_with(self).spawn()
            answer = eventually(lambda server=server: self.readiness(server), "an answer, or an end")
            if answer == "ended":
                self.assertNotIn(server.process.returncode, (0, None))
                self.assertRegex(server.log_text(), f"semget.*: {message}")
            else:
                self.assertProblem(answer, 503, "sysv-unavailable", errno=error)
                self.assertEqual(server.get("/healthz").status, 200)

    @staticmethod
    def readiness(server):
        if server.process.poll() is not None:
            return "ended"
        try:
            return server.get("/readyz", timeout=2)
        except OSError:
            return None


if __name__ == "__main__":
    unittest.main()
