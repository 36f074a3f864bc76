"""On the Unix socket a user gets no more, and no less, of a set or a segment than its own system calls give."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from as_user import IPC_CREAT, IPC_RMID, LIBC, Buffer
from harness import Server

NOBODY, OTHER_GROUP = 65534, 4242
HERE = os.path.dirname(os.path.abspath(__file__))


@unittest.skipUnless(os.geteuid() == 0, "SKIPPED: needs root, to be two users")
class SocketUsers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--unix-mode", "0666").ends_with(cls).start()
        # The other user must be able to read the script.
        cls.script_folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.script_folder)
        os.chmod(cls.script_folder, 0o755)
        cls.script = shutil.copy(os.path.join(HERE, "as_user.py"), cls.script_folder)

    def make(self, key, mode, group=0):
        """A set of three semaphores that belong to root, each 1, and a segment with PHP's header."""
        made = LIBC.semget(key, 3, IPC_CREAT | 0o600)
        self.assertGreaterEqual(made, 0)
        self.addCleanup(lambda: LIBC.semctl(made, 0, IPC_RMID, Buffer()))
        self.assertEqual(self.server.get(f"/semaphores/id:{made}").status, 200)
        self.assertEqual(self.server.request("PUT", f"/semaphores/id:{made}/values?values=1,1,1").status, 200)
        segment_key = key + 0x1000
        segment = self.server.post("/segments", key=hex(segment_key), size=1000, mode="0600", init="true").json["id"]
        self.addCleanup(lambda: LIBC.shmctl(segment, IPC_RMID, None))
        # The guard of the segment is everybody's: it is the segment that is looked at.
        guard = LIBC.semget(segment_key, 3, IPC_CREAT | 0o666)
        self.addCleanup(lambda: LIBC.semctl(guard, 0, IPC_RMID, Buffer()))
        self.assertEqual(self.server.request("PUT", f"/shm/1?segment=id:{segment}", "1").status, 201)
        for path in (f"/semaphores/id:{made}", f"/segments/id:{segment}"):
            answer = self.server.request("PATCH", f"{path}?mode={mode:04o}&gid={group}")
            self.assertEqual(answer.status, 200, answer)
        return made, key, segment, segment_key

    def try_all(self, objects, *identity):
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", *identity]
        command = [*user, "python3", self.script, self.server.unix, *map(str, objects)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        rows = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertGreater(len(rows), 25)
        return rows

    def same(self, rows):
        """What the kernel refuses is 403, with no other way out, and nothing else is."""
        for way, over_http, native in rows:
            with self.subTest(way):
                self.assertNotRegex(over_http, "^(400|404|405|415|5)", f"{way} never came to the question")
                if native in ("EACCES", "EPERM"):
                    self.assertEqual(over_http, "403 permission-denied", f"natively {native}")
                else:
                    self.assertNotIn("403", over_http, f"natively {native}")

    def test_a_private_set_and_segment_are_closed(self):
        objects = self.make(0x5EC0010, 0o600)
        rows = self.try_all(objects, "--clear-groups")
        self.assertEqual({native for _, _, native in rows} - {"EACCES", "EPERM"}, set(), rows)
        self.same(rows)
        # And nothing happened.
        made, _, segment, _ = objects
        self.assertEqual(self.server.get(f"/semaphores/id:{made}")["values"], [1, 1, 1])
        self.assertEqual(self.server.get(f"/semaphores/id:{made}")["mode"], "0600")
        self.assertEqual(self.server.get(f"/segments/id:{segment}")["mode"], "0600")
        self.assertEqual(self.server.get(f"/shm/1?segment=id:{segment}").json, 1)

    def test_every_mode_lets_do_what_it_lets_do(self):
        for number, mode in enumerate((0o604, 0o602, 0o606, 0o660, 0o640, 0o066, 0o000)):
            with self.subTest(oct(mode)):
                self.same(self.try_all(self.make(0x5EC0100 + number, mode), "--clear-groups"))

    def test_supplementary_groups_count(self):
        for number, mode in enumerate((0o660, 0o640, 0o620, 0o606)):
            with self.subTest(oct(mode)):
                objects = self.make(0x5EC0200 + number, mode, OTHER_GROUP)
                rows = self.try_all(objects, f"--groups=1,2,3,{OTHER_GROUP}")
                if mode == 0o660:
                    self.assertTrue(any(native == "ok" for _, _, native in rows))
                self.same(rows)

    def test_who_has_many_groups_is_in_the_last_of_them_too(self):
        objects = self.make(0x5EC0300, 0o660, OTHER_GROUP)
        rows = self.try_all(objects, "--groups=" + ",".join(map(str, [*range(5000, 5200), OTHER_GROUP])))
        self.same(rows)

    def test_what_a_user_makes_is_its_own(self):
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "curl", "-s", "--unix-socket"]
        made = json.loads(subprocess.run(
            [*command, self.server.unix, "-X", "POST", "http://localhost/segments?key=private&size=100&mode=0600"],
            check=True, capture_output=True).stdout)
        self.addCleanup(lambda: LIBC.shmctl(made["id"], IPC_RMID, None))
        self.assertEqual((made["uid"], made["gid"], made["mode"]), (NOBODY, NOBODY, "0600"))

    def test_leases_of_others_stay(self):
        """DELETE /leases?owner= asks for no id, so it reaches a user's own leases alone; root's reaches all."""
        mine = self.server.over_unix.acquire("of-root", owner="somebody").json
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        over_socket = [*user, "curl", "-s", "--unix-socket", self.server.unix]

        def as_nobody(*words):
            return json.loads(subprocess.run([*over_socket, *words], check=True, capture_output=True).stdout)

        theirs = as_nobody("-X", "POST", "http://localhost/locks/of-nobody/acquire?owner=somebody")
        released = as_nobody("-X", "DELETE", "http://localhost/leases?owner=somebody")
        self.assertEqual(released["leases"], [theirs["ref"]])
        self.assertEqual(self.server.over_unix.delete("/leases", owner="somebody")["leases"], [mine["ref"]])


if __name__ == "__main__":
    unittest.main()
