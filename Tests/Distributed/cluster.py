"""Three members of etcd on hosts of their own, and three services on one more that use them; or one member alone.

The etcd is each that `LEASEHOLD_ETCD` names, parted by colons, else the system's; what takes only one takes the first.
"""

import argparse
import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import rig
from harness import free_port

ETCDS = [path for path in os.environ.get("LEASEHOLD_ETCD", "").split(":") if path] or [
    path for path in [shutil.which("etcd", path="/usr/bin:/usr/local/bin")] if path]
ETCD = ETCDS[0] if ETCDS else None
WIRE = f"{rig.ROOT}/Tests/Distributed/wire.py"
FAILURES = (OSError, http.client.HTTPException, ValueError)


def coded(text):
    return base64.b64encode(text.encode()).decode()


def call(port, method, path, headers=None, timeout=40, host="127.0.0.1", body=None):
    """Status and answer of a service, or of a member."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        answer = connection.getresponse()
        told = answer.read()
        return answer.status, json.loads(told) if told else {}
    finally:
        connection.close()


def for_each_etcd(case):
    """The `load_tests` of a module whose tests have a `program`: each of them once for each etcd."""
    def load_tests(loader, *_):
        cases = [type(f"{case.__name__}, {program}", (case,), {"program": program, "__module__": case.__module__})
                 for program in ETCDS[1:]]
        return unittest.TestSuite(loader.loadTestsFromTestCase(one) for one in [case, *cases])
    return load_tests


class Cluster:
    def __init__(self, program, election=1000):
        self.program, self.folder, self.processes = program, tempfile.mkdtemp(prefix="lh-etcd-"), {}
        self.election = election
        self.wanted, self.ended = set(), 0
        self.hosts = [rig.Host(number) for number in (1, 2, 3)]
        for number in range(3):
            self.start(number)
        self.leader()

    def url(self, number):
        return f"http://{self.hosts[number].address}:2379"

    def start(self, number):
        client, peer = self.url(number), f"http://{self.hosts[number].address}:2380"
        peers = ",".join(f"m{k}=http://{host.address}:2380" for k, host in enumerate(self.hosts))
        command = [self.program, "--name", f"m{number}", "--data-dir", f"{self.folder}/m{number}",
                   "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                   "--initial-advertise-peer-urls", peer, "--initial-cluster", peers, "--pre-vote",
                   "--heartbeat-interval", str(self.election // 10), "--election-timeout", str(self.election),
                   "--logger", "zap", "--log-level", "fatal"]
        with open(f"{self.folder}/m{number}.log", "w", encoding="utf-8") as log:
            self.processes[number] = subprocess.Popen(self.hosts[number].inside(command), stdout=log, stderr=log)
        self.wanted.add(number)

    def keep(self):
        """Starts members again that have ended by themselves, a few times."""
        for number in self.wanted:
            if self.processes[number].poll() is not None:
                self.ended += 1
                if self.ended > 10:
                    raise SystemExit(f"{self.program} does not stay")
                with open(f"{self.folder}/m{number}.log", encoding="utf-8") as log:
                    print(f"member {number} ended, and is started again: {log.read()[-300:]}", flush=True)
                self.start(number)

    def ask(self, number, path, body):
        return call(2379, "POST", path, timeout=2, host=self.hosts[number].address, body=body)[1]

    def status(self, number):
        return self.ask(number, "/v3/maintenance/status", {})

    def leader(self):
        def found():
            self.keep()
            for number in range(3):
                try:
                    status = self.status(number)
                except FAILURES:
                    continue
                if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                    return str(number)
            return None

        return int(rig.eventually(found, "there is a leader", 30))

    def are_whole(self):
        """Whether all members follow one leader: one whose link was cut needs some seconds after it is joined."""
        try:
            told = [self.status(number) for number in range(3)]
        except FAILURES:
            return False
        return told[0].get("leader", "0") != "0" and len({(one.get("leader"), one["raftTerm"]) for one in told}) == 1

    def keys(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        whole = {"key": coded(prefix), "range_end": coded(end), "keys_only": True}
        found = self.ask(self.leader(), "/v3/kv/range", whole)
        return [base64.b64decode(entry["key"]).decode() for entry in found.get("kvs", [])]

    def kill(self, number):
        self.wanted.discard(number)
        self.processes[number].kill()
        self.processes[number].wait()

    def signal(self, number, what):
        self.processes[number].send_signal(what)

    def stop(self):
        for number, process in self.processes.items():
            process.send_signal(signal.SIGCONT)
            self.kill(number)
        for host in self.hosts:
            host.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


class OneEtcd:
    """A cluster of one on this host, which is quick to choose its leader."""

    def __init__(self, program, *more, until=None):
        self.until = until or OneEtcd.revision
        self.folder, self.port, self.peer = tempfile.mkdtemp(prefix="lh-etcd-"), free_port(), free_port()
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peer}"
        self.command = [
            program, "--name", "m", "--data-dir", self.folder + "/data", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", "m=" + peer, "--heartbeat-interval", "20", "--election-timeout", "120",
            "--logger", "zap", "--log-level", "fatal", *more]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command)
        rig.eventually(lambda: self.until(self), "etcd answers")

    def answers(self, path):
        try:
            return call(self.port, "GET", path, timeout=5)[0] == 200
        except FAILURES:
            return False

    def revision(self):
        try:
            return int(self.post("/v3/kv/range", {"key": "YQ=="})["header"]["revision"])
        except FAILURES:
            return 0

    def post(self, path, body):
        return call(self.port, "POST", path, body=body, timeout=5)[1]

    def pause(self):
        """Stops its process; then all its threads stand."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Services:
    """Three services on the bridge; each asks another member first."""

    ports = [31901, 31902, 31903]

    def __init__(self, urls):
        self.urls, self.processes = urls, {}
        for number in range(3):
            self.start(number)

    def start(self, number):
        urls = ",".join(self.urls[number:] + self.urls[:number])
        command = [rig.PROGRAM, "serve", "--port", str(self.ports[number]), "--engine", "etcd:" + urls,
                   "--log-level", "critical"]
        self.processes[number] = subprocess.Popen(command)

        def answers():
            # It ends where etcd does not answer yet; what runs it starts it again.
            if self.processes[number].poll() is not None:
                self.processes[number] = subprocess.Popen(command)
            return self.answers(number)

        rig.eventually(answers, "the service answers", 60)

    def answers(self, number):
        try:
            return call(self.ports[number], "GET", "/readyz", timeout=2)[0] == 200
        except FAILURES:
            return False

    def kill(self, number):
        self.processes[number].kill()
        self.processes[number].wait()

    def signal(self, number, what):
        self.processes[number].send_signal(what)

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)


def arguments(about):
    """What the programs beside this file are told alike."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", default=ETCD)
    return parser


@contextlib.contextmanager
def members_and_services(etcd):
    """Both, gone afterwards; ends the program where there are no hosts."""
    if reason := rig.why_not():
        sys.exit(reason)
    with contextlib.ExitStack() as stack:
        members = Cluster(etcd)
        stack.callback(members.stop)
        services = Services([members.url(k) for k in range(3)])
        stack.callback(services.stop)
        yield members, services


class Wires:
    """A proxy before each member, which can do wrong: see wire.py."""

    def __init__(self, cluster, seed):
        self.urls = [f"http://127.0.0.1:{port}" for port in (31911, 31912, 31913)]
        self.processes = [subprocess.Popen(
            [sys.executable, WIRE, url.rpartition(":")[2], host.address, str(seed + k)],
            stdin=subprocess.PIPE, text=True)
            for k, (url, host) in enumerate(zip(self.urls, cluster.hosts))]
        for url in self.urls:
            rig.eventually(lambda url=url: self.listens(int(url.rpartition(":")[2])), "the wire listens", 60)

    @staticmethod
    def listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def say(self, fault):
        for process in self.processes:
            process.stdin.write(fault + "\n")
            process.stdin.flush()

    def stop(self):
        for process in self.processes:
            process.kill()
            process.stdin.close()
            process.wait()
