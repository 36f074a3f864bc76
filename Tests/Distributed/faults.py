#!/usr/bin/env python3
"""Three members of etcd in network namespaces, three services, and clients that honour their leases by their own clock;
members and services die, stop and are cut off meanwhile. Needs root and `ip`.

    faults.py [--etcd PATH] [--seconds N] [--seed N] [FAULT...]

Checks of the history: never more units than there are, among clients that stop at the end of their lease; fences grow
with each grant of a lock for one; no lease that its holder was told of was dead before its deadline; nothing stays in
the queues afterwards. Ends only what it started.
"""

import argparse
import base64
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("LEASEHOLD", os.path.join(ROOT, ".build", "debug", "leasehold"))
FAULTS = ["none", "leader-kill", "leader-stop", "leader-cut", "service-kill", "service-stop"]
SLOTS = 3


def sh(command):
    return subprocess.run(command, shell=True, check=False, capture_output=True)


class Network:
    """Four namespaces on one bridge: three for members, one for everybody else."""

    def __init__(self, tag):
        self.tag = tag
        sh(f"ip netns add {tag}sw; ip -n {tag}sw link add br0 type bridge; ip -n {tag}sw link set br0 up")
        for i in range(4):
            n = f"{tag}n{i}"
            sh(f"ip netns add {n}; ip link add {tag}a{i} netns {n} type veth peer name {tag}b{i} netns {tag}sw; "
               f"ip -n {tag}sw link set {tag}b{i} master br0 up; ip -n {n} addr add 10.77.0.{i + 1}/24 dev {tag}a{i}; "
               f"ip -n {n} link set {tag}a{i} up; ip -n {n} link set lo up")

    def cut(self, i, state):
        sh(f"ip -n {self.tag}sw link set {self.tag}b{i} {state}")

    def remove(self):
        for n in ("sw", "n0", "n1", "n2", "n3"):
            sh(f"ip netns del {self.tag}{n}")


class Cluster:
    hosts = [f"10.77.0.{i + 1}" for i in range(3)]

    def __init__(self, program, tag):
        self.program, self.tag, self.folder, self.processes = program, tag, tempfile.mkdtemp(prefix="lh-etcd-"), {}
        for i in range(3):
            self.start(i)

    def start(self, i):
        client, peer = f"http://{self.hosts[i]}:2379", f"http://{self.hosts[i]}:2380"
        peers = ",".join(f"m{k}=http://{host}:2380" for k, host in enumerate(self.hosts))
        self.processes[i] = subprocess.Popen(
            ["ip", "netns", "exec", f"{self.tag}n{i}", self.program, "--name", f"m{i}", "--data-dir",
             f"{self.folder}/m{i}", "--listen-client-urls", client, "--advertise-client-urls", client,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", peers,
             "--logger", "zap", "--log-level", "fatal"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, i, path, body):
        connection = http.client.HTTPConnection(self.hosts[i], 2379, timeout=2)
        connection.request("POST", path, json.dumps(body))
        return json.loads(connection.getresponse().read())

    def leader(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for i in range(3):
                try:
                    status = self.ask(i, "/v3/maintenance/status", {})
                    if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                        return i
                except (OSError, http.client.HTTPException, ValueError):
                    pass
            time.sleep(0.1)
        sys.exit("no leader")

    def keys(self, prefix):
        start, end = prefix.encode(), prefix[:-1].encode() + bytes([ord(prefix[-1]) + 1])
        body = {"key": base64.b64encode(start).decode(), "range_end": base64.b64encode(end).decode(), "keys_only": True}
        found = self.ask(self.leader(), "/v3/kv/range", body).get("kvs", [])
        return [base64.b64decode(kv["key"]).decode() for kv in found]

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Services:
    ports = [31901, 31902, 31903]

    def __init__(self):
        self.processes = {}
        for i in range(3):
            self.start(i)

    def start(self, i):
        urls = ",".join(f"http://{host}:2379" for host in Cluster.hosts[i:] + Cluster.hosts[:i])
        self.processes[i] = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(self.ports[i]), "--engine", "etcd:" + urls, "--log-level", "critical"])
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if call(self.ports[i], "GET", "/readyz", timeout=2)[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        sys.exit("a service does not start")

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)


def call(port, method, path, headers=None, timeout=14):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else {}
    finally:
        connection.close()


class History:
    def __init__(self, what, seed):
        self.what, self.seed, self.guard = what, seed, threading.Lock()
        self.entries, self.statuses, self.dead = [], {}, []

    def note(self, status):
        with self.guard:
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def client(self, number, stop):
        rng, port = random.Random(self.seed * 100 + number), Services.ports[number % 3]
        while time.monotonic() < stop:
            lock, count = rng.choice([("w", 1), ("s", 1), ("s", 2)])
            limit = f"&limit={SLOTS}&count={count}" if lock == "s" else ""
            key = {"Idempotency-Key": f"{self.what} {rng.random()}"}
            for _ in range(3):
                sent = time.monotonic()
                try:
                    status, lease = call(port, "POST", f"/locks/f-{lock}/acquire?ttl=4s&wait=6s{limit}", key)
                except (OSError, http.client.HTTPException):
                    status, lease = "lost", {}
                self.note(status)
                if status in (200, 201, 423, 408):
                    break
                # The answer is lost, or nobody knows: again with the same key, through another service.
                port = rng.choice(Services.ports)
                time.sleep(0.1)
            if status not in (200, 201):
                continue
            waited = lease["waited_ms"] if status == 201 else 0
            begun, until = time.monotonic(), sent + (waited + lease["expires_in_ms"]) / 1000
            until = min(until, begun + lease["expires_in_ms"] / 1000)
            if begun >= until:
                continue
            time.sleep(min(rng.random() * 0.05, max(0, until - begun - 0.01)))
            ended = min(time.monotonic(), until)
            with self.guard:
                self.entries.append((lock, count, begun, ended, lease["fence"]))
            try:
                asked = time.monotonic()
                status, answer = call(port, "DELETE", f"/leases/{lease['lease']}")
                if status in (404, 410) and answer.get("reason") not in ("released",) and time.monotonic() < until:
                    self.dead.append((lock, lease["fence"], answer.get("code"), round(until - asked, 3)))
            except (OSError, http.client.HTTPException):
                status = "lost"
            self.note(f"release {status}")

    def violations(self):
        found = []
        for lock, most in (("w", 1), ("s", SLOTS)):
            of_lock = [entry for entry in self.entries if entry[0] == lock]
            steps = sorted([(begun, count) for _, count, begun, _, _ in of_lock]
                           + [(ended, -count) for _, count, _, ended, _ in of_lock])
            held = 0
            for at, change in steps:
                held += change
                if held > most:
                    found.append(f"{held} units of {most} of {lock} at {at}")
            if most == 1:
                fences = [fence for _, _, _, _, fence in sorted(of_lock, key=lambda entry: entry[2])]
                found += [f"fence {b} after {a}" for a, b in zip(fences, fences[1:]) if b <= a]
        return found + [f"dead while it was held: {dead}" for dead in self.dead]

    def longest_gap(self):
        begins = sorted(entry[2] for entry in self.entries)
        return max([b - a for a, b in zip(begins, begins[1:])], default=0)


def fault(what, network, cluster, services, rng, seconds):
    time.sleep(3)
    leader, service = cluster.leader(), rng.randrange(3)
    pause = min(8, seconds - 6)
    if what == "leader-kill":
        cluster.processes[leader].kill()
        cluster.processes[leader].wait()
        time.sleep(pause)
        cluster.start(leader)
    elif what == "leader-stop":
        cluster.processes[leader].send_signal(signal.SIGSTOP)
        time.sleep(pause)
        cluster.processes[leader].send_signal(signal.SIGCONT)
    elif what == "leader-cut":
        network.cut(leader, "down")
        time.sleep(pause)
        network.cut(leader, "up")
    elif what == "service-kill":
        services.processes[service].kill()
        services.processes[service].wait()
        time.sleep(2)
        services.start(service)
    elif what == "service-stop":
        services.processes[service].send_signal(signal.SIGSTOP)
        time.sleep(pause)
        services.processes[service].send_signal(signal.SIGCONT)


def main(words):
    if words.inside is None:
        network = Network(f"lh{os.getpid() % 10000}")
        try:
            inside = ["ip", "netns", "exec", network.tag + "n3", sys.executable, os.path.abspath(__file__)]
            return subprocess.call([*inside, *sys.argv[1:], "--inside", network.tag])
        finally:
            network.remove()
    network = Network.__new__(Network)
    network.tag = words.inside
    cluster = Cluster(words.etcd, words.inside)
    bad = 0
    try:
        cluster.leader()
        print("etcd", cluster.ask(0, "/v3/maintenance/status", {})["version"], flush=True)
        services = Services()
        try:
            for what in words.faults or FAULTS:
                history, rng = History(what, words.seed), random.Random(words.seed)
                stop = time.monotonic() + words.seconds
                threads = [threading.Thread(target=history.client, args=(n, stop)) for n in range(6)]
                for thread in threads:
                    thread.start()
                fault(what, network, cluster, services, rng, words.seconds)
                for thread in threads:
                    thread.join()
                violations = history.violations()
                bad += len(violations)
                print(f"{what}: {len(history.entries)} grants, longest gap {history.longest_gap():.2f} s, "
                      f"{len(violations)} violations, answers {history.statuses}", flush=True)
                for violation in violations[:5]:
                    print("  " + violation, flush=True)
            end = time.monotonic() + 20
            while (left := cluster.keys("/lh/1/q/")) and time.monotonic() < end:
                time.sleep(0.5)
            print(f"left in the queues: {len(left)}; seed {words.seed}")
            bad += len(left)
        finally:
            services.stop()
    finally:
        cluster.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", choices=[[], *FAULTS])
    parser.add_argument("--etcd", default=shutil.which("etcd", path="/usr/bin:/usr/local/bin"))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    sys.exit(main(parser.parse_args()))
