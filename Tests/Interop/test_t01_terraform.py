# Rows: T1
"""Terraform itself, with its backend `http`: the state elsewhere, the lock here."""

import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from interop import LiveTest, eventually

TERRAFORM = os.environ.get("TERRAFORM") or shutil.which("terraform") or shutil.which("tofu")
# Nothing that is downloaded: the resource is Terraform's own. It is made as long as the file `go` is not there.
PROGRAM = """
terraform {
  backend "http" {
    address        = "http://127.0.0.1:%(states)d/"
    lock_address   = "%(lock)s"
    unlock_address = "%(lock)s"
    %(more)s
    retry_max      = 0
  }
}
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "touch started; while [ ! -e go ]; do sleep 0.1; done" }
}
"""


class States(http.server.BaseHTTPRequestHandler):
    """Where the state is: one, in memory."""

    state = None

    def do_GET(self):
        self.answer(200 if States.state else 404, States.state or b"")

    def do_POST(self):
        States.state = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@unittest.skipUnless(TERRAFORM, "there is no terraform or tofu here; TERRAFORM=/path/to/it names one")
class Terraform(LiveTest):
    def setUp(self):
        States.state = None
        states = http.server.ThreadingHTTPServer(("127.0.0.1", 0), States)
        threading.Thread(target=states.serve_forever, daemon=True).start()
        self.addCleanup(states.server_close)
        self.addCleanup(states.shutdown)
        self.states = states.server_port
        self.state = self.id().rpartition(".")[2]
        self.folder = self.project()

    def project(self, more="", query=""):
        folder = tempfile.mkdtemp(prefix="terraform-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        lock = f"http://127.0.0.1:{self.server.port}/terraform/{self.state}{query}"
        with open(os.path.join(folder, "main.tf"), "w", encoding="utf-8") as file:
            file.write(PROGRAM % {"states": self.states, "lock": lock, "more": more})
        self.assertEqual(self.terraform(folder, "init").returncode, 0)
        return folder

    def command(self, *arguments):
        return [TERRAFORM, arguments[0], "-no-color", *arguments[1:]]

    @property
    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        return kept | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def terraform(self, folder, *arguments):
        return subprocess.run(self.command(*arguments), cwd=folder, env=self.environment, capture_output=True,
                              text=True, timeout=120, check=False)

    def apply_later(self, folder):
        """Starts an apply, and returns once it works under the lock."""
        process = subprocess.Popen(self.command("apply", "-auto-approve"), cwd=folder, env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        eventually(lambda: os.path.exists(os.path.join(folder, "started")), "the apply is at work", timeout=60)
        return process

    def finish(self, folder, process):
        with open(os.path.join(folder, "go"), "w", encoding="utf-8"):
            pass
        text = process.communicate(timeout=60)[0]
        return process.returncode, text

    def holders(self):
        return self.server.lock(f"terraform:{self.state}")["holders"]

    def test_apply_conflict_and_the_end(self):
        first = self.apply_later(self.folder)
        (holder,) = self.holders()
        identity = re.search(r"\(terraform ([0-9a-f-]{36})\)$", holder["owner"])[1]
        self.assertEqual(holder["ttl_ms"], 24 * 3600 * 1000)

        second = self.terraform(self.folder, "plan")
        self.assertEqual(second.returncode, 1)
        self.assertIn("Error acquiring the state lock", second.stderr)
        self.assertIn(f"already locked:\nID={identity}\n", second.stderr)
        # Terraform 1.11 shows its own Who here, which is the same one's.
        self.assertTrue(holder["owner"].startswith(re.search(r"Who: +(\S+)", second.stderr)[1] + " ("))

        self.assertEqual(self.finish(self.folder, first)[0], 0)
        self.assertEqual(self.holders(), [])
        self.assertEqual(self.terraform(self.folder, "plan", "-detailed-exitcode").returncode, 0)

    def test_force_unlock_and_what_the_first_is_told(self):
        first = self.apply_later(self.folder)
        identity = re.search(r"\(terraform (\S+)\)$", self.holders()[0]["owner"])[1]
        forced = self.terraform(self.folder, "force-unlock", "-force", identity)
        self.assertEqual(forced.returncode, 0, forced.stderr)
        self.assertEqual(self.holders(), [])
        status, text = self.finish(self.folder, first)
        self.assertEqual(status, 1)
        self.assertIn("Unexpected HTTP response code 410", text)

    def test_a_service_that_was_killed_knows_who_locked(self):
        first = self.apply_later(self.folder)
        owner = self.holders()[0]["owner"]
        self.server.restart()
        refused = self.terraform(self.folder, "plan")
        self.assertIn(f" (terraform {re.search('already locked:.ID=([0-9a-f-]{36})', refused.stderr, re.S)[1]})", owner)
        self.assertEqual(self.finish(self.folder, first)[0], 0)
        self.assertEqual(self.holders(), [])

    def test_the_methods_of_others_and_a_time(self):
        more = 'lock_method = "POST"\nunlock_method = "DELETE"'
        folder = self.project(more, query="?ttl=2h")
        first = self.apply_later(folder)
        self.assertEqual(self.holders()[0]["ttl_ms"], 2 * 3600 * 1000)
        self.assertEqual(self.finish(folder, first)[0], 0)
        self.assertEqual(self.holders(), [])


if __name__ == "__main__":
    unittest.main()
