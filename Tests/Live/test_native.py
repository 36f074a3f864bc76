"""HTTP callers and native programs (real perl, semop with SEM_UNDO) exclude each other on the same semaphores."""

import http.client
import unittest

from harness import LiveTest, eventually
from native import Native


class NativeProgram(LiveTest):
    def native(self, suffix="", **parameters):
        """A perl program for a lock that HTTP made and left."""
        lease = self.granted(self.server.acquire(self.key(suffix), **parameters))
        self.server.release(lease)
        program = Native(lease["sysv"])
        self.addCleanup(program.kill)
        return program

    def test_http_is_refused_while_perl_holds_and_the_lock_says_so(self):
        perl = self.native()
        self.assertEqual(perl.ask(perl.take()), "ok")
        self.assertProblem(self.server.acquire(self.key()), 423, "locked", holders=[], available=0)
        lock = self.server.lock(self.key())
        self.assertEqual((lock["native_held"], lock["available"], lock["holders"]), (perl.sysv["units"], 0, []))
        self.assertEqual(lock["sysv"]["pid"], perl.pid)
        self.assertEqual(perl.ask(perl.give()), "ok")
        self.granted(self.server.acquire(self.key()))
        self.assertEqual(self.server.lock(self.key())["native_held"], 0)

    def test_perl_blocks_while_http_holds_and_goes_on_at_release(self):
        perl = self.native()
        lease = self.granted(self.server.acquire(self.key()))
        self.assertEqual(perl.ask(perl.take(nowait=True)), "error EAGAIN")
        perl.send(perl.take())
        self.assertIsNone(perl.answer(0.3), "perl did not block")
        eventually(lambda: self.server.lock(self.key())["sysv"]["ncnt"] == 1, "the kernel counts perl as waiting")
        self.granted(self.server.release(lease), 200)
        self.assertEqual(perl.answer(), "ok")
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")

    def test_perl_goes_on_when_the_lease_expires(self):
        perl = self.native()
        self.granted(self.server.acquire(self.key(), ttl="500ms"))
        self.assertEqual(perl.ask(perl.take()), "ok")

    def test_perl_reads_while_http_reads_and_writes_alone(self):
        reader = self.native(mode="shared")
        self.assertEqual(reader.sysv["units"], 1)
        lease = self.granted(self.server.acquire(self.key(), mode="shared"))
        self.assertEqual(reader.ask(reader.take()), "ok")
        self.server.release(lease)
        self.assertProblem(self.server.acquire(self.key(), mode="exclusive"), 423, "locked")
        self.granted(self.server.acquire(self.key(), mode="shared"))
        self.assertEqual(self.server.lock(self.key())["native_held"], 1)

    def test_a_kill_of_the_daemon_while_perl_holds_loses_nothing(self):
        perl = self.native()
        self.assertEqual(perl.ask(perl.take()), "ok")
        waiter = self.server.acquire_later(self.key())
        self.server.kill()
        with self.assertRaises((OSError, http.client.HTTPException)):
            waiter.answer()
        self.server.start()
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        perl.kill()
        lease = self.granted(self.server.acquire(self.key(), wait="20s"))
        self.assertEqual(self.server.release(lease).status, 200)


if __name__ == "__main__":
    unittest.main()
