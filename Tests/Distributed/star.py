#!/usr/bin/env python3
"""One service, two hosts that use it over TLS with tokens, while links are cut, and the service stops and is killed.

    star.py [--seconds N] [--seed N] [--heedless] [--run-ahead]

`leasehold run` and programs with the Python client take two locks, one for one and one with two slots. Each holder
writes down, millisecond by millisecond, until when it acted. Nobody may have acted while others had the lock: more
units than there are, and fences that do not grow, are violations. The clocks of the second host are a day ahead;
programs run there, and `leasehold run` with --run-ahead. With --heedless, programs do not look at the end of their
lease: that shows what the looking is for.
"""

import argparse
import collections
import glob
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import history
import rig

NAME, PORT, TTL = "locks.example", 31818, 1.5
CAPACITY = {"w": 1, "s": 2}
AHEAD = 86400  # seconds that the clocks of the second host are ahead
FAULTS = ("cut one", "cut both", "stop", "kill")
# What a holder writes: lock, fence, begun, ended; the last again and again in its place.
NOTES = """
import os, time
shift = float(os.environ["CLOCK_AHEAD"])
class Notes:
    def __init__(self, lock, fence):
        self.file = os.open("%s/%s-%d-%s" % (os.environ["NOTES"], lock, os.getpid(), fence), os.O_CREAT | os.O_WRONLY)
        now = time.monotonic() - shift
        os.write(self.file, b"%s %s %s %.6f " % (lock.encode(), os.environ["WHO"].encode(), str(fence).encode(), now))
        self.at = os.lseek(self.file, 0, os.SEEK_CUR)
        self.acted(now)
    def acted(self, now):
        os.pwrite(self.file, b"%.6f\\n" % now, self.at)
    def __del__(self):
        os.close(self.file)
"""
# What `leasehold run` starts: it looks at no clock, and does not even go when it is asked to.
COMMAND = NOTES + """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
notes, until = Notes(os.environ["LEASEHOLD_LOCK"], os.environ["LEASEHOLD_FENCE"]), time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    notes.acted(time.monotonic() - shift)
    time.sleep(0.001)
"""
PROGRAM = NOTES + """
import random, sys
import leasehold
dice, stop, ttl, heedless = random.Random(int(sys.argv[1])), sys.argv[2], float(sys.argv[3]), sys.argv[4] == "True"
client = leasehold.Client(timeout=1)
while not os.path.exists(stop):
    lock = dice.choice(["w", "s"])
    try:
        lease = leasehold.acquire(lock, slots=2 if lock == "s" else None, ttl=ttl, wait=4, client=client)
    except leasehold.LeaseholdError as error:
        print(type(error).__name__, flush=True)
        continue
    # An answer may come so late that the lease is over.
    notes, until = None, time.monotonic() + dice.random() ** 3 * 2 * ttl
    while (now := time.monotonic()) < until and (heedless or not lease.lost):
        notes = notes or Notes(lock, lease.fence)
        notes.acted(now - shift)
        time.sleep(0.001)
    print("lost, " + lease.lost_reason if lease.lost else "held to the end", flush=True)
    lease.release()
"""


def ahead():
    """How much the second host's clocks are ahead: nothing where the kernel cannot do it."""
    probe = ["unshare", "--time", "--fork", "--monotonic", "1", "true"]
    return AHEAD if subprocess.run(probe, check=False, capture_output=True).returncode == 0 else 0


class Service:
    """The one service, on a host of its own, with a certificate and a token for each host that uses it."""

    def __init__(self, host, folder, others):
        self.host, self.folder, self.process = host, folder, None
        self.certificate = f"{folder}/locks.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", f"{folder}/locks.key", "-out", self.certificate, "-days", "2", "-subj", f"/CN={NAME}",
             "-addext", f"subjectAltName=DNS:{NAME}"], check=True, capture_output=True)
        made = [subprocess.check_output([rig.PROGRAM, "token", other.name, "--role", "lock", "--ttl-max", "1m"],
                                        text=True).splitlines() for other in others]
        self.tokens = {other.name: token for other, (token, _) in zip(others, made)}
        with open(f"{folder}/tokens", "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for _, line in made)
        for private in ("tokens", "locks.key"):
            os.chmod(f"{folder}/{private}", 0o600)

    def start(self):
        self.process = subprocess.Popen(self.host.inside(
            [rig.PROGRAM, "serve", "--host", self.host.address, "--port", str(PORT), "--allow-host", NAME,
             "--unix", f"{self.folder}/socket", "--token-file", f"{self.folder}/tokens", "--heartbeat", "200ms",
             "--tls-cert", self.certificate, "--tls-key", f"{self.folder}/locks.key", "--log-level", "critical"]))
        rig.eventually(self.answers, "the service answers")

    def ask(self, *words):
        return subprocess.run([rig.PROGRAM, *words, "--url", f"unix:{self.folder}/socket"], check=False,
                              capture_output=True, text=True)

    def answers(self):
        return self.ask("ls").returncode == 0

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(20)


class Callers:
    """What runs on a host: two programs with the Python client, and `leasehold run` again and again, some at once."""

    def __init__(self, host, service, folder, seed, ahead, at_once, heedless):
        self.host, self.dice, self.ahead, self.at_once = host, random.Random(seed), ahead, at_once
        self.environment = {
            **os.environ, "LEASEHOLD_URL": f"https://{NAME}:{PORT}", "LEASEHOLD_CACERT": service.certificate,
            "LEASEHOLD_TOKEN": service.tokens[host.name], "NOTES": f"{folder}/notes", "CLOCK_AHEAD": str(ahead),
            "PYTHONPATH": os.path.join(rig.ROOT, "clients", "python", "src")}
        self.said = open(f"{folder}/said-{host.name}", "w", encoding="utf-8")
        self.stopped, self.runs, self.told = f"{folder}/stop", [], collections.Counter()
        words = [f"{folder}/stop", str(TTL), str(heedless)]
        self.programs = [self.begin([sys.executable, "-c", PROGRAM, str(self.dice.randrange(1 << 30)), *words])
                         for _ in range(2)]

    def begin(self, command):
        who = f"{'run' if rig.PROGRAM in command else 'client'}-{self.host.name}"
        if self.ahead:
            ahead = ["--monotonic", str(self.ahead), "--boottime", str(self.ahead)]
            command = ["unshare", "--time", "--fork", "--kill-child", *ahead, *command]
        return subprocess.Popen(self.host.inside(command), env={**self.environment, "WHO": who}, stdout=self.said,
                                stderr=subprocess.DEVNULL)

    def go_on(self):
        """Starts `leasehold run` where the last one has ended."""
        for run in [run for run in self.runs if run.poll() is not None]:
            self.told[f"run: status {run.returncode}"] += 1
            self.runs.remove(run)
        while len(self.runs) < self.at_once and not os.path.exists(self.stopped):
            lock, seconds = self.dice.choice(["w", "s"]), self.dice.random() ** 3 * 2 * TTL
            slots = ["--slots", "2"] if lock == "s" else []
            run = [rig.PROGRAM, "run", "--quiet", "--wait", "4s", "--ttl", f"{TTL * 1000:.0f}ms", *slots, lock, "--"]
            self.runs.append(self.begin([*run, sys.executable, "-c", COMMAND, str(seconds)]))

    def end(self):
        for process in [*self.programs, *self.runs]:
            process.wait(30)
        self.said.close()
        with open(self.said.name, encoding="utf-8") as file:
            self.told.update(f"client: {line.strip()}" for line in file)

    def kill(self):
        for process in [*self.programs, *self.runs]:
            if process.poll() is None:
                process.kill()
            process.wait()


class Star:
    """A run of a seed: what it found is in `held`, `told` and `faults`."""

    def __init__(self, seed, heedless=False, runs=(3, 0)):
        self.dice, self.faults, self.told, self.held = random.Random(seed), collections.Counter(), None, []
        self.folder = tempfile.mkdtemp(prefix="leasehold-star-")
        os.mkdir(f"{self.folder}/notes")
        self.hosts = [rig.Host(number) for number in (1, 2, 3)]
        rig.names({NAME: self.hosts[0].address})
        self.service = Service(self.hosts[0], self.folder, self.hosts[1:])
        self.service.start()
        seeds = [self.dice.randrange(1 << 30) for _ in runs]
        self.callers = [Callers(host, self.service, self.folder, own, before, at_once, heedless)
                        for host, own, before, at_once in zip(self.hosts[1:], seeds, (0, ahead()), runs)]

    def pause(self, shortest, longest):
        end = time.monotonic() + self.dice.uniform(shortest, longest)
        while time.monotonic() < end:
            for callers in self.callers:
                callers.go_on()
            time.sleep(0.01)

    def fault(self, what):
        self.faults[what] += 1
        if what.startswith("cut"):
            cut = self.hosts[1:] if what == "cut both" else [self.dice.choice(self.hosts[1:])]
            for host in cut:
                host.cut()
            self.pause(0.2, 2 * TTL)
            for host in cut:
                host.join()
        elif what == "stop":
            self.service.signal(signal.SIGSTOP)
            self.pause(0.2, 2 * TTL)
            self.service.signal(signal.SIGCONT)
        else:
            self.service.kill()
            self.pause(0.1, TTL)
            self.service.start()

    def run(self, seconds):
        end = time.monotonic() + seconds
        # Each kind as often as the others, in an order of the seed's; all of them once, however slow the machine is.
        for what in itertools.chain.from_iterable(self.dice.sample(FAULTS, len(FAULTS)) for _ in itertools.count()):
            self.pause(0.2, TTL)
            if time.monotonic() > end and len(self.faults) == len(FAULTS):
                break
            self.fault(what)
        with open(f"{self.folder}/stop", "w", encoding="utf-8"):
            pass
        for callers in self.callers:
            callers.end()
        self.told = sum((callers.told for callers in self.callers), collections.Counter())
        for path in glob.glob(f"{self.folder}/notes/*"):
            with open(path, encoding="utf-8") as file:
                lock, who, fence, begun, ended = file.read().split()
            self.held.append(history.Held(lock, 1, float(begun), float(ended), int(fence), who))

    def violations(self):
        return history.violations(self.held, CAPACITY)

    def left(self):
        """How many have a lock or wait for one."""
        locks = json.loads(self.service.ask("ls", "--json").stdout)["locks"]
        return sum(lock["held"] + lock["waiting"] for lock in locks)

    def close(self):
        for callers in self.callers:
            callers.kill()
        self.service.end()
        for host in self.hosts:
            host.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def main(words):
    if rig.why_not():
        sys.exit(rig.why_not())
    star = Star(words.seed, words.heedless, (2, 2) if words.run_ahead else (3, 0))
    try:
        star.run(words.seconds)
        found = star.violations()
        rig.eventually(lambda: star.left() == 0, "nothing is left")
        count = sum(star.faults.values())
        print(f"{len(star.held)} holders, {count} faults, {len(found)} violations; seed {words.seed}")
        print(f"faults: {dict(star.faults)}\ntold: {dict(sorted(star.told.items()))}")
        for violation in found[:10]:
            print("  " + violation)
    finally:
        star.close()
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--heedless", action="store_true")
    parser.add_argument("--run-ahead", action="store_true")
    sys.exit(main(parser.parse_args()))
