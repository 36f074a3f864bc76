# Rows: H30
"""auto_release: no difference in the CLI; in a web worker, a request without it keeps the lock for the worker."""

import unittest

from php_support import PHPTest, PHPWeb, eventually


class CommandLine(PHPTest):
    def test_false_gives_back_at_the_end_of_the_script_all_the_same(self):
        for auto_release in (0, 1):
            php = self.php()
            self.assertIs(php.ask(f"get a {self.sysv_key} 1 0666 {auto_release}"), True)
            self.assertIs(php.ask("acquire a"), True)
            waiter = self.acquire_later(sleepers=1)
            php.quit()
            lease = self.granted(waiter.answer())
            self.become([0, 1024, 0])
            self.release(lease, leaving=[1, 0, 0])

    def test_false_and_the_handle_goes_nothing_comes_back(self):
        php = self.php()
        self.assertIs(php.ask(f"get a {self.sysv_key} 1 0666 0"), True)
        self.assertIs(php.ask("acquire a"), True)
        self.assertIs(php.ask("free a"), True)
        self.assertValues([0, 1, 0])
        self.assertProblem(self.acquire(), 423, "locked")
        self.ends(php, leaving=[1, 0, 0])

    def test_a_lease_bound_to_a_connection_and_a_plain_one(self):
        connection = self.server.connection()
        bound = self.granted(
            self.server.request("POST", f"/locks/{self.lock}/acquire?bind=connection&limit=2", connection=connection)
        )
        other = self.server.connection()
        plain = self.granted(self.server.request("POST", f"/locks/{self.lock}/acquire?limit=2", connection=other))
        self.assertValues([0, 2048, 0])
        connection.close()
        other.close()
        eventually(lambda: self.server.get(f"/leases/{bound['lease']}").status == 410, "the bound lease is over")
        self.assertValues([1, 1024, 0])
        self.granted(self.server.get(f"/leases/{plain['lease']}"), 200)
        self.release(plain, leaving=[2, 0, 0])


class WebWorker(PHPTest):
    def test_false_keeps_the_lock_until_the_worker_ends(self):
        web = PHPWeb()
        self.addCleanup(web.stop)
        page = lambda name, **query: web.get(name, key=self.sysv_key, **query)  # noqa: E731
        self.assertEqual(page("hold", auto=0), "held")
        self.assertValues([0, 1, 0])
        # Neither the next request of the same worker nor HTTP gets it, and nobody can give it back.
        self.assertEqual(page("try"), "taken")
        self.assertEqual(page("release"), "refused")
        self.become([0, 1, 0])
        self.assertProblem(self.acquire(), 423, "locked", holders=[])
        # Each request without it stays counted.
        self.assertEqual(page("release", auto=0), "refused")
        self.become([0, 2, 0])
        waiter = self.acquire_later(sleepers=1)
        web.stop()
        lease = self.granted(waiter.answer())
        self.become([0, 1024, 0])
        self.release(lease, leaving=[1, 0, 0])

    def test_true_gives_back_at_the_end_of_the_request(self):
        web = PHPWeb()
        self.addCleanup(web.stop)
        self.assertEqual(web.get("hold", key=self.sysv_key, auto=1), "held")
        self.become([1, 0, 0])
        self.release(self.lease(), leaving=[1, 0, 0])


if __name__ == "__main__":
    unittest.main()
