"""kill -9 of the daemon beside PHP programs with more handles than a unit of a lease weighs: no unit is lost or made.

python3 Tests/Robustness/natives.py --kills 15
"""

import random
import shutil
import subprocess
import threading
import time

from support import FAILURES, KeepAlive, Report, arguments, quiet, running

KEY, LIMIT, WEIGHT = 0x5AFE99, 4, 1024
NAME = f"php:0x{KEY:x}"
HANDLES = (0, 1, 31, 500, 512, 513, 1024, 1100, 3000)
# One program: it opens and closes handles, takes a slot and gives it back, and answers each line.
PROGRAM = f"""
$handles = []; $slot = sem_get({KEY}, {LIMIT}, 0666, true); $taken = false;
while (($line = fgets(STDIN)) !== false) {{
  [$word, $count] = explode(' ', trim($line) . ' 0');
  if ($word === 'keep') {{
    while (count($handles) > $count) array_pop($handles);
    while (count($handles) < $count) $handles[] = sem_get({KEY}, {LIMIT}, 0666, true);
  }} elseif ($word === 'take') {{
    $taken = $taken || sem_acquire($slot, true);
  }} else {{
    if ($taken) sem_release($slot);
    $taken = false;
  }}
  echo (1 + count($handles)), ' ', (int) $taken, "\\n";
}}
"""


class PHP:
    """A PHP program: how many handles it has open, and how many slots."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["php", "-r", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.ask("keep 0")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.handles, self.taken = map(int, self.process.stdout.readline().split())

    def kill(self):
        self.process.kill()
        self.process.wait()


class Caller(threading.Thread):
    """Takes leases and gives them back, until told to stop; remembers which it was told of and did not give back."""

    def __init__(self, client, seed):
        super().__init__(daemon=True)
        self.wire, self.random = KeepAlive(client), random.Random(seed)
        self.leases, self.granted, self.over, self.error = [], 0, False, None

    def run(self):
        try:
            while not self.over:
                self.turn()
        except Exception as error:  # a bug of this program: the main thread reports it
            self.error = error

    def turn(self):
        give = self.leases and self.random.random() < 0.5
        try:
            if give:
                # Whether an end that is cut short was one nobody knows.
                lease = self.leases.pop()
                self.wire.request("DELETE", f"/leases/{lease}")
                return
            answer = self.wire.request("POST", f"/locks/{NAME}/acquire", limit=LIMIT, ttl="1h")
            if answer.status == 201:
                self.leases.append(answer["lease"])
                self.granted += 1
        except FAILURES:
            time.sleep(0.002)

    def stop(self):
        self.over = True
        self.join(30)
        self.wire.close()
        if self.error:
            raise self.error


def books(server, php, report, what):
    """The kernel's values are what leases and programs have."""
    def look():
        lock = server.get(f"/locks/{NAME}").json
        free, usage, _ = server.get(f"/semaphores/id:{lock['sysv']['id']}")["values"]
        units = sum(holder["count"] for holder in lock["holders"])
        suspects = sum(holder["state"] == "suspect" for holder in lock["holders"])
        handles, taken = sum(one.handles for one in php), sum(one.taken for one in php)
        whole = suspects > 0 or free + units + taken == LIMIT
        return usage == handles + WEIGHT * units and whole, (free, usage, units, suspects, handles, taken)

    report.expect(quiet(lambda: look()[0], 5), f"{what}: free, usage, units, suspects, handles, taken: {look()[1]}")


def main():
    options = arguments(__doc__, kills=15)
    if not shutil.which("php"):
        print("natives skipped: there is no php")
        return
    chance, report, granted = random.Random(options.seed), Report(), 0
    with running("--recovery-grace", "10ms") as server:
        php = [PHP(), PHP()]
        known = []
        for kill in range(options.kills):
            caller = Caller(server.over_unix, chance.random())
            caller.leases = known
            php[0].ask(f"keep {chance.choice((0, 31, 400))}")
            php[1].ask("keep 0")
            caller.start()
            time.sleep(0.05 + chance.random() * 0.1)
            # Under leases there may be any number; then they only end.
            php[0].ask(f"keep {chance.choice(HANDLES)}")
            php[1].ask(chance.choice(("take", "give", "keep 700")))
            time.sleep(chance.random() * 0.05)
            server.kill()
            caller.stop()
            php[0].ask(f"keep {chance.choice(HANDLES)}")
            if chance.random() < 0.3:
                php[1].kill()
                php[1] = PHP()
            server.spawn()
            server.wait_ready()
            books(server, php, report, f"kill {kill}")
            known, granted = caller.leases, granted + caller.granted
            lost = [lease for lease in known if server.get(f"/leases/{lease}").status != 200]
            report.expect(not lost, f"kill {kill}: {len(lost)} leases that were told are gone")
        for lease in known:
            server.delete(f"/leases/{lease}")
        books(server, php, report, "the end")
        for one in php:
            one.kill()
            one.handles = one.taken = 0
        books(server, php, report, "without programs")
    report.expect(granted > options.kills, f"too little traffic: {granted} leases")
    report.finish(f"kills {options.kills}, {granted} leases,")


if __name__ == "__main__":
    main()
