"""Without a service a command starts the user's own: one, whoever asks, and it loses nothing."""

import os
import re
import signal
import stat
import subprocess
import tempfile
import time
import unittest

from support import PATIENCE, PROGRAM, command_lines, eventually


@unittest.skipIf(os.getuid(), "only root has a network, a /tmp and semaphores of its own")
class OwnTest(unittest.TestCase):
    """Each test is on a host of its own: no semaphores, nobody at port 31818, an empty /tmp and /run."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/var/tmp", prefix="lh-")
        self.addCleanup(folder.cleanup)
        self.runtime = folder.name
        self.socket = os.path.join(self.runtime, "leasehold", "leasehold.sock")
        script = "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /run && echo ready && exec sleep 1000"
        self.host = subprocess.Popen(["unshare", "-i", "-n", "-m", "sh", "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(self.end, self.host)
        self.host.stdout.readline()
        self.addCleanup(self.end_services)

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def end_services(self):
        for pid in self.services():
            os.kill(pid, signal.SIGKILL)

    def services(self, path=None):
        """The daemons that serve the socket."""
        socket = (path or self.socket).encode()
        return [pid for pid, words in command_lines() if b"serve" in words and socket in words]

    def words(self, *words, user=()):
        return ["nsenter", "-t", str(self.host.pid), "-i", "-n", "-m", "--wd=/var/tmp", *user,
                os.path.abspath(PROGRAM), *words]

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEASEHOLD_")}
        return {**kept, "XDG_RUNTIME_DIR": self.runtime, **more}

    def cli(self, *words, user=(), **environment):
        return subprocess.run(self.words(*words, user=user), env=self.environment(**environment), capture_output=True,
                              text=True, timeout=60, check=False)

    def begin(self, *words, **environment):
        process = subprocess.Popen(self.words(*words), env=self.environment(**environment), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.end, process)
        return process

    def ok(self, *words, **environment):
        result = self.cli(*words, **environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout


class First(OwnTest):
    def test_the_first_command_starts_it_and_the_next_finds_it(self):
        self.assertEqual(self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_URL"), f"unix:{self.socket}\n")
        service = self.services()
        self.assertEqual(len(service), 1)
        for words in (("ready",), ("locks",), ("run", "a", "true"), ("run", "--exec", "a", "--", "true")):
            self.ok(*words)
        self.assertEqual(self.services(), service)
        lease = self.ok("acquire", "a").strip()
        self.assertIn("\na ", self.ok("locks"))
        self.ok("release", lease)

    def test_acquire_and_hold_start_it_too(self):
        held = self.begin("hold", "a")
        self.assertRegex(held.stdout.readline(), r"^[0-9a-f]{32}\n$")
        self.assertEqual(self.cli("acquire", "-n", "a").returncode, 75)

    def test_what_it_is_started_with_is_nothing_of_who_started_it(self):
        reader, writer = os.pipe()
        with open(reader, "rb"), open(writer, "wb"):
            subprocess.run(self.words("run", "a", "true"), check=True, pass_fds=(reader, writer), cwd=self.runtime,
                           env=self.environment(LEASEHOLD_TOKEN="secret", MY_SECRET="secret", LEASEHOLD_PORT="1"))
            pid, = self.services()
            ours = os.stat(reader).st_ino
            links = {name: os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        self.assertEqual(links["0"], "/dev/null")
        self.assertEqual({links["1"], links["2"]}, {os.path.join(self.runtime, "leasehold", "service.log")})
        self.assertNotIn(f"pipe:[{ours}]", links.values())
        with open(f"/proc/{pid}/environ", "rb") as file:
            names = {entry.split(b"=")[0] for entry in file.read().split(b"\0") if entry}
        self.assertLessEqual(names, {b"PATH", b"TZ", b"LD_LIBRARY_PATH"})
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        self.assertNotEqual(os.getsid(pid), os.getsid(0))
        self.assertNotEqual(os.getsid(pid), pid, "it can get no terminal")
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            self.assertRegex(file.read(), r"Max file size +1048576 ")
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            self.assertRegex(file.read(), r"\nSigBlk:\t\w+\n")
        for path, mode in ((os.path.dirname(self.socket), 0o700), (self.socket, 0o600), (links["1"], 0o600)):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode, path)

    def test_without_a_runtime_folder_it_is_below_tmp_and_only_if_that_is_ours(self):
        path = f"/tmp/leasehold-{os.getuid()}/leasehold.sock"
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in self.services(path)
                                 if os.readlink(f"/proc/{pid}/ns/ipc") == self.namespace()])
        self.assertEqual(self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_URL", XDG_RUNTIME_DIR=""), f"unix:{path}\n")
        for spoil in ("chmod 755 {}", "chown 1 {}", "rm -r {0}; ln -s /run {0}", "rm -r {0}; touch {0}"):
            with self.subTest(spoil):
                self.enter("rm -rf /tmp/leasehold-*; mkdir -m 700 {}".format(os.path.dirname(path)))
                self.enter(spoil.format(os.path.dirname(path)))
                refused = self.cli("run", "b", "true", XDG_RUNTIME_DIR="")
                self.assertEqual(refused.returncode, 73, refused)
                self.assertIn("XDG_RUNTIME_DIR", refused.stderr)

    def namespace(self):
        return os.readlink(f"/proc/{self.host.pid}/ns/ipc")

    def enter(self, script):
        subprocess.run(["nsenter", "-t", str(self.host.pid), "-i", "-n", "-m", "sh", "-c", script], check=True)

    def test_a_runtime_folder_of_somebody_else_is_not_used(self):
        os.chown(self.runtime, 1, 1)
        url = self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_URL").strip()
        self.assertTrue(url.startswith("unix:/tmp/"), url)
        self.assertEqual(os.listdir(self.runtime), [])
        for pid in self.services(url.removeprefix("unix:")):
            if os.readlink(f"/proc/{pid}/ns/ipc") == self.namespace():
                os.kill(pid, signal.SIGKILL)

    def test_it_is_not_started_where_that_is_forbidden_or_an_address_is_given(self):
        for words in (("run", "--no-start", "a", "true"), ("acquire", "--no-start", "a"), ("hold", "--no-start", "a"),
                      ("locks",), ("run", "--url", "unix:/nonexistent/x", "a", "true")):
            with self.subTest(words):
                self.assertEqual(self.cli(*words).returncode, 69)
        self.assertEqual(self.cli("run", "a", "true", LEASEHOLD_URL="unix:/nonexistent/x").returncode, 69)
        self.assertEqual(os.listdir(self.runtime), [])

    def test_it_is_not_started_in_a_cgroup_that_a_lease_shall_end_with(self):
        for words in (("run", "-F", "--bind", "cgroup", "a", "--", "true"), ("acquire", "--bind", "cgroup", "a")):
            with self.subTest(words):
                refused = self.cli(*words)
                self.assertEqual(refused.returncode, 69, refused)
                for word in ("--bind cgroup", "never be empty", "systemctl start", "leasehold serve --unix own"):
                    self.assertIn(word, refused.stderr)
        self.assertEqual(os.listdir(self.runtime), [])


class Others(OwnTest):
    def serve(self, *words, user=()):
        process = subprocess.Popen(self.words("serve", "--host", "none", *words, user=user), env=self.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.end, process)
        while "serving" not in process.stdout.readline():
            self.assertIsNone(process.poll())

    def test_a_daemon_of_ones_own_elsewhere_is_used(self):
        path = os.path.join(self.runtime, "elsewhere")
        self.serve("--unix", path)
        self.assertEqual(self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_URL"), f"unix:{path}\n")
        self.assertEqual(self.services(), [])

    def test_a_daemon_that_cannot_be_asked_is_waited_for_and_the_log_before_is_kept(self):
        path = os.path.join(self.runtime, "elsewhere")
        self.serve("--unix", path)
        os.unlink(path)
        log = os.path.join(self.runtime, "leasehold", "service.log")
        os.makedirs(os.path.dirname(log), 0o700)
        with open(log, "w", encoding="utf-8") as file:
            file.write("the service of before\n")
        self.assertEqual(self.cli("acquire", "-n", "a").returncode, 69)
        with open(log + ".1", encoding="utf-8") as file:
            self.assertEqual(file.read(), "the service of before\n")

    def test_the_systems_daemon_is_used(self):
        os.mkdir(os.path.join(self.runtime, "x"))
        subprocess.run(["nsenter", "-t", str(self.host.pid), "-m", "mkdir", "/run/leasehold"], check=True)
        self.serve("--unix", "/run/leasehold/leasehold.sock")
        url = self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_URL")
        self.assertEqual(url, "unix:/run/leasehold/leasehold.sock\n")

    def test_a_daemon_of_somebody_else_is_named_and_not_doubled(self):
        os.chmod(self.runtime, 0o777)
        path = os.path.join(self.runtime, "theirs")
        self.serve("--unix", path, user=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
        os.chmod(self.runtime, 0o700)
        result = self.cli("run", "a", "true")
        self.assertEqual(result.returncode, 69, result)
        self.assertRegex(result.stderr, r"^leasehold: cannot start a service of your own .*65534.*\n$")
        self.assertEqual(self.services(), [])


class Many(OwnTest):
    def test_fifty_first_runs_at_once_make_one_service(self):
        trace = os.path.join(self.runtime, "trace")
        script = f"echo in >>{trace}; sleep 0.01; echo out >>{trace}"
        runs = [self.begin("run", "a", "sh", "-c", script) for _ in range(50)]
        for process in runs:
            self.assertEqual(process.wait(60), 0, process.stdout.read())
        with open(trace, encoding="ascii") as file:
            self.assertEqual(file.read(), "in\nout\n" * 50)
        self.assertEqual(len(self.services()), 1)
        self.assertFalse(os.path.exists(os.path.join(self.runtime, "leasehold", "service.log.1")), "started once")


class Killed(OwnTest):
    def kill(self):
        pid, = self.services()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: pid not in self.services(), "it is dead")
        return pid

    def test_a_command_that_runs_starts_it_again_and_keeps_its_lock(self):
        held = self.begin("run", "--ttl", "9s", "a", "sh", "-c", "echo $LEASEHOLD_FENCE; sleep 7; exit 7")
        fence = held.stdout.readline()
        self.kill()
        eventually(self.services, "the renewal starts it")
        busy = self.cli("run", "-n", "a", "true")
        self.assertEqual(busy.returncode, 75, busy)
        self.assertEqual(held.wait(PATIENCE), 7)
        self.assertGreater(int(self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_FENCE")), int(fence))

    def test_a_lease_that_nobody_watches_is_there_afterwards(self):
        lease = self.ok("acquire", "--ttl", "60s", "a").strip()
        waiting = self.begin("run", "a", "sh", "-c", "echo mine")
        eventually(lambda: re.search(r"\nwaits ", self.ok("locks", "a")), "it waits")
        self.kill()
        self.assertEqual(self.cli("run", "-n", "a", "true").returncode, 75)
        self.ok("release", lease)
        self.assertEqual((waiting.wait(PATIENCE), waiting.stdout.read()), (0, "mine\n"))

    def test_who_gives_a_lease_back_or_renews_it_starts_it_again(self):
        for word in ("renew", "release"):
            lease = self.ok("acquire", "--ttl", "60s", "a").strip()
            self.kill()
            self.ok(word, lease)
            self.assertEqual(len(self.services()), 1)
            self.ok("release", lease)


class Idle(OwnTest):
    def test_it_ends_when_nobody_needs_it_and_fences_go_on(self):
        fences = []
        for _ in range(3):
            fences.append(int(self.ok("run", "a", "sh", "-c", "echo $LEASEHOLD_FENCE", LEASEHOLD_IDLE_EXIT="200ms")))
            eventually(lambda: not self.services(), "it ends")
            self.assertFalse(os.path.exists(self.socket))
        self.assertEqual(sorted(set(fences)), fences)

    def test_it_stays_as_long_as_somebody_has_something(self):
        lease = self.ok("acquire", "--ttl", "60s", "a", LEASEHOLD_IDLE_EXIT="100ms").strip()
        service = self.services()
        time.sleep(1)
        self.assertEqual(self.services(), service)
        self.ok("release", lease)
        eventually(lambda: not self.services(), "it ends")

    def test_commands_do_not_notice_that_it_ends_meanwhile(self):
        # It ends all the time; each command finds it, or starts it, or sees it end and starts it again.
        for number in range(40):
            self.ok("run", "a", "true", LEASEHOLD_IDLE_EXIT="1ms")
            time.sleep(number % 8 / 100)


if __name__ == "__main__":
    unittest.main()
