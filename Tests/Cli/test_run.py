"""`leasehold run`: statuses, environment, standard streams, waiting."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import PROGRAM, CliTest, Server, eventually
from cgroups import Cgroup, why_none

WHY_NO_CGROUP = why_none()


class Status(CliTest):
    def test_the_status_is_the_commands(self):
        for status in (0, 1, 3, 255):
            self.assertEqual(self.cli("run", self.key(), "--", "sh", "-c", f"exit {status}").returncode, status)

    def test_a_signal_that_ends_the_command_is_128_and_its_number(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
            self.assertEqual(self.cli("run", self.key(), "--", "sh", "-c", f"kill -{number:d} $$").returncode,
                             128 + number)

    def test_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126(self):
        missing = self.cli("run", self.key(), "--", "/nonexistent/program")
        self.assertEqual(missing.returncode, 127)
        self.assertOneLine(missing.stderr, "/nonexistent/program: No such file or directory")
        self.assertEqual(self.cli("run", self.key(), "--", "no-such-program-anywhere").returncode, 127)
        self.assertEqual(self.cli("run", self.key(), "--", "/etc/passwd").returncode, 126)
        self.assertEqual(self.holders(self.key()), [])

    def test_busy_is_75_or_what_was_asked_for_and_says_who_holds_it(self):
        self.granted(self.server.acquire(self.key(), owner="somebody"))
        busy = self.cli("run", "--no-wait", self.key(), "--", "true")
        self.assertEqual(busy.returncode, 75)
        self.assertOneLine(busy.stderr, "is held", "Held by somebody")
        self.assertEqual(self.cli("run", "-w", "200ms", self.key(), "--", "true").returncode, 75)
        self.assertEqual(self.cli("run", "-w", "0.2", "-E", "1", self.key(), "--", "true").returncode, 1)
        self.assertEqual(self.cli("run", "--no-wait", "-E", "0", self.key(), "--", "true").returncode, 0)

    def test_a_service_that_is_not_there_is_69(self):
        for url in ("unix:/nonexistent/socket", "http://127.0.0.1:1"):
            result = self.cli("run", self.key(), "--", "true", url=url)
            self.assertEqual(result.returncode, 69)
            self.assertOneLine(result.stderr, url, "leasehold serve")

    def test_a_wrong_command_line_is_64(self):
        for words in ((), ("--", "true"), (self.key(),), (self.key(), "--"), ("--limit", "x", self.key(), "--", "true"),
                      ("-s", "-j", "2", self.key(), "--", "true"), ("-w", "1 hour", self.key(), "--", "true"),
                      ("-w", "1s", "--no-wait", self.key(), "--", "true"), ("-E", "300", self.key(), "--", "true"),
                      ("--ttl", "1ms", self.key(), "--", "true"), ("--exec", "--ttl", "1s", self.key(), "--", "true")):
            with self.subTest(words):
                result = self.cli("run", *words)
                self.assertEqual(result.returncode, 64, result)
                self.assertTrue(result.stderr)
        self.assertEqual(self.cli("run", self.key(), "--", "true", url="ftp://x").returncode, 64)
        unix_only = self.cli("run", "--exec", self.key(), "--", "true", url=f"http://127.0.0.1:{self.server.port}")
        self.assertEqual(unix_only.returncode, 64)
        self.assertOneLine(unix_only.stderr, "unix:")


    def test_a_service_that_denies_it_is_77(self):
        made = {role: self.cli("token", role, "--role", role) for role in ("read", "lock")}
        if made["read"].returncode:
            self.skipTest("this service has no tokens")
        tokens = {role: result.stdout.split()[0] for role, result in made.items()}
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("".join(result.stdout.splitlines()[-1] + "\n" for result in made.values()))
            file.flush()
            guarded = Server("--token-file", file.name).ends_with(self).spawn()
            url = f"http://127.0.0.1:{guarded.port}"
            eventually(lambda: self.cli("live", url=url).returncode == 0, "the service answers")
        for token, status in (("", 77), (tokens["read"], 77), (tokens["lock"], 0)):
            result = subprocess.run([PROGRAM, "run", self.key(), "--", "true"], capture_output=True, text=True,
                                    env={**self.environment(url), "LEASEHOLD_TOKEN": token}, check=False, timeout=20)
            self.assertEqual(result.returncode, status, result)


class Surroundings(CliTest):
    def test_the_command_finds_its_lease_in_the_environment(self):
        script = "env | grep ^LEASEHOLD_; curl -s --unix-socket {} http://localhost/leases/$LEASEHOLD_LEASE"
        result = self.cli("run", self.key(), "--", "sh", "-c", script.format(self.server.unix))
        lines = dict(line.split("=", 1) for line in result.stdout.splitlines() if line.startswith("LEASEHOLD_"))
        self.assertEqual(lines["LEASEHOLD_LOCK"], self.key())
        self.assertEqual(lines["LEASEHOLD_HOLDING"], lines["LEASEHOLD_LEASE"])
        self.assertEqual(lines["LEASEHOLD_URL"], f"unix:{self.server.unix}")
        self.assertIn(f'"fence":{lines["LEASEHOLD_FENCE"]},', result.stdout)
        self.assertRegex(result.stdout, r'"owner":"sh\[\d+\]"')

    def test_the_token_stays_with_run_unless_it_is_to_be_kept(self):
        script = "import os; print(sorted(name for name in os.environ if 'TOKEN' in name))"
        for flags, kept in (((), "['MY_TOKEN']"), (("--exec",), "['MY_TOKEN']"),
                            (("--keep-token",), "['LEASEHOLD_TOKEN', 'MY_TOKEN']"),
                            (("--exec", "--keep-token"), "['LEASEHOLD_TOKEN', 'MY_TOKEN']")):
            with self.subTest(flags):
                result = subprocess.run(
                    [PROGRAM, "run", *flags, self.key(), "--", sys.executable, "-c", script], capture_output=True,
                    env={**self.environment(), "LEASEHOLD_TOKEN": "secret", "MY_TOKEN": "of others"}, text=True,
                    check=False, timeout=20)
                self.assertEqual((result.stdout, result.stderr), (kept + "\n", ""))

    def test_standard_streams_are_passed_on_byte_for_byte(self):
        data = bytes(range(256)) * 4000
        result = subprocess.run([PROGRAM, "run", self.key(), "--", "cat"], input=data, capture_output=True,
                                env=self.environment(), check=False, timeout=20)
        self.assertEqual((result.returncode, result.stdout == data, result.stderr), (0, True, b""))

    def test_arguments_and_environment_need_not_be_utf_8(self):
        result = subprocess.run([PROGRAM, "run", self.key(), "--", "printf", "%s|", b"\xff\xfe", b"--", b"-n"],
                                env={**self.environment(), "ODD": os.fsdecode(b"\xff")}, capture_output=True,
                                check=False, timeout=20)
        self.assertEqual(result.stdout, b"\xff\xfe|--|-n|", result)
        script = "import os; print(os.environb[b'ODD'])"
        result = subprocess.run([PROGRAM, "run", self.key(), "--", sys.executable, "-c", script], capture_output=True,
                                env={**self.environment(), "ODD": os.fsdecode(b"\xff")}, check=False, timeout=20)
        self.assertEqual(result.stdout, b"b'\\xff'\n", result)

    def test_nobody_keeps_the_pipes_of_the_command_open(self):
        # Were the guard to keep standard output, `cat` would wait for it.
        result = subprocess.run(["sh", "-c", f"{PROGRAM} run {self.key()} -- echo done | cat"], capture_output=True,
                                env=self.environment(), check=False, timeout=10)
        self.assertEqual(result.stdout, b"done\n")

    def test_the_command_has_a_group_of_its_own_and_the_usual_signals(self):
        script = ("import os, signal; print(os.getpgrp() == os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, []),"
                  " [n for n in (2, 3, 10, 12, 15, 17, 18, 20, 28) if signal.getsignal(n) == signal.SIG_IGN])")
        result = self.cli("run", self.key(), "--", sys.executable, "-c", script)
        self.assertEqual(result.stdout, "True set() []\n")

    def test_it_sees_the_end_of_its_command_where_its_parent_blocked_the_signal_of_that(self):
        blocked = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # noqa: E731
        # It would see it at the next renewal.
        result = subprocess.run([PROGRAM, "run", "--ttl", "60s", self.key(), "--", "true"], env=self.environment(),
                                preexec_fn=blocked, check=False, timeout=10)
        self.assertEqual(result.returncode, 0)

    def test_an_ignored_signal_stays_ignored(self):
        script = f"trap '' HUP; {PROGRAM} run {self.key()} -- grep SigIgn /proc/self/status"
        result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=self.environment(),
                                check=False, timeout=20)
        self.assertEqual(int(result.stdout.split()[1], 16) & 1, 1, result)


class Locks(CliTest):
    def test_two_share_and_a_writer_waits(self):
        readers = [self.begin("run", "-s", self.key(), "--", "sleep", "60") for _ in range(2)]
        eventually(lambda: len(self.holders(self.key())) == 2, "two readers")
        self.assertEqual(self.cli("run", "--no-wait", self.key(), "--", "true").returncode, 75)
        for reader in readers:
            reader.terminate()
            self.assertEqual(reader.wait(20), 143)
        self.assertEqual(self.cli("run", "-w", "5s", self.key(), "--", "true").returncode, 0)

    def test_so_many_slots_and_no_more(self):
        for _ in range(2):
            self.begin("run", "-j", "2", self.key(), "--", "sleep", "60")
        eventually(lambda: len(self.holders(self.key())) == 2, "two slots are taken")
        self.assertEqual(self.cli("run", "-j", "2", "--no-wait", self.key(), "--", "true").returncode, 75)

    def test_without_a_word_it_waits_and_asks_again(self):
        # The longest wait of this service is shorter than what it takes.
        short = Server("--max-wait", "300ms").ends_with(self).start()
        lease = self.granted(short.acquire("a", ttl="60s"))
        waiting = self.begin("run", "a", "--", "true", url=f"unix:{short.unix}")
        ages = lambda: [waiter["age_ms"] for waiter in short.lock("a")["waiters"]]  # noqa: E731
        eventually(lambda: max(ages(), default=0) > 150, "it waits")
        eventually(lambda: min(ages(), default=999) < 150, "it has queued anew")
        short.release(lease)
        self.assertEqual(waiting.wait(20), 0)

    def test_a_run_that_is_interrupted_while_it_waits_leaves_the_queue(self):
        self.granted(self.server.acquire(self.key()))
        waiting = self.begin("run", self.key(), "--", "true")
        eventually(lambda: self.server.waiting(self.key()) == 1, "it waits")
        waiting.send_signal(signal.SIGINT)
        self.assertEqual(waiting.wait(20), -signal.SIGINT)
        eventually(lambda: self.server.waiting(self.key()) == 0, "its place is gone")

    def test_the_lease_is_renewed_as_long_as_the_command_runs(self):
        process = self.begin("run", "--ttl", "1200ms", self.key(), "--", "sleep", "3")
        eventually(lambda: self.holders(self.key()), "the lock is held")
        self.assertEqual(process.wait(20), 0)
        self.assertEqual(self.holders(self.key()), [])

    def test_several_keys_are_one_lease_or_an_error_that_says_so(self):
        result = self.cli("run", self.key("-1"), self.key("-2"), "--", "sh", "-c", "echo $LEASEHOLD_LOCK")
        if result.returncode == 0:
            self.assertEqual(result.stdout.split(), [self.key("-1"), self.key("-2")])
        else:
            self.assertOneLine(result.stderr, "several locks at once")
            self.skipTest("this service has no POST /leases")

    def test_exec_becomes_the_command_and_its_end_frees_the_lock(self):
        process = self.begin("run", "--exec", self.key(), "--", "sleep", "60", stderr=subprocess.PIPE, text=True)
        eventually(lambda: process.poll() is not None or self.holders(self.key()), "the lock is held")
        if process.poll() is not None:
            self.assertEqual(process.returncode, 64)
            self.assertOneLine(process.stderr.read(), "bind")
            self.skipTest("this service binds no lease to a process")
        eventually(lambda: open(f"/proc/{process.pid}/comm", encoding="ascii").read() == "sleep\n", "it is sleep now")
        process.kill()
        eventually(lambda: not self.holders(self.key()), "the lock is free")

    @unittest.skipIf(WHY_NO_CGROUP, WHY_NO_CGROUP)
    def test_a_unit_holds_several_locks_with_weights_until_its_last_process_ends(self):
        cgroup = Cgroup()
        self.addCleanup(cgroup.remove)
        daemon, alone = self.key("daemon"), self.key("alone")
        process = subprocess.Popen(
            cgroup.enter(PROGRAM, "run", "-F", "--bind", "cgroup", "-j", "8", "--take", "3", daemon, "--",
                         PROGRAM, "run", "-F", "--bind", "cgroup", alone, "--",
                         "sh", "-c", "setsid sleep 600 & exit 7"),
            env=self.environment(), stdout=subprocess.DEVNULL)
        self.assertEqual(process.wait(), 7)
        self.assertEqual([holder["bind"] for holder in self.holders(alone)], ["cgroup"])
        self.assertEqual([holder["count"] for holder in self.holders(daemon)], [3])
        cgroup.kill()
        eventually(lambda: not self.holders(alone) and not self.holders(daemon), "the locks are free")

    def test_with_a_grace_the_service_stops_what_exec_became(self):
        begun = time.monotonic()
        result = self.cli("run", "--exec", "--ttl", "1s", "--grace", "200ms", self.key(), "--", "sleep", "60")
        self.assertEqual(result.returncode, -signal.SIGTERM, result.stderr)
        self.assertGreater(time.monotonic() - begun, 0.7)
        self.assertEqual(self.cli("run", "-w", "10s", self.key(), "--", "true").returncode, 0)

    def test_an_acquire_has_a_process_stopped(self):
        with subprocess.Popen(["sleep", "60"]) as process:
            lease = self.cli("acquire", "--bind", f"pid:{process.pid}", "--ttl", "1s", "--grace", "200ms", self.key())
            self.assertEqual((lease.returncode, process.wait(10)), (0, -signal.SIGTERM), lease.stderr)
        wrong = self.cli("acquire", "--grace", "1s", self.key())
        self.assertOneLine(wrong.stderr, "--grace")

    def test_where_a_binding_makes_no_sense(self):
        for arguments, word in (
                (("--bind", "cgroup"), "--exec"), (("--exec", "--bind", "pid:1"), "cgroup:PATH"),
                (("--exec", "--bind", "cgroup", "--grace", "1s"), "--grace")):
            result = self.cli("run", *arguments, self.key(), "--", "true")
            self.assertEqual(result.returncode, 64, result.stderr)
            self.assertIn(word, result.stderr)


if __name__ == "__main__":
    unittest.main()
