# Rows: C27
"""A holder of a slot dies, natively or over HTTP, or the service does: every slot comes back, exactly once."""

import http.client
import unittest

from perlside import Path, eventually


class Death(Path):
    def bound(self, action, **parameters):
        connection = self.server.connection()
        self.addCleanup(connection.close)
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        connection.request("POST", f"/locks/path:{self.path.replace('/', '%2F')}/{action}?{query}")
        response = connection.getresponse()
        self.assertEqual(response.status, 201, response.readline())
        return connection

    def test_a_connection_ends(self):
        for project, maker in ((1, "perl"), (2, "http")):
            if maker == "http":
                self.release(self.leased(project=project))
            perl = self.user(project=project)
            for action, parameters in (("hold", {}), ("acquire", {"bind": "connection"})):
                with self.subTest(maker=maker, action=action):
                    connection = self.bound(action, project=project, **parameters)
                    perl.send("$c->acquire(wait => 1, undo => 0)")
                    self.sleeping(1, project=project)
                    connection.sock.close()
                    connection.close()
                    self.assertEqual(perl.answer(), [1])
                    perl.do("$c->release")
                    self.assertEqual(self.user_values(project=project), [1])

    def test_a_process_ends(self):
        target = f"/locks/path:{self.path.replace('/', '%2F')}/acquire"
        for project, maker in ((1, "perl"), (2, "http")):
            if maker == "http":
                self.release(self.leased(project=project))
            perl = self.user(project=project)
            for end in ("kill", "exit"):
                with self.subTest(maker=maker, end=end):
                    program = self.perl()
                    lease = self.granted(self.server.over_unix.post(
                        target, project=project, bind=f"pid:{program.pid}", ttl=0))
                    perl.send("$c->acquire(wait => 1, undo => 0)")
                    self.sleeping(1, project=project)
                    getattr(program, end)()
                    self.assertEqual(perl.answer(), [1])
                    self.assertProblem(
                        self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason="process-exited")
                    perl.do("$c->release")
                    self.assertEqual(self.user_values(project=project), [1])

    def test_perl_dies(self):
        for project, maker in ((1, "perl"), (2, "http")):
            for end in ("kill", "exit"):
                with self.subTest(maker=maker, end=end):
                    if maker == "http":
                        self.release(self.leased(project=project))
                    perl = self.user(project=project)
                    self.assertTrue(perl.do("$c->acquire"))
                    waiter = self.acquire_later(project=project)
                    self.sleeping(1, project=project)
                    getattr(perl, end)()
                    self.release(self.granted(waiter.answer()))
                    self.assertEqual(self.user_values(project=project), [1])

    def test_the_service_is_killed_and_then_the_process(self):
        target = f"/locks/path:{self.path.replace('/', '%2F')}/acquire"
        for project, maker in ((3, "perl"), (4, "http")):
            with self.subTest(maker=maker):
                if maker == "http":
                    self.release(self.leased(project=project, limit=2))
                self.user(project=project, value=2)
                living, dying = self.perl(), self.perl()
                for program in (living, dying):
                    self.granted(self.server.over_unix.post(
                        target, project=project, bind=f"pid:{program.pid}", ttl=0))
                self.server.kill()
                dying.kill()
                self.assertEqual(self.user_values(project=project), [0])
                self.server.start()
                eventually(lambda: self.user_values(project=project) == [1], "one of both ended", timeout=1)
                living.kill()
                eventually(lambda: self.user_values(project=project) == [2], "the other, too", timeout=1)

    def test_the_service_is_killed(self):
        """Leases stand, waiters are gone from GETNCNT, connections' leases end after the grace; nothing twice."""
        for project, maker in ((1, "perl"), (2, "http")):
            with self.subTest(maker=maker):
                if maker == "http":
                    self.release(self.leased(project=project, limit=3))
                perl = self.user(project=project, value=3)
                lease = self.leased(project=project, ttl="1h")
                self.bound("hold", project=project)
                self.assertTrue(perl.do("$c->acquire"))
                waiter = self.acquire_later(project=project)
                self.sleeping(1, project=project)
                self.server.kill()
                with self.assertRaises((OSError, http.client.HTTPException)):
                    waiter.answer()
                self.sleeping(0, project=project)
                self.assertEqual(self.user_values(project=project), [0])
                self.server.start()
                self.assertProblem(self.acquire(project=project), 423, "locked")
                eventually(lambda: self.user_values(project=project) == [1], "the held one ends after its grace")
                self.assertEqual(self.at_http(self.name, project=project)["suspects"], 0)
                self.release(lease)
                perl.kill()
                self.assertEqual(self.user_values(project=project), [3])


if __name__ == "__main__":
    unittest.main()
