"""Where commands look for the service when nobody says where it is."""

import os
import subprocess
import tempfile
import unittest

from support import PROGRAM, CliTest, Server, eventually


class Named(CliTest):
    def test_tcp_does_as_well_and_a_flag_beats_the_environment(self):
        self.assertEqual(self.cli("ready", url=f"http://localhost:{self.server.port}").stdout, "ready\n")
        address = f"127.0.0.1:{self.server.port}"
        flagged = self.cli("ready", "--url", address, url="unix:/nonexistent/x")
        self.assertEqual(flagged.stdout, "ready\n")

    def test_the_address_may_stand_before_the_command(self):
        address, nowhere = f"127.0.0.1:{self.server.port}", "unix:/nonexistent/x"
        key = self.key()
        for words in (("ready",), ("sem",), ("sem", "--json"), ("shm", "get", "none"), ("run", key, "--", "true")):
            for front in (("--url", address), (f"--url={address}",), ("--cacert", "/x", "--url", address)):
                self.assertIn(self.cli(*front, *words, url=nowhere).returncode, (0, 66), (front, words))
        for words in (("--url",), ("--url", address)):
            result = self.cli(*words)
            self.assertEqual(result.returncode, 64)
            self.assertOneLine(result.stderr, "no command stands behind --url")
        self.assertIn("there is no command 'rready'", self.cli("--url", address, "rready").stderr)


@unittest.skipIf(os.getuid(), "only root has networks of its own")
class Found(CliTest):
    def setUp(self):
        self.runtime = tempfile.TemporaryDirectory()
        self.addCleanup(self.runtime.cleanup)
        self.own = os.path.join(self.runtime.name, "leasehold", "leasehold.sock")

    def unnamed(self, *words, prefix=(), **more):
        """Runs a command that is told nothing but whose run-time folder there is; nobody listens at port 31818."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LEASEHOLD_")}
        environment["XDG_RUNTIME_DIR"] = self.runtime.name
        return subprocess.run(["unshare", "-n", *prefix, PROGRAM, *words], env={**environment, **more},
                              capture_output=True, text=True, timeout=20, check=False)

    def serve_own(self):
        environment = {**os.environ, "XDG_RUNTIME_DIR": self.runtime.name}
        process = subprocess.Popen([PROGRAM, "serve", "--unix", "own", "--host", "none", "--control-key", "0x4c48fa11"],
                                   env=environment, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        eventually(lambda: os.path.exists(self.own), "it listens there")
        return process

    def test_the_users_own_socket_is_found_and_closed_to_others(self):
        self.serve_own()
        self.assertEqual(os.stat(os.path.dirname(self.own)).st_mode & 0o777, 0o700)
        eventually(lambda: self.unnamed("ready").returncode == 0, "it is ready")
        self.assertEqual(self.unnamed("run", "a", "sh", "-c", "echo $LEASEHOLD_URL").stdout, f"unix:{self.own}\n")
        # A folder that others may write to is not trusted, nor one below a folder of somebody else.
        os.chmod(os.path.dirname(self.own), 0o777)
        self.assertEqual(self.unnamed("ready").returncode, 69)
        os.chmod(os.path.dirname(self.own), 0o700)
        os.chmod(self.runtime.name, 0o777)
        self.assertEqual(self.unnamed("ready").returncode, 69)

    def test_what_a_service_left_is_no_service(self):
        process = self.serve_own()
        eventually(lambda: self.unnamed("ready").returncode == 0, "it is ready")
        process.kill()
        process.wait()
        self.assertTrue(os.path.exists(self.own))
        self.assertIn("http://127.0.0.1:31818", self.unnamed("ready").stderr)

    def test_a_folder_that_others_may_write_to_is_refused_to_serve(self):
        os.mkdir(os.path.dirname(self.own))
        os.chmod(os.path.dirname(self.own), 0o755)
        result = self.unnamed("serve", "--unix", "own", "--host", "none")
        self.assertEqual(result.returncode, 64)
        self.assertOneLine(result.stderr, os.path.dirname(self.own), "mode 0700")

    def test_the_systems_socket_comes_first_and_nothing_takes_its_place(self):
        self.serve_own()
        server = Server("--host", "127.0.0.1").ends_with(self).start()
        # A /run of its own, in which the system's socket is the server's.
        script = ("mount -t tmpfs tmpfs /run && mkdir /run/leasehold && touch /run/leasehold/leasehold.sock && "
                  f"mount --bind {server.unix} /run/leasehold/leasehold.sock && exec \"$@\"")
        prefix = ("unshare", "-m", "sh", "-c", script, "sh")
        found = self.unnamed("run", "a", "sh", "-c", "echo $LEASEHOLD_URL", prefix=prefix)
        self.assertEqual(found.stdout, "unix:/run/leasehold/leasehold.sock\n", found)
        server.kill()
        down = self.unnamed("locks", prefix=prefix)
        self.assertEqual(down.returncode, 69)
        self.assertOneLine(down.stderr, "unix:/run/leasehold/leasehold.sock", "has ended")


if __name__ == "__main__":
    unittest.main()
