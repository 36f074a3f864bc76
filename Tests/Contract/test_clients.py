"""Clients that generators make of openapi.yaml, made and used: acquire, 423, renew, release, 410.

python3 Tests/Contract/test_clients.py. A generator whose language is not installed here is skipped; `make
clients-generated` installs Java and Go first. The program under test is $LEASEHOLD.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from run import DOCUMENT, HERE, ROOT, environment, free_port, start

PROGRAM = os.environ.get("LEASEHOLD", os.path.join(ROOT, ".build", "debug", "leasehold"))
VENV = os.path.join(ROOT, ".build", "clients-venv")
MODULE = "example.org/leasehold"


class GeneratedClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tools = environment(VENV, "requirements-clients.txt")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="leasehold-")
        self.addCleanup(folder.cleanup)
        self.folder, port = folder.name, free_port()
        server = start(PROGRAM, port, self.folder)
        self.addCleanup(server.wait, 20)
        self.addCleanup(server.terminate)
        self.url = f"http://127.0.0.1:{port}"

    def run_it(self, *command, folder=None, **environment):
        done = subprocess.run(
            command, cwd=folder or self.folder, env={**os.environ, **environment}, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, timeout=300)
        self.assertEqual(done.returncode, 0, f"{command}:\n{done.stdout[-6000:]}")
        return done.stdout

    def generate(self, generator, *more):
        if not shutil.which("java"):
            self.skipTest("needs java")
        made = os.path.join(self.folder, "made")
        self.run_it(os.path.join(self.tools, "openapi-generator-cli"), "generate", "-i", DOCUMENT, "-g", generator,
                    "-o", made, *more)
        return made

    def test_python_of_openapi_generator(self):
        made = self.generate("python")
        self.run_it(os.path.join(self.tools, "python"), os.path.join(HERE, "clients", "generator_python.py"), self.url,
                    PYTHONPATH=made)

    def test_go_of_openapi_generator(self):
        if not shutil.which("go"):
            self.skipTest("needs go")
        made = self.generate("go")
        # Its tests ask for a library from the network; the client itself needs nothing.
        shutil.rmtree(os.path.join(made, "test"))
        with open(os.path.join(made, "go.mod"), "w", encoding="utf-8") as file:
            file.write(f"module {MODULE}\n\ngo 1.18\n")
        shutil.copy(os.path.join(HERE, "clients", "generator_go.go"), os.path.join(self.sub(made, "use"), "main.go"))
        caches = {name: self.sub(os.path.join(ROOT, ".build"), name.lower()) for name in ("GOCACHE", "GOPATH")}
        self.run_it("go", "run", "./use", self.url, folder=made, GOFLAGS="-mod=mod", GOPROXY="off", **caches)

    def test_openapi_python_client(self):
        made = os.path.join(self.folder, "made")
        self.run_it(os.path.join(self.tools, "openapi-python-client"), "generate", "--path", DOCUMENT, "--meta", "none",
                    "--output-path", os.path.join(made, "leasehold_client"),
                    PATH=self.tools + os.pathsep + os.environ["PATH"])
        self.run_it(os.path.join(self.tools, "python"), os.path.join(HERE, "clients", "python_client.py"), self.url,
                    PYTHONPATH=made)

    def sub(self, folder, name):
        path = os.path.join(folder, name)
        os.makedirs(path, exist_ok=True)
        return path


if __name__ == "__main__":
    sys.exit(unittest.main())
