# Rows: H3 H1 H28
"""The set's own mode bits: given at creation by either side, and obeyed."""

import unittest

from php_support import AS_NOBODY, NOBODY, PHPTest, Server, can_be, proc_sets, set_id


class Permissions(PHPTest):
    def mode(self):
        return proc_sets()[self.set]["mode"]

    def test_http_makes_a_set_0666(self):
        self.release(self.lease())
        self.assertEqual(self.mode(), 0o666)

    def test_http_makes_a_set_with_perm(self):
        for text, mode in (("0600", 0o600), ("640", 0o640), ("0777", 0o777), ("00666", 0o666), ("0", 0)):
            with self.subTest(text):
                self.setUp()
                answer = self.server.request("PUT", f"/locks/{self.lock}?perm={text}")
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(self.mode(), mode)

    def test_perm_counts_at_creation_only(self):
        php = self.php()
        self.assertIs(php.ask(f"get a {self.sysv_key} 1 0640"), True)
        self.assertEqual(self.mode(), 0o640)
        lease = self.lease(perm="0666")
        self.assertEqual(self.mode(), 0o640)
        self.release(lease)
        self.setUp()
        self.release(self.lease(perm="0600"))
        self.assertIs(php.ask(f"get b {self.sysv_key} 1 0666"), True)
        self.assertEqual(self.mode(), 0o600)
        self.ends(php, leaving=[1, 0, 0])

    def test_what_is_no_mode(self):
        for text in ("rw", "0888", "-1", "", "0x1ff"):
            with self.subTest(text):
                self.assertProblem(self.acquire(perm=text), 400, "invalid-parameter")
        self.assertProblem(self.acquire(perm="1777"), 400, "out-of-range")
        answer = self.server.json_post(f"/locks/{self.lock}/acquire", {"perm": 600})
        self.assertProblem(answer, 400, "invalid-parameter")
        self.assertIsNone(set_id(self.sysv_key))
        self.granted(self.server.json_post(f"/locks/{self.lock}/acquire", {"perm": "600"}))
        self.assertEqual(self.mode(), 0o600)


@unittest.skipUnless(can_be(NOBODY), "needs root to be two users")
class AnotherUser(PHPTest):
    """The service as nobody, PHP as root and as nobody."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(prefix=AS_NOBODY).ends_with(cls).start()

    def test_a_set_of_root_alone(self):
        root = self.php()
        self.assertIs(root.ask(f"get a {self.sysv_key} 1 0600"), True)
        nobody = self.php(prefix=AS_NOBODY)
        warning = nobody.warned(f"get a {self.sysv_key}")
        self.assertEqual(warning, f"sem_get(): Failed for key 0x{self.sysv_key:x}: Permission denied")
        for answer in (self.acquire(), self.server.request("PUT", f"/locks/{self.lock}")):
            self.assertProblem(answer, 403, "permission-denied", errno="EACCES")
        self.assertValues([1, 1, 0])
        self.ends(root, leaving=[1, 0, 0])

    def test_a_set_that_only_the_owner_may_write(self):
        root = self.php()
        self.assertIs(root.ask(f"get a {self.sysv_key} 1 0644"), True)
        self.assertProblem(self.acquire(), 403, "permission-denied", errno="EACCES")
        self.assertValues([1, 1, 0])

    def test_a_set_of_root_for_everybody(self):
        root = self.php()
        self.assertIs(root.ask(f"get a {self.sysv_key}"), True)
        lease = self.lease()
        self.assertIs(root.ask("acquire a nowait"), False)
        self.release(lease)
        self.assertIs(root.ask("acquire a nowait"), True)
        self.assertProblem(self.acquire(), 423, "locked")
        # Used by everybody, removed by its owner only.
        nobody = self.php(prefix=AS_NOBODY)
        self.assertIs(nobody.ask(f"get a {self.sysv_key}"), True)
        warning = nobody.warned("remove a")
        self.assertEqual(
            warning, f"sem_remove(): Failed for SysV semaphore for key 0x{self.sysv_key:x}: Operation not permitted"
        )
        nobody.quit()
        answer = self.server.delete(f"/locks/{self.lock}", force="true")
        self.assertProblem(answer, 403, "permission-denied", errno="EPERM")
        self.ends(root, leaving=[1, 0, 0])

    def test_a_set_of_the_service_for_nobody_else(self):
        lease = self.lease(perm="0600")
        self.assertEqual(proc_sets()[self.set]["uid"], NOBODY)
        nobody = self.php(prefix=AS_NOBODY)
        self.assertIs(nobody.ask(f"get a {self.sysv_key}"), True)
        self.assertIs(nobody.ask("acquire a nowait"), False)
        self.release(lease)
        self.assertIs(nobody.ask("acquire a nowait"), True)
        self.ends(nobody, leaving=[1, 0, 0])


if __name__ == "__main__":
    unittest.main()
