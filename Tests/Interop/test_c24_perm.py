# Rows: C22 C24
"""Who may: the set's own mode bits and owner decide for HTTP callers as they do for Perl programs."""

import os
import subprocess
import unittest

from perlside import AS_NOBODY, NOBODY, Apache, Died, Path, Perl, Server, can_be, ipcs, options, quoted


class Mode(Path):
    """The mode bits of a path: set."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not can_be(NOBODY):
            raise unittest.SkipTest("needs root, to be somebody else")
        cls.stranger_server = Server(prefix=AS_NOBODY).ends_with(cls).start()

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o777)
        self.stranger = self.perl(*AS_NOBODY)

    def opened(self):
        self.stranger.do(f"$c = Concurrency->new({quoted(self.path)}); 1")

    def test_as_mode_bits_say(self):
        modes = ((0o600, False, False), (0o644, False, True), (0o622, True, False), (0o666, True, True))
        for mode, take, look in modes:
            with self.subTest(mode=oct(mode)):
                project = mode % 251
                answer = self.at_http(self.name, method="PUT", perm=f"{mode:o}", project=project)
                self.assertEqual(answer.status, 201, answer)
                os.chmod(self.path, 0o666)
                self.stranger.do(f"$c = Concurrency->new(path => {quoted(self.path)}, project => {project}); 1")
                self.assertEqual(bool(self.stranger.do("$c->acquire")), take)
                if not take:
                    self.assertEqual(self.stranger.errno, "EACCES")
                self.assertEqual(bool(self.stranger.list("$c->getall")), look)

    def test_a_service_of_another_user_is_refused_what_perl_is(self):
        perl = self.user()
        os.chmod(self.path, 0o666)
        for mode in (0o600, 0o644):
            perl.do(f"$c->{{set}}->set(mode => {mode})")
            self.opened()
            self.assertFalse(self.stranger.do("$c->acquire"))
            self.assertEqual(self.stranger.errno, "EACCES")
            self.assertProblem(self.stranger_server.acquire(self.name), 403, "permission-denied", errno="EACCES")
        perl.do("$c->{set}->set(mode => 0666)")
        lease = self.granted(self.stranger_server.acquire(self.name))
        self.assertFalse(perl.do("$c->acquire"))
        self.granted(self.stranger_server.release(lease), 200)
        self.assertEqual(self.all, [1])
        answer = self.stranger_server.delete(f"/locks/{self.name.replace('/', '%2F')}")
        self.assertProblem(answer, 403, "permission-denied", errno="EPERM")
        self.assertFalse(self.stranger.do("$c->remove"))
        self.assertEqual(self.stranger.errno, "EPERM")

    def test_over_the_unix_socket_the_caller_counts(self):
        """The service runs as root here and may everything; its caller may not."""
        perl = self.user()
        perl.do("$c->{set}->set(mode => 0600)")
        self.assertEqual(self.over_unix(f"/locks/{self.name.replace('/', '%2F')}/acquire")[0], 403)
        perl.do("$c->{set}->set(mode => 0666)")
        self.assertEqual(self.over_unix(f"/locks/{self.name.replace('/', '%2F')}/acquire")[0], 201)

    def over_unix(self, target, method="POST"):
        """Status and answer to another user on the Unix socket."""
        os.chmod(self.server.unix, 0o666)
        run = subprocess.run(
            [*AS_NOBODY, "curl", "-s", "-w", "\n%{http_code}", "-X", method, "--unix-socket", self.server.unix]
            + [f"http://localhost{target}"],
            capture_output=True,
            text=True,
            check=True,
        )
        answer, status = run.stdout.rsplit("\n", 1)
        return int(status), answer


class Sessions(Apache):
    """The set of sessions, which Perl opens with r, w and x."""

    def test_perm_of_a_new_set(self):
        self.leased("read")
        self.assertEqual([row["mode"] for row in ipcs() if row["key"] == self.semkey], [0o700])
        self.semkey += 0x1000
        self.leased("read", perm="0770")
        self.assertEqual([row["mode"] for row in ipcs() if row["key"] == self.semkey], [0o770])

    def test_perl_of_another_user(self):
        if not can_be(NOBODY):
            self.skipTest("needs root, to be somebody else")
        for perm, passes in (("0700", False), ("0766", False), ("0777", True)):
            with self.subTest(perm=perm):
                self.semkey += 0x1000
                self.release(self.leased("read", perm=perm))
                perl = Perl(*AS_NOBODY)
                self.addCleanup(perl.kill)
                perl.list(f"($l, $s) = locker({quoted(self.session)}, {options(SemaphoreKey=self.semkey)})")
                if passes:
                    perl.do("$l->acquire_write_lock($s)")
                    self.assertProblem(self.acquire("read"), 423, "locked")
                else:
                    with self.assertRaisesRegex(Died, "Permission denied"):
                        perl.do("$l->acquire_write_lock($s)")

    def test_a_set_made_for_a_caller_on_the_unix_socket_is_its_own(self):
        if not can_be(NOBODY):
            self.skipTest("needs root, to be somebody else")
        target = f"/locks/{self.name}/acquire?mode=read&semaphore_key={self.semkey}"
        status, answer = Mode.over_unix(self, target)
        self.assertEqual(status, 201, answer)
        row = self.eye.list(f"stat_of(set_of({self.semkey}))")
        row = dict(zip(row[::2], row[1::2]))
        self.assertEqual((row["uid"], row["gid"], row["cuid"], row["mode"] & 0o777), (65534, 65534, 0, 0o700))
        perl = Perl(*AS_NOBODY)
        self.addCleanup(perl.kill)
        perl.list(f"($l, $s) = locker({quoted(self.session)}, {options(SemaphoreKey=self.semkey)})")
        perl.do("$l->acquire_read_lock($s)")  # nobody's own set
        self.release(self.leased("read"))


if __name__ == "__main__":
    unittest.main()
