# Rows: H11
"""What ends by itself gives back: a lease by its time or its connection, PHP by the end of its script or request."""

import unittest

from followed import told
from php_support import PHP, Pending, PHPTest, PHPWeb, eventually


class Ends(PHPTest):
    def over(self, lease, reason):
        """The lease is over for that reason; the problem."""
        gone = lambda: self.server.get(f"/leases/{lease['lease']}").status == 410  # noqa: E731
        eventually(gone, "the lease is over")
        [event] = [entry for entry in told(self.server, "expired", self.lock) if entry["ref"] == lease["ref"]]
        self.assertEqual((event["ref"], event["reason"], event["fence"]), (lease["ref"], reason, lease["fence"]))
        return self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason=reason)

    def test_a_lease_ends_by_its_time_and_php_gets_in(self):
        php = self.opened()
        lease = self.lease()
        self.asks(php, sleepers=1)
        self.granted(self.server.post(f"/leases/{lease['lease']}/renew", ttl="100ms"), 200)
        self.assertIs(php.answer()["result"], True)
        problem = self.over(lease, "ttl")
        self.logged(lease, "ttl")
        self.assertRegex(problem["ended_at"], r"^\d{4}-\d\d-\d\dT")
        self.assertValues([0, 1, 0])
        self.ends(php, leaving=[1, 0, 0])
        metrics = self.server.get("/metrics").text
        self.assertRegex(metrics, r'leasehold_\w*(ended|expired)\w*(\{[^}]*reason="expired"[^}]*\})? [1-9]')

    def test_a_lease_ends_with_its_connection_and_php_gets_in(self):
        php = self.opened()
        connection = self.server.connection()
        lease = self.granted(
            self.server.request("POST", f"/locks/{self.lock}/acquire?bind=connection", connection=connection)
        )
        self.asks(php, sleepers=1)
        self.assertValues([0, 1025, 0])
        connection.close()
        self.assertIs(php.answer()["result"], True)
        self.over(lease, "connection-closed")
        self.logged(lease, "connection-closed")
        self.assertValues([0, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_a_hold_ends_with_its_connection_and_php_gets_in(self):
        php = self.opened()
        connection = self.server.connection()
        connection.request("POST", f"/locks/{self.lock}/hold")
        response = connection.getresponse()
        self.assertEqual(response.status, 201)
        response.readline()
        self.assertIs(php.ask("acquire a nowait"), False)
        self.asks(php, sleepers=1)
        response.close()
        connection.close()
        self.assertIs(php.answer()["result"], True)
        self.ends(php, leaving=[1, 0, 0])

    def test_a_lease_ends_with_the_script_that_it_is_bound_to_and_php_gets_in(self):
        for end in ("quit", "kill"):
            with self.subTest(end=end):
                script, php = PHP(), self.opened()
                self.addCleanup(script.kill)
                lease = self.granted(self.server.over_unix.post(
                    f"/locks/{self.lock}/acquire", bind=f"pid:{script.pid}", ttl=0, owner="a script"))
                self.asks(php, sleepers=1)
                self.assertValues([0, 1025, 0])
                getattr(script, end)()
                self.assertIs(php.answer()["result"], True)
                problem = self.over(lease, "process-exited")
                self.assertRegex(problem["ended_at"], r"^\d{4}-\d\d-\d\dT")
                self.assertValues([0, 1, 0])
                self.ends(php, leaving=[1, 0, 0])
                self.logged(lease, "process-exited")
        self.assertRegex(
            self.server.get("/metrics").text, r'leasehold_leases_ended_total\{reason="process_exited"\} [1-9]')

    def logged(self, lease, reason):
        """A line in the log says that the lease is over, and does not tell its id."""
        words = (lease["ref"], self.lock, reason)
        lines = lambda: [line for line in self.server.log_text().splitlines()  # noqa: E731
                         if all(word in line for word in words)]
        eventually(lines, "a line in the log")
        self.assertNotIn(lease["lease"], self.server.log_text())

    def test_a_script_that_ends_holding_gives_back_without_a_warning(self):
        php = self.holding()
        waiter = self.acquire_later(sleepers=1)
        php.quit()
        self.assertEqual(php.process.returncode, 0)
        lease = self.granted(waiter.answer())
        self.become([0, 1024, 0])
        self.release(lease, leaving=[1, 0, 0])

    def test_a_script_that_is_killed_gives_back(self):
        for end in ("die", None):
            php = self.holding()
            waiter = self.acquire_later(sleepers=1)
            if end:
                php.send(end)  # posix_kill(getmypid(), SIGKILL)
                php.process.wait(10)
            else:
                php.kill()
            self.release(self.granted(waiter.answer()))
            self.become([1, 0, 0])

    def test_a_handle_whose_last_reference_goes_gives_back(self):
        php = self.holding()
        waiter = self.acquire_later(sleepers=1)
        self.assertIs(php.ask("free a"), True)
        self.release(self.granted(waiter.answer()))
        self.become([1, 0, 0])


class WebRequests(PHPTest):
    """The same in PHP's web server, whose one worker lives on after the request."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = PHPWeb()
        cls.addClassCleanup(cls.web.stop)

    def page(self, name, **query):
        return self.web.get(name, key=self.sysv_key, **query)

    def test_a_request_that_ends_holding_gives_back(self):
        self.assertEqual(self.page("hold"), "held")
        self.become([1, 0, 0])
        self.release(self.lease())
        self.assertEqual(self.page("hold"), "held")
        self.become([1, 0, 0])

    def test_a_request_finds_a_lease_in_its_way(self):
        lease = self.lease()
        self.assertEqual(self.page("try"), "taken")
        self.become([0, 1024, 0])
        self.release(lease)
        self.assertEqual(self.page("try"), "free")
        self.become([1, 0, 0])

    def test_a_request_waits_for_a_lease(self):
        lease = self.lease()
        waiting = Pending(lambda: self.page("hold"))
        self.waiters(1)
        self.assertFalse(waiting.done)
        self.release(lease)
        self.assertEqual(waiting.answer(), "held")
        self.become([1, 0, 0])


if __name__ == "__main__":
    unittest.main()
