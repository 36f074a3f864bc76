"""docker/compose.etcd.yaml and the README's way to three hosts, each service on a host of its own.

Network namespaces stand for containers, and programs of this machine for images.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import rig
from cluster import ETCD

try:
    import yaml
except ImportError:
    yaml = None

COMPOSE = os.path.join(rig.ROOT, "docker", "compose.etcd.yaml")
README = os.path.join(rig.ROOT, "README.md")
LINE = re.compile(r"^leasehold serve --engine etcd:.*", re.M)


class ThreeHosts(unittest.TestCase):
    def setUp(self):
        if not ETCD or not yaml:
            self.skipTest("there is no etcd: apt-get install etcd-server" if yaml else "there is no python3-yaml")
        if reason := rig.why_not():
            self.skipTest(reason)
        self.folder = tempfile.mkdtemp(prefix="leasehold-compose-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def serve(self, name, command, environment):
        path = f"{rig.COMMANDS}:{os.environ['PATH']}"
        with open(f"{self.folder}/{name}.log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                self.hosts[name].inside(command), stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, **environment, "PATH": path, "LEASEHOLD_UNIX": f"{self.folder}/{name}.sock"})
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)

    def ask(self, name, *words):
        """What curl gets from the service of a host, on that host."""
        command = ["curl", "-s", "-X", words[0], f"http://127.0.0.1:31818{words[1]}"]
        return subprocess.run(self.hosts[name].inside(command), check=False, capture_output=True, text=True).stdout

    def test_what_one_host_takes_the_others_see(self):
        with open(COMPOSE, encoding="utf-8") as file:
            services = yaml.safe_load(file)["services"]
        with open(README, encoding="utf-8") as file:
            line = LINE.search(file.read())[0]
        self.assertEqual(sorted(services), ["etcd1", "etcd2", "etcd3", "leasehold1", "leasehold2", "leasehold3"])
        self.hosts = {name: rig.Host(number) for number, name in enumerate([*services, "readme"], 1)}
        for host in self.hosts.values():
            self.addCleanup(host.remove)
        rig.names({name: host.address for name, host in self.hosts.items()})
        for name, service in services.items():
            command = [ETCD, "--data-dir", f"{self.folder}/{name}"] if "etcd" in name else [rig.PROGRAM, "serve"]
            if "etcd" not in name:
                # They end where etcd does not answer, and Docker starts them again: here they wait.
                rig.eventually(lambda: self.is_there("etcd1"), "etcd has a leader", 60)
            self.serve(name, command, service["environment"])
        self.serve("readme", ["sh", "-c", "exec " + line], {})
        users = [name for name in self.hosts if "etcd" not in name]
        for name in users:
            rig.eventually(lambda name=name: "ready" in self.ask(name, "GET", "/readyz"), f"{name} answers", 60)
        lease = re.search(r'"lease":"(\w+)"', self.ask(users[0], "POST", "/locks/deploy/acquire?ttl=60s"))[1]
        for name in users[1:]:
            self.assertIn('"status":423', self.ask(name, "POST", "/locks/deploy/acquire?ttl=60s"))
        self.assertIn('"already":false', self.ask(users[-1], "DELETE", f"/leases/{lease}"))
        self.assertIn('"lease":', self.ask(users[1], "POST", "/locks/deploy/acquire?ttl=60s"))

    def is_there(self, name):
        return '"health":"true"' in subprocess.run(
            ["curl", "-s", f"http://{self.hosts[name].address}:2379/health"], check=False, capture_output=True,
            text=True).stdout


if __name__ == "__main__":
    unittest.main(verbosity=2)
