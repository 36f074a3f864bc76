"""The other commands: tables, --json, errors, probes, doctor, completions, manual pages."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

from support import PATIENCE, PROGRAM, ROOT, CliTest, Server, eventually

sys.path.insert(0, os.path.join(ROOT, "Tools"))
import man  # noqa: E402

with open(os.path.join(ROOT, "docs", "cli-json.md"), encoding="utf-8") as page:
    CONTRACT = page.read()


def names(value):
    """Every member name in a JSON value."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from names(member)
    elif isinstance(value, list):
        for element in value:
            yield from names(element)


class Commands(CliTest):
    def json(self, *words):
        """The JSON lines of a command, all of whose members must be in the contract."""
        lines = [json.loads(line) for line in self.ok(*words, "--json").splitlines()]
        for name in names(lines):
            self.assertIn(f"`{name}`", CONTRACT, f"{words}: docs/cli-json.md does not say what {name} is")
        return lines

    def test_a_lease_by_hand(self):
        lease = self.ok("acquire", self.key(), "--ttl", "10s", "--owner", "me").strip()
        self.assertRegex(lease, r"^[0-9a-f]{32}$")
        self.assertEqual(self.holders(self.key())[0]["owner"], "me")
        self.assertEqual(self.ok("renew", lease, "--ttl", "20s"), "ends in 20s\n")
        self.assertEqual(self.ok("release", lease), "")
        self.assertEqual(self.ok("release", lease), "")
        over = self.cli("renew", lease)
        self.assertEqual(over.returncode, 70)
        self.assertOneLine(over.stderr, "released")

    def test_what_json_prints_is_in_the_contract(self):
        first = self.json("acquire", self.key(), "-j", "3", "--count", "2")[0]
        self.assertEqual((first["key"], first["count"], first["limit"]), (self.key(), 2, 3))
        self.server.acquire_later(self.key(), limit=3, count=2)
        self.assertEqual(self.json("locks", "--prefix", self.key())[0]["locks"][0]["waiting"], 1)
        self.assertEqual(len(self.json("locks", self.key())[0]["waiters"]), 1)
        self.assertTrue(self.json("leases")[0]["leases"])
        self.assertTrue(self.json("sem")[0]["semaphores"])
        self.assertTrue(self.json("sem", "show", f"id:{first['sysv']['id']}")[0]["values"])
        self.json("shm", "put", "1", "{}")
        self.assertTrue(self.json("shm")[0]["variables"])
        self.json("renew", first["lease"])
        self.json("release", first["lease"])
        self.json("ready")
        self.json("live")
        doctor = self.cli("doctor", "--json")
        for name in names(json.loads(doctor.stdout)):
            self.assertIn(f"`{name}`", CONTRACT)

    def test_tables_show_who_holds_and_who_waits(self):
        self.granted(self.server.acquire(self.key(), owner="somebody", ttl="60s"))
        self.server.acquire_later(self.key(), owner="another")
        self.assertRegex(self.ok("locks", "--prefix", self.key()), rf"LOCK .*\n{self.key()} +rw +- +0 +1 +1 +0 +\d+\n$")
        self.assertRegex(self.ok("locks", self.key()), r"holds +somebody .*\nwaits +another ")
        self.assertRegex(self.ok("leases", "--key", self.key()), rf"{self.key()} +exclusive +1 +somebody ")

    def test_one_word_each_and_the_others_as_aliases(self):
        for owner in ("--owner", "--label"):
            for limit in ("--limit", "--slots", "-j"):
                lease = self.json("acquire", self.key(), owner, "me", limit, "7")[0]
                self.assertEqual((lease["owner"], lease["limit"]), ("me", 7))
            for prefix in ("--lock", "--prefix", "--key"):
                self.assertEqual(self.ok("leases", prefix, self.key(), owner, "me").count("\n"), 4)
                self.assertEqual(self.ok("leases", prefix, self.key(), owner, "you").count("\n"), 1)
                self.assertEqual(self.ok("locks", prefix, self.key()).count("\n"), 2)
            for lease in self.json("leases", "--prefix", self.key())[0]["leases"]:
                self.ok("break", lease["ref"])

    def test_a_lock_may_be_chosen_as_a_shell_would(self):
        self.granted(self.server.acquire(self.key("-one"), ttl="60s"))
        for command in ("locks", "leases"):
            self.assertEqual(self.ok(command, "--lock", self.key("-*")).count("\n"), 2)
            self.assertEqual(self.ok(command, "--lock", self.key("-two*")).count("\n"), 1)

    def test_locks_has_the_short_names_of_other_tools(self):
        self.granted(self.server.acquire(self.key(), owner="ann", ttl="60s"))
        for word in ("ls", "ps"):
            self.assertEqual(self.ok(word, "--lock", self.key()).count("\n"), 2)
            self.assertIn("holds  ann", self.ok(word, self.key()))

    def test_what_is_not_there_is_66(self):
        for words in (("locks", self.key()), ("renew", "0" * 32), ("release", "0" * 32), ("break", "0" * 10),
                      ("sem", "show", "0x7a7a"), ("sem", "rm", "id:99999"), ("sem", "op", "0x7a7a", "0:1"),
                      ("shm", "get", "nothing"), ("shm", "rm", "nothing"), ("acquire", "sysv:0x7a7a.0")):
            with self.subTest(words):
                result = self.cli(*words)
                self.assertEqual(result.returncode, 66, result)
                self.assertOneLine(result.stderr)

    def test_why_a_service_cannot_be_reached_names_what_and_why(self):
        with tempfile.NamedTemporaryFile() as file:
            for url, reason in (("http://no-such-host.invalid", "cannot be resolved|did not answer"),
                                (f"unix:{file.name}", "the file is no socket"),
                                ("unix:/nonexistent/x", "No such file or directory"),
                                ("http://127.0.0.1:1", "Connection refused")):
                result = self.cli("locks", url=url)
                self.assertEqual(result.returncode, 69)
                self.assertOneLine(result.stderr, url)
                self.assertRegex(result.stderr, reason)

    def test_lists_of_many_pages_are_whole(self):
        for number in range(1100):
            self.granted(self.server.acquire(f"{self.key()}-{number}", ttl="60s"))
        self.assertEqual(self.ok("locks", "--prefix", f"{self.key()}-").count("\n"), 1101)
        self.assertEqual(sum(len(page["locks"]) for page in self.json("locks", "--prefix", f"{self.key()}-")), 1100)

    def test_hold_holds_as_long_as_it_runs(self):
        process = self.begin("hold", self.key(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertRegex(process.stdout.readline(), r"^[0-9a-f]{32}\n$")
        self.assertTrue(self.holders(self.key()))
        process.kill()
        eventually(lambda: not self.holders(self.key()), "the lock is free")
        ended = self.begin("hold", self.key(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lease = ended.stdout.readline().strip()
        self.ok("release", lease)
        self.assertEqual(ended.wait(PATIENCE), 70)
        self.assertIn("released", ended.stderr.read())
        self.granted(self.server.acquire(self.key()))
        self.assertEqual(self.cli("hold", "--no-wait", self.key()).returncode, 75)

    def test_break_ends_a_lease_or_says_that_this_service_cannot(self):
        self.granted(self.server.acquire(self.key()))
        result = self.cli("break", self.holders(self.key())[0]["ref"], "--reason", "test")
        if result.returncode:
            self.assertOneLine(result.stderr)
            self.skipTest("this service breaks no lease")
        self.assertEqual(self.holders(self.key()), [])

    def test_semaphore_sets(self):
        number = self.ok("sem", "create", "0x7771", "--nsems", "2", "--mode", "0600").strip()
        self.assertRegex(number, r"^id:\d+$")
        self.ok("sem", "set", number, "0", "5")
        self.ok("sem", "op", number, "0:-2", "1:7")
        self.assertRegex(self.ok("sem", "show", number), r"\n0 +3 .*\n1 +7 ")
        lease = self.ok("sem", "op", number, "0:-3,undo", "--ttl", "60s").strip()
        self.assertRegex(self.ok("sem", "show", "0x7771"), r"\n0 +0 ")
        self.assertEqual(self.cli("sem", "op", number, "0:-1,nowait").returncode, 75)
        self.ok("release", lease)
        self.assertRegex(self.ok("sem", "show", number), r"\n0 +3 ")
        self.assertRegex(self.ok("sem"), r"0x00007771 +\d+ ")
        self.assertEqual(self.cli("sem", "op", number, "0-1").returncode, 64)
        self.ok("sem", "rm", number)
        self.assertEqual(self.cli("sem", "show", number).returncode, 66)

    def test_shared_variables(self):
        self.ok("shm", "put", "greeting", '{"a":[1,"ö"]}')
        self.assertEqual(self.ok("shm", "get", "greeting"), '{"a":[1,"ö"]}\n')
        self.ok("shm", "put", "greeting", stdin="5")
        self.assertEqual(self.ok("shm", "get", "greeting"), "5\n")
        self.assertRegex(self.ok("shm"), r"KEY +TYPE +BYTES\n[\s\S]*\d+ +int +")
        self.ok("shm", "rm", "greeting")
        self.assertEqual(self.cli("shm", "get", "greeting").returncode, 66)

    def test_probes(self):
        self.assertEqual(self.ok("ready"), "ready\n")
        self.assertEqual(self.ok("live"), "ok\n")
        for command in ("ready", "live"):
            self.assertEqual(self.cli(command, url="unix:/nonexistent/x").returncode, 69)


class Doctor(CliTest):
    def test_a_host_without_trouble(self):
        result = self.cli("doctor")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("ok       IPC namespace: the same", result.stdout)

    def test_locks_that_it_may_not_see_are_not_called_sound(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.ok("token", "ann", "--role", "read").splitlines()[-1] + "\n")
            file.flush()
            guarded = Server("--token-file", file.name).ends_with(self).start()
            result = self.cli("doctor", url=f"http://127.0.0.1:{guarded.port}")
        self.assertRegex(result.stdout, "note +locks: not looked at: ")

    def test_units_that_a_dead_program_took_are_explained_and_the_command_mends_it(self):
        lease = self.granted(self.server.acquire(self.key()))
        self.server.release(lease)
        place, semaphore = lease["sysv"]["id"], lease["sysv"]["semaphores"][0]
        subprocess.run(["perl", "-e", f'semop({place}, pack("s!3", {semaphore}, -7, 0)) or die $!'], check=True)
        result = self.cli("doctor")
        self.assertEqual(result.returncode, 1)
        fix = re.search(rf"lock {self.key()}: native programs hold 7 units.*has ended.*\n +mend it: (.*)"
                        r"  # if nobody has them\n", result.stdout)
        self.assertTrue(fix, result.stdout)
        subprocess.run(["sh", "-c", fix[1]], check=True)
        self.assertEqual(self.cli("doctor").returncode, 0)

    def test_a_damaged_lock_comes_with_the_command_that_mends_it_and_ends_no_other_lease(self):
        lease = self.granted(self.server.acquire(self.key("-it's hurt"), limit=3))
        other = self.granted(self.server.acquire(self.key("-other"), ttl="60s"))
        place, semaphore = lease["sysv"]["id"], lease["sysv"]["semaphores"][0]
        # The semaphore that counts what is out on leases.
        script = f"semctl({place}, {semaphore + 64}, 16, 3) or die $!"
        subprocess.run(["perl", "-e", script], check=True)
        eventually(lambda: self.server.lock(self.key("-it's hurt")).json["damaged"], "it is found damaged")
        self.assertProblem(self.server.acquire(self.key("-it's hurt"), limit=3), 500, "ledger-damaged")
        for url in (None, f"http://127.0.0.1:{self.server.port}"):
            result = self.cli("doctor", url=url)
            self.assertEqual(result.returncode, 1)
            fix = re.search(rf"problem +lock {self.key()}-it's hurt: it is damaged.*\n +mend it: (.*)\n", result.stdout)
            self.assertTrue(fix, result.stdout)
        subprocess.run(["sh", "-c", fix[1]], check=True, capture_output=True)
        self.assertEqual(self.cli("doctor").returncode, 0)
        self.assertEqual(self.server.acquire(self.key("-it's hurt"), limit=3).status, 201)
        self.assertEqual(self.server.get(f"/leases/{other['lease']}").status, 200)

    def test_a_socket_that_nobody_listens_on_comes_with_the_command_that_does(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "other place.sock")
            result = self.cli("doctor", url=f"unix:{path}")
            fix = re.search(r"mend it: (?:export .*  # .* start that one with|leasehold serve) (--unix .*)\n",
                            result.stdout)
            self.assertTrue(fix, result.stdout)
            # Its other listener and its key are the host's: here they must be of nobody else.
            environment = {**os.environ, "LEASEHOLD_PORT": "0", "LEASEHOLD_CONTROL_KEY": "0x4c49abcd"}
            service = subprocess.Popen(["sh", "-c", f"exec {PROGRAM} serve {fix[1]}"], env=environment,
                                       stderr=subprocess.DEVNULL)
            self.addCleanup(self.end, service)
            eventually(lambda: self.cli("ready", url=f"unix:{path}").returncode == 0, "it listens there")

    def test_another_ipc_namespace_is_seen(self):
        result = subprocess.run(["unshare", "-i", PROGRAM, "doctor"], env=self.environment(), capture_output=True,
                                text=True, check=False, timeout=20)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"problem +IPC namespace: the service is in \d+, this shell in")

    def test_without_a_service_the_kernel_is_looked_at_all_the_same(self):
        result = self.cli("doctor", url="unix:/nonexistent/x")
        self.assertEqual(result.returncode, 1)
        self.assertIn("SEMMNI:", result.stdout)

    @unittest.skipIf(os.getuid(), "only root gives sets away")
    def test_a_set_of_a_user_that_is_gone(self):
        number = int(self.server.post("/semaphores", key="0x7772", nsems=1)["id"])
        self.addCleanup(self.server.delete, f"/semaphores/id:{number}")
        self.assertEqual(self.server.request("PATCH", f"/semaphores/id:{number}?uid=54321").status, 200)
        result = self.cli("doctor")
        self.assertIn(f"set id {number}: belongs to uid 54321, which no user has", result.stdout)
        self.assertIn(f"mend it: ipcrm -s {number}\n", result.stdout)

    def test_limits_that_are_nearly_used_up(self):
        with open("/proc/sys/kernel/sem", encoding="ascii") as file:
            before = file.read()
        used = len(self.server.get("/semaphores")["semaphores"])
        try:
            with open("/proc/sys/kernel/sem", "w", encoding="ascii") as file:
                file.write(f"250 32000 32 {used + 1}")
        except OSError:
            self.skipTest("the limits of this namespace cannot be changed")
        try:
            result = self.cli("doctor")
        finally:
            with open("/proc/sys/kernel/sem", "w", encoding="ascii") as file:
                file.write(before)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, rf"SEMMNI: {used} of {used + 1} sets are in use\n +mend it: sysctl -w "
                         r'kernel.sem="250 32000 32 \d+"')


class Check(CliTest):
    def check(self, text, *words):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            return file.name, self.cli("serve", "--config", file.name, "--check", *words)

    def test_it_says_what_is_in_force_and_from_where(self):
        name, result = self.check('# Ours\n{\n  "port": 4000,  // "port": 5000\n}\n', "--host", "127.0.0.2")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"(?m)^host +127\.0\.0\.2 +flag --host$")
        self.assertRegex(result.stdout, rf"(?m)^port +4000 +file {name}, line 3, column 3$")
        self.assertRegex(result.stdout, r"(?m)^ttl-default +30s +default$")

    def test_it_fails_with_the_place_of_what_cannot_be_used(self):
        name, result = self.check('{\n  // wrong:\n  "prot": 1\n}\n')
        self.assertEqual(result.returncode, 78)
        self.assertIn(f"{name}, line 3, column 3: 'prot' is not a setting; did you mean 'port'?", result.stderr)
        name, result = self.check('{"token-file": "/nowhere/tokens"}')
        self.assertEqual(result.returncode, 78)
        self.assertIn("/nowhere/tokens", result.stderr)


class Papers(CliTest):
    def test_the_version_is_told_as_the_service_tells_it(self):
        told = json.loads(self.cli("version", "--json").stdout)
        version = self.server.get("/version").json
        self.assertEqual(version.pop("engine")["name"], "local")
        self.assertEqual(told, version)
        self.assertEqual(self.cli("version").stdout, f"leasehold {told['version']}\n")
        self.assertEqual(self.cli("--version").stdout, f"leasehold {told['version']}\n")

    def test_the_manual_pages_are_what_the_program_says_of_itself(self):
        for name, text in man.pages(PROGRAM).items():
            with open(os.path.join(ROOT, "docs", "man", name), encoding="utf-8") as file:
                self.assertEqual(file.read(), text, "make man")

    def test_every_option_of_every_command_is_in_a_manual_page(self):
        dump = json.loads(subprocess.run([PROGRAM, "--experimental-dump-help"], check=True, capture_output=True).stdout)
        pages = "".join(man.pages(PROGRAM).values())
        count = 0

        def look(command):
            nonlocal count
            for argument in command.get("arguments", []):
                for name in argument.get("names") or []:
                    if argument["shouldDisplay"] and name["name"] not in ("help", "version", "h"):
                        count += 1
                        flag = ("-" if name["kind"] == "short" else "--") + name["name"]
                        self.assertIn(f"\\fB{man.escaped(flag)}\\fR", pages)
            for child in command.get("subcommands", []):
                if child["shouldDisplay"] and child["commandName"] != "help":
                    look(child)

        look(dump["command"])
        self.assertGreater(count, 60)

    def test_completions_are_scripts_of_their_shells(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
            script = self.cli("completions", shell).stdout
            self.assertIn("doctor", script)
            self.assertIn("no-wait", script)
            with tempfile.NamedTemporaryFile("w", suffix=f".{shell}") as file:
                file.write(script)
                file.flush()
                try:
                    result = subprocess.run([*check, file.name], capture_output=True, text=True, check=False)
                except FileNotFoundError:
                    continue
                self.assertEqual((result.returncode, result.stderr), (0, ""), shell)
        self.assertEqual(self.cli("completions", "tcsh").returncode, 64)

    def test_names_of_locks_complete_from_the_service(self):
        self.granted(self.server.acquire("deploy-web"))
        script = "\n".join([
            "source /dev/stdin <<<\"$SCRIPT\"", f"leasehold() {{ {PROGRAM} \"$@\"; }}",
            "COMP_WORDS=(leasehold locks dep) COMP_CWORD=2 COMP_LINE='leasehold locks dep' COMP_POINT=19 COMP_TYPE=9",
            "_leasehold_or_command leasehold dep locks", "printf '%s\\n' \"${COMPREPLY[@]}\""])
        completion = self.cli("completions", "bash").stdout
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=20,
                                env={**self.environment(), "SCRIPT": completion})
        self.assertIn("deploy-web", result.stdout, result)

    def test_a_reader_that_goes_away_ends_the_writer(self):
        script = f"{PROGRAM} completions bash | head -n 1; echo ${{PIPESTATUS[0]}}"
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=20)
        self.assertIn(result.stdout.splitlines()[-1], ("0", str(128 + signal.SIGPIPE)))

    def test_a_command_that_there_is_not_names_the_one_that_was_meant(self):
        for word, meant in (("lcoks", "did you mean 'locks'?"), ("relase", "did you mean 'release'?"),
                            ("frobnicate", "`leasehold --help` lists all of them")):
            result = self.cli(word)
            self.assertEqual(result.returncode, 64)
            self.assertOneLine(result.stderr, f"'{word}'", meant)

    @unittest.skipUnless(os.getuid() == 0, "needs root to become another user")
    def test_a_socket_that_one_may_not_use_is_not_a_service_that_is_down(self):
        folder = os.path.dirname(self.server.unix)
        os.chmod(folder, 0o755)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM]
        denied = subprocess.run([*command, "locks"], env=self.environment(), capture_output=True, text=True,
                                check=False, timeout=20)
        self.assertEqual(denied.returncode, 69)
        self.assertOneLine(denied.stderr, "Permission denied: it is for group ", "`leasehold doctor`")
        doctor = subprocess.run([*command, "doctor"], env=self.environment(), capture_output=True, text=True,
                                check=False, timeout=20)
        self.assertEqual(doctor.returncode, 1)
        self.assertIn("may not be used by nobody, uid 65534", doctor.stdout)
        # Nothing that would start a second service, or make somebody a member of root's group.
        self.assertNotIn("leasehold serve", doctor.stdout)
        self.assertNotIn("usermod -aG root", doctor.stdout)

    def test_help_names_every_command(self):
        help_text = self.cli("--help").stdout
        for command in ("run", "acquire", "release", "renew", "hold", "locks", "leases", "sem", "shm", "break", "top",
                        "doctor", "ready", "live", "serve", "completions"):
            self.assertRegex(help_text, rf"\n  {command}[ ,]")


if __name__ == "__main__":
    unittest.main()
