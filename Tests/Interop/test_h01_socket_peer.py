# Rows: H1 H3
"""Over the Unix socket a caller is who it is: HTTP gives nobody a right that the set's owner and mode bits refuse."""

import json
import os
import subprocess
import sys
import unittest

from php_support import AS_NOBODY, NOBODY, PHPTest, Server, can_be, proc_sets, set_id

ASK = """
import http.client, json, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
connection = Unix("localhost")
connection.request(sys.argv[2], sys.argv[3])
answer = connection.getresponse()
print(json.dumps([answer.status, json.loads(answer.read())]))
"""


@unittest.skipUnless(can_be(NOBODY), "needs root to be two users")
class SocketPeer(PHPTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--unix-mode", "0666").ends_with(cls).start()

    def nobody(self, method, target):
        """Status and body of a request that a process of nobody sends over the socket."""
        # The system's interpreter, and its own modules only (-I): nobody may not be able to read where this one is.
        python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
        command = [*AS_NOBODY, python, "-I", "-c", ASK, self.server.unix, method, target]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(result.stdout)

    def test_a_set_of_root_alone_is_refused_to_nobody(self):
        php = self.php()
        self.assertIs(php.ask(f"get a {self.sysv_key} 1 0600"), True)
        status, body = self.nobody("POST", f"/locks/{self.lock}/acquire")
        self.assertEqual((status, body.get("code"), body.get("errno")), (403, "permission-denied", "EACCES"), body)
        self.assertValues([1, 1, 0])

    def test_nor_shown_opened_or_taken_by_another_name(self):
        php = self.php()
        self.assertIs(php.ask(f"get a {self.sysv_key} 1 0600"), True)
        for method, target in (
            ("POST", f"/locks/sysv:{self.sysv_key}.0/acquire"),
            ("POST", f"/locks/sysv:id:{self.set}.0/acquire"),
            ("POST", f"/locks/{self.lock}/hold"),
            ("POST", f"/locks/{self.lock}/acquire?wait=5s"),
            ("PUT", f"/locks/{self.lock}"),
            ("GET", f"/locks/{self.lock}"),
            ("DELETE", f"/locks/{self.lock}?force=true"),
        ):
            with self.subTest(f"{method} {target}"):
                status, body = self.nobody(method, target)
                errno = "EPERM" if method == "DELETE" else "EACCES"
                self.assertEqual((status, body.get("code"), body.get("errno")), (403, "permission-denied", errno), body)
        self.assertValues([1, 1, 0])
        php.quit()

    def test_read_only_is_to_look_and_not_to_lock(self):
        php = self.php()
        self.assertIs(php.ask(f"get a {self.sysv_key} 1 0644"), True)
        status, body = self.nobody("GET", f"/locks/{self.lock}")
        self.assertEqual((status, body.get("available")), (200, 1), body)
        status, body = self.nobody("POST", f"/locks/{self.lock}/acquire")
        self.assertEqual((status, body.get("errno")), (403, "EACCES"), body)

    def test_a_set_of_root_is_not_removed_for_nobody(self):
        self.release(self.lease())
        status, body = self.nobody("DELETE", f"/locks/{self.lock}")
        self.assertEqual((status, body.get("code"), body.get("errno")), (403, "permission-denied", "EPERM"), body)
        self.assertIsNotNone(set_id(self.sysv_key))

    def test_a_set_for_everybody_is_granted_to_nobody(self):
        php = self.opened()
        status, body = self.nobody("POST", f"/locks/{self.lock}/acquire")
        self.assertEqual(status, 201, body)
        self.assertIs(php.ask("acquire a nowait"), False)
        self.release(body)
        self.ends(php, leaving=[1, 0, 0])

    def test_a_set_made_for_nobody_belongs_to_nobody(self):
        status, body = self.nobody("POST", f"/locks/{self.lock}/acquire?perm=0600")
        self.assertEqual(status, 201, body)
        row = proc_sets()[self.set]
        self.assertEqual((row["uid"], row["gid"], row["mode"], row["cuid"]), (NOBODY, NOBODY, 0o600, 0))
        php = self.php(prefix=AS_NOBODY)
        self.assertIs(php.ask(f"get a {self.sysv_key}"), True)
        self.assertIs(php.ask("acquire a nowait"), False)
        self.release(body)
        self.assertIs(php.ask("acquire a nowait"), True)
        self.assertIs(php.ask("remove a"), True)
        php.quit()


if __name__ == "__main__":
    unittest.main()
