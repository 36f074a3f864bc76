"""Bearer tokens: who may do what, and how they are read."""

import os
import signal
import unittest

import access
from harness import NOBODY, LiveTest, Server, eventually


class TokenTest(LiveTest):
    @classmethod
    def setUpClass(cls):
        cls.server = access.TokenServer(*cls.arguments).ends_with(cls).start()
        for name in cls.server.tokens:
            setattr(cls, name, cls.server.with_token(name))


class Tokens(TokenTest):
    def test_everything_but_health_and_the_docs_needs_a_token(self):
        for method, target in (
            ("GET", "/locks"), ("GET", "/metrics"), ("GET", "/openapi.yaml"), ("GET", "/version"), ("GET", "/"),
            ("POST", "/locks/a/acquire"), ("DELETE", "/leases?owner=x"), ("GET", "/nowhere"), ("HEAD", "/locks"),
        ):
            with self.subTest(f"{method} {target}"):
                answer = self.server.request(method, target)
                self.assertEqual(answer.status, 401)
                self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Bearer"))
        self.assertProblem(self.server.get("/locks"), 401, "unauthenticated")
        self.assertEqual(self.server.get("/healthz").status, 200)
        self.assertEqual(self.server.get("/readyz").status, 200)
        self.assertEqual(self.server.get("/docs").status, 200)

    def test_other_tokens_and_schemes_are_401(self):
        good = self.server.tokens["admin"]
        for header in ("Bearer", "Bearer ", "Bearer x", f"Bearer {good}x", f"Bearer {good[:-1]}", f"Basic {good}", good,
                       "Bearer " + "x" * 5000, f"Bearer  {good}", f"Bearer {good} {good}"):
            with self.subTest(header[:80]):
                answer = self.server.get("/locks", headers={"Authorization": header})
                self.assertProblem(answer, 401, "unauthenticated")
        self.assertEqual(self.server.get("/locks", headers={"authorization": f"bEARER {good}"}).status, 200)

    def test_a_role_may_what_it_may(self):
        rows = [  # method, target, least role
            ("GET", "/locks", "read"), ("GET", "/leases", "read"), ("GET", "/semaphores", "read"),
            ("GET", "/metrics", "read"), ("GET", "/version", "read"), ("GET", "/openapi.yaml", "read"),
            ("POST", "/locks/role/acquire?limit=9", "lock"), ("PUT", "/locks/role?limit=9", "lock"),
            ("POST", "/semaphores/0x77/op?ops=0:1", "lock"), ("DELETE", "/leases?owner=role", "lock"),
            ("DELETE", "/locks/role-gone", "lock"), ("PUT", "/semaphores/0x77/values?values=1", "lock"),
            ("DELETE", "/locks/role-gone?force=true", "admin"), ("PUT", "/locks/role?limit=9&resize=true", "admin"),
            ("PUT", "/semaphores/0x77/values?values=1&force=true", "admin"),
            ("POST", "/semaphores?key=private&nsems=0", "admin"), ("DELETE", "/semaphores/0x77", "admin"),
            ("PATCH", "/semaphores/0x77?mode=0600", "admin"), ("POST", "/segments?key=private&size=1", "admin"),
            ("PATCH", "/segments/0x77?mode=0600", "admin"), ("DELETE", "/segments/0x77", "admin"),
        ]
        for method, target, least in rows:
            for name in ("read", "lock", "admin"):
                with self.subTest(f"{name}: {method} {target}"):
                    answer = getattr(self, name).request(method, target)
                    if ["read", "lock", "admin"].index(name) >= ["read", "lock", "admin"].index(least):
                        self.assertNotIn(answer.status, (401, 403), answer)
                    else:
                        # What a method needs comes first, then what force=true and resize=true need.
                        needed = "lock" if name == "read" and "=true" in target else least
                        self.assertProblem(answer, 403, "forbidden", needed_role=needed, role=name, token=name)

    def test_force_in_a_body_is_seen_too(self):
        held = self.granted(self.lock.acquire(self.key()))
        path = f"/locks/{self.key()}"
        body = {"Content-Type": "application/json"}
        answer = self.lock.request("DELETE", path, '{"force": true}', body)
        self.assertProblem(answer, 403, "forbidden", needed_role="admin")
        self.assertEqual(self.lock.get(f"/leases/{held['lease']}").status, 200)
        self.assertEqual(self.admin.request("DELETE", path, '{"force": true}', body).status, 200)

    def test_a_part_of_the_keys(self):
        lease = self.granted(self.part.acquire("app-1"))
        self.assertEqual(lease["ttl_ms"], 30000)
        for key in ("app", "other", "App-1", "sysv:1.0", "path:/tmp/x", "apache:app-1"):
            with self.subTest(key):
                answer = self.part.acquire(key)
                self.assertProblem(answer, 403, "forbidden", token="part", allowed_prefixes=["app-", "php:"])
                self.assertProblem(self.part.lock(key), 403, "forbidden")
        self.assertEqual(self.part.acquire("php:0x7a11").status, 201)
        # Lists show the part that was asked for.
        self.assertEqual(self.part.release(lease).status, 200)
        self.assertProblem(self.part.get("/locks"), 403, "forbidden")
        self.assertProblem(self.part.get("/leases", key="ap"), 403, "forbidden")
        self.assertEqual(self.part.get("/locks", key="app-").status, 200)
        for target in (
            "/semaphores", "/semaphores/0x77", "/segments", "/shm", "/shm/x?segment=0x77", "/segments/1/bytes"
        ):
            self.assertProblem(self.part.get(target), 403, "forbidden")
        self.assertProblem(self.part.post("/semaphores/0x77/op", ops="0:1"), 403, "forbidden")

    def test_an_owner_releases_its_own(self):
        mine = self.granted(self.lock.acquire(self.key("-1"), owner="all of us"))
        theirs = self.granted(self.other.acquire(self.key("-2"), owner="all of us"))
        local = self.granted(self.server.over_unix.acquire(self.key("-3"), owner="all of us"))
        released = self.lock.delete("/leases", owner="all of us").json
        self.assertEqual(released["leases"], [mine["ref"]])
        self.assertEqual(self.other.get(f"/leases/{theirs['lease']}").status, 200)
        released = self.admin.delete("/leases", owner="all of us").json
        self.assertEqual(set(released["leases"]), {theirs["ref"], local["ref"]})

    def test_the_unix_socket_needs_none_and_takes_one(self):
        self.assertEqual(self.server.over_unix.get("/locks").status, 200)
        wrong = {"Authorization": "Bearer wrong"}
        self.assertProblem(self.server.over_unix.get("/locks", headers=wrong), 401, "unauthenticated")
        read = {"Authorization": f"Bearer {self.server.tokens['read']}"}
        answer = self.server.over_unix.acquire(self.key(), headers=read)
        self.assertProblem(answer, 403, "forbidden")

    def test_refusals_are_logged_and_counted_and_show_no_secret(self):
        lease = self.granted(self.lock.acquire(self.key()))
        guess = "lh_" + "5ec2e7" * 10
        guessing = {"Authorization": f"Bearer {guess}"}

        def is_logged():
            self.assertEqual(self.server.get(f"/leases/{lease['lease']}", headers=guessing).status, 401)
            return "code=unauthenticated operation=getLease" in self.server.log_text()

        # Other refusals of the same second may have used up its lines.
        eventually(is_logged, "a line in the log", pause=0.2)
        log = self.server.log_text()
        for secret in (lease["lease"], guess, *self.server.tokens.values()):
            self.assertNotIn(secret, log)
        self.assertRegex(self.admin.get("/metrics").text, r'leasehold_refusals_total\{code="unauthenticated"\} [1-9]')

    def test_a_flood_of_refusals_does_not_flood_the_log(self):
        before = self.server.log_text().count(" refused ")
        connection = self.server.connection()
        for _ in range(200):
            self.server.request("GET", "/locks", connection=connection)
        connection.close()
        eventually(lambda: "left_out=" in self.server.log_text(), "the number that was left out")
        self.assertLess(self.server.log_text().count(" refused ") - before, 120)
        self.assertRegex(self.admin.get("/metrics").text, r"leasehold_refusal_lines_left_out_total [1-9]")


class Files(unittest.TestCase):
    def server(self, *arguments):
        return access.TokenServer(*arguments).ends_with(self)

    def refused(self, server):
        """What a daemon says that does not start."""
        server.spawn()
        self.assertEqual(server.process.wait(20), 78, server.log_text())
        return server.log_text()

    def test_a_file_that_others_can_read_is_refused(self):
        server = self.server()
        for mode in (0o644, 0o604, 0o620, 0o602):
            with self.subTest(oct(mode)):
                os.chmod(server.token_file, mode)
                self.assertIn("others can read or change it; chmod 0600", self.refused(server))

    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: needs root, to give files away")
    def test_a_file_that_another_user_could_change_is_refused(self):
        server = self.server()
        os.chown(server.token_file, NOBODY, -1)
        log = self.refused(server)
        self.assertIn(f"'{server.token_file}' belongs to uid {NOBODY}", log)
        self.assertIn("chown 0 ", log)
        os.chown(server.token_file, 0, 0)
        theirs, real = os.path.join(server.directory, "theirs"), server.token_file + ".real"
        os.rename(server.token_file, real)
        os.symlink(real, server.token_file)
        os.chown(server.token_file, NOBODY, NOBODY, follow_symlinks=False)
        self.assertIn(f"is a link of uid {NOBODY}", self.refused(server))
        os.unlink(server.token_file)
        os.mkdir(theirs)
        os.chown(theirs, NOBODY, NOBODY)
        os.rename(real, os.path.join(theirs, "tokens"))
        os.symlink(os.path.join(theirs, "tokens"), server.token_file)
        self.assertIn(f"in a folder of uid {NOBODY}", self.refused(server))
        os.chown(theirs, 0, 0)
        server.start()

    def test_what_is_no_file_is_refused_at_once(self):
        server = self.server()
        os.unlink(server.token_file)
        os.mkfifo(server.token_file, 0o600)
        self.assertIn("is not a file", self.refused(server))
        os.unlink(server.token_file)
        os.symlink("/dev/zero", server.token_file)
        self.assertIn("is not a file", self.refused(server))
        os.unlink(server.token_file)
        access.write_private(server.token_file, "#" * (1 << 20) + "\n")
        self.assertIn("has more than 1048576 bytes", self.refused(server))

    def test_a_broken_line_is_refused_with_its_number(self):
        server = self.server()
        good, digest = server.lines["admin"], "0" * 64
        for line, words in (
            ("admin", "is the least that a line has"),
            (f"a king sha256:{digest}", "the role is none of"),
            ("a admin sha256:1234", "64 hexadecimal digits"),
            (f"a admin {digest}", "64 hexadecimal digits"),
            (f"a/b admin sha256:{digest}", "a name has"),
            (f"a lock sha256:{digest} keys=", "a prefix in keys="),
            (f"a lock sha256:{digest} keys=x,%zz", "a prefix in keys="),
            (f"a lock sha256:{digest} ttl-max=soon", "ttl-max="),
            (f"a lock sha256:{digest} more=1", "behind the hash"),
            (good, "has that name already"),
            ("a " + good.partition(" ")[2], "has that hash already"),
        ):
            with self.subTest(line):
                server.write_tokens(f"# one\n{good}\n{line}\n")
                log = self.refused(server)
                self.assertIn("line 3: ", log)
                self.assertIn(words, log)
        for text in ("", "# nothing\n"):
            server.write_tokens(text)
            self.assertIn("has 0 tokens", self.refused(server))
        os.remove(server.token_file)
        self.assertIn("No such file", self.refused(server))

    def test_lines_may_end_as_on_windows(self):
        server = self.server()
        lines = [access.make_token(name, "--role", "lock") for name in ("a", "b")]
        server.write_tokens("# one\r\n" + "".join(f"{line}\r\n" for _, line in lines))
        server.start()
        for secret, _ in lines:
            self.assertEqual(access.TokenClient(server.port, secret).get("/locks").status, 200)

    def test_sighup_reads_it_again_or_keeps_what_it_had(self):
        server = self.server().start()
        old, new = server.with_token("lock"), access.make_token("new", "--role", "lock")
        held = old.acquire("kept")
        self.assertEqual(held.status, 201)
        server.write_tokens("nonsense\n")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the tokens stay as they were" in server.log_text(), "the reason in the log")
        self.assertIn("line 1: ", server.log_text())
        self.assertEqual(old.get("/locks").status, 200)
        server.write_tokens(new[1] + "\n")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: old.get("/locks").status == 401, "the old token to be nobody's")
        fresh = access.TokenClient(server.port, new[0])
        self.assertEqual(fresh.get(f"/leases/{held['lease']}").status, 200)

    def test_after_a_restart_leases_are_nobody_s_but_an_administrator_s(self):
        server = self.server().start()
        lock, admin = server.with_token("lock"), server.with_token("admin")
        lease = lock.acquire("kept", owner="me").json
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.assertEqual(lock.delete("/leases", owner="me")["released"], 0)
        self.assertEqual(admin.delete("/leases", owner="me")["leases"], [lease["ref"]])

    def test_the_unix_socket_can_need_one_too(self):
        server = self.server("--unix-needs-token").start()
        self.assertEqual(server.over_unix.get("/locks").status, 401)
        header = {"Authorization": f"Bearer {server.tokens['read']}"}
        self.assertEqual(server.over_unix.get("/locks", headers=header).status, 200)

    def test_sighup_without_a_file_is_harmless(self):
        server = Server().ends_with(self).start()
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "nothing to read again" in server.log_text(), "a line in the log")
        self.assertEqual(server.get("/readyz").status, 200)


class Doors(unittest.TestCase):
    def test_an_open_address_needs_tokens_and_then_tls_or_a_word(self):
        server = access.TokenServer().ends_with(self)
        plain = [word for word in server.arguments if word not in ("--token-file", server.token_file)]
        for arguments, words in ((plain, "so it needs tokens"), (server.arguments, "--insecure-plain-http")):
            server.arguments = [*arguments, "--host", "0.0.0.0"]
            server.spawn()
            self.assertEqual(server.process.wait(20), 64, server.log_text())
            self.assertIn(words, server.log_text())

    def test_a_door_without_tls_is_opened_with_a_warning(self):
        server = access.TokenServer("--host", "0.0.0.0", "--insecure-plain-http").ends_with(self).start()
        self.assertIn("warning INSECURE: tokens travel", server.log_text())
        self.assertEqual(server.with_token("read").get("/locks").status, 200)
        self.assertEqual(server.get("/locks").status, 401)


if __name__ == "__main__":
    unittest.main()
