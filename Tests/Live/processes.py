"""What the tests of leases bound to processes share."""

import subprocess
import sys
import time

from harness import LiveTest, eventually

SECONDS_UNTIL_GONE = 0.5  # the bound that is asserted; what is expected is some milliseconds
# Runs as anybody, in any namespace: acquires over the Unix socket, says how that went, and lives until its input ends.
CLIENT = """
import http.client, os, socket, sys
connection = http.client.HTTPConnection("localhost", timeout=20)
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
bind = sys.argv[3].replace("SELF", str(os.getpid()))
connection.request("POST", f"/locks/{sys.argv[2]}/acquire?ttl=0&bind={bind}")
response = connection.getresponse()
print(os.getpid(), response.status, response.read().decode().strip(), flush=True)
connection.close()
sys.stdin.read()
"""


class Client:
    """A process that acquires a lease bound to `bind` (SELF is its own number) and stays."""

    def __init__(self, server, key, bind="pid:SELF", prefix=()):
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", CLIENT, server.unix, key, bind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pid, status, self.text = self.process.stdout.readline().split(" ", 2)
        self.pid, self.status = int(pid), int(status)

    def exit(self):
        self.process.stdin.close()
        self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class ProcessTest(LiveTest):
    def sleeper(self, *prefix):
        """A process that does nothing for long."""
        process = subprocess.Popen([*prefix, "sleep", "600"])
        self.addCleanup(self.bury, process)
        return process

    @staticmethod
    def bury(process):
        process.kill()
        process.wait()

    def client(self, *arguments, **more):
        client = Client(self.server, *arguments, **more)
        self.addCleanup(client.close)
        return client

    def bound(self, pid, key=None, **more):
        answer = self.server.over_unix.acquire(key or self.key(), bind=f"pid:{pid}", **more)
        lease = self.granted(answer)
        self.assertEqual(lease["bind"], f"pid:{pid}")
        return lease

    def over(self, lease):
        """Waits until the lease is over because of its process; the seconds that took."""
        begun = time.monotonic()
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "the lease is over", pause=0.001)
        took = time.monotonic() - begun
        self.assertProblem(
            self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason="process-exited", ref=lease["ref"])
        return took


def in_namespace(*more):
    """A PID namespace of its own, with its own /proc."""
    return ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *more)
