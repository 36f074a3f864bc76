#!/usr/bin/env python3
"""PHP programs that come and go, HTTP clients, one `php:` lock: never more inside than the limit, nothing left over.

LEASEHOLD=.build/release/leasehold python3 Tests/Interop/stress_php.py [seconds of each run, 10] [control]

Limit 1, limit 2, and limit 1 with programs that leave by sem_remove as symfony/lock does; each with a daemon that lives
and with one that is killed -9 every second and started again.
Every holder makes a mark that only as many as the limit allows can make at a time, and with limit 1 adds 1 to a number
in a file, not atomically. `control` lets PHP in without the lock, and fails unless the check catches it.
"""

import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from php_support import HERE, PHP_PROGRAM, Server, eventually, extensions, next_key, set_id, values

PROGRAMS, CLIENTS = 3, 20


class Run:
    def __init__(self, limit, seconds, kills, style=None):
        self.limit, self.kills, self.style = limit, kills, style
        self.key = next_key()
        self.server = Server("--recovery-grace", "5s")
        self.folder = tempfile.mkdtemp(prefix="leasehold-stress-")
        self.count = os.path.join(self.folder, "count")
        with open(self.count, "w", encoding="ascii") as file:
            file.write("0")
        self.until = time.monotonic() + seconds
        self.guard = threading.Lock()
        self.entries = {"PHP": 0, "HTTP": 0}
        self.overlaps = self.deaths = self.programs = 0
        self.errors = []

    def enter(self, who):
        """What every holder does inside; PHP's own is in worker.php."""
        for number in range(self.limit):
            mark = os.path.join(self.folder, str(number))
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                continue
        else:
            with self.guard:
                self.overlaps += 1
            return
        if self.limit == 1:
            with open(self.count, encoding="ascii") as file:
                count = int(file.read() or 0)
            time.sleep(random.uniform(0, 0.0002))
            with open(self.count, "w", encoding="ascii") as file:
                file.write(str(count + 1))
        else:
            time.sleep(random.uniform(0, 0.0002))
        os.unlink(mark)
        with self.guard:
            self.entries[who] += 1

    def php(self):
        """One PHP program after the other, ended in all the ways a program ends."""
        while time.monotonic() < self.until:
            command = [PHP_PROGRAM, "-n", *extensions(), os.path.join(HERE, "php", "worker.php"), str(self.key)]
            end = random.choice(("quit", "hold", "die"))
            command += [str(self.limit), self.folder, str(random.randint(1, 60)), end]
            worker = subprocess.run(
                command + ([self.style] if self.style else []), capture_output=True, text=True, check=False, timeout=120
            )
            words = worker.stdout.split()
            with self.guard:
                if worker.returncode not in (0, -9) or len(words) != 2 or worker.stderr:
                    self.errors.append(f"PHP: {worker.returncode} {worker.stdout!r} {worker.stderr!r}")
                    return
                self.programs += 1
                self.entries["PHP"] += int(words[0])
                self.overlaps += int(words[1])

    def http(self):
        """A client that asks until it has an answer; the key makes a lost answer the same lease again."""
        connection = None

        def ask(method, target, headers=None):
            nonlocal connection
            deadline = time.monotonic() + 60
            while True:
                try:
                    connection = connection or self.server.connection(timeout=30)
                    answer = self.server.request(method, target, headers=headers, connection=connection)
                    if answer.status != 503:
                        return answer
                except (OSError, http.client.HTTPException):
                    if connection:
                        connection.close()
                    connection = None
                if time.monotonic() > deadline:
                    raise AssertionError(f"no answer to {method} {target}")
                time.sleep(0.01)

        target = f"/locks/php:{self.key}/acquire?limit={self.limit}&ttl=60s&owner=stress&wait="
        try:
            while time.monotonic() < self.until:
                wait = random.choice(("0", "3ms", "20ms", "10s", "10s"))
                if not self.kills and random.random() < 0.1:
                    self.hang_up(target + wait)
                answer = ask("POST", target + wait, {"Idempotency-Key": str(uuid.uuid4())})
                if answer.status == 423:
                    continue
                assert answer.status in (200, 201), answer.body
                self.enter("HTTP")
                released = ask("DELETE", f"/leases/{answer['lease']}")
                assert released.status == 200, released.body
        except Exception as error:  # pylint: disable=broad-except
            with self.guard:
                self.errors.append(f"HTTP: {error!r}")
        finally:
            if connection:
                connection.close()

    def hang_up(self, target):
        """Asks, and is gone before the answer, or with it: whatever was granted must be given back.

        What was granted and answered before it went lives as long as its ttl, here a moment.
        """
        connection = self.server.connection()
        connection.request("POST", target.replace("ttl=60s", "ttl=200ms"))
        time.sleep(random.uniform(0, 0.01))
        connection.close()

    def killer(self):
        while time.monotonic() < self.until - 1:
            time.sleep(1)
            self.server.restart()
            self.deaths += 1

    def __call__(self):
        self.server.start()
        try:
            work = [self.php] * PROGRAMS + [self.http] * CLIENTS + [self.killer] * self.kills
            threads = [threading.Thread(target=target, daemon=True) for target in work]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0, self.until - time.monotonic()) + 90)
            if any(thread.is_alive() for thread in threads):
                self.errors.append(f"somebody hangs; values {values(set_id(self.key))}")
            self.check_leases()
            self.check_values()
            with open(self.count, encoding="ascii") as file:
                counted = int(file.read())
            entries = sum(self.entries.values())
            if self.limit == 1 and counted != entries and self.style != "without":
                self.errors.append(f"{entries} entries, but {counted} counted")
            if not (self.entries["PHP"] and self.entries["HTTP"]):
                self.errors.append("one side never got in")
        finally:
            self.server.stop()
            for name in os.listdir(self.folder):
                os.unlink(os.path.join(self.folder, name))
            os.rmdir(self.folder)
        print(
            f"limit {self.limit}{', symfony' * (self.style == 'symfony')}, {self.deaths} kills: "
            f"{self.entries['PHP']} PHP entries in {self.programs} programs, "
            f"{self.entries['HTTP']} HTTP entries, {self.overlaps} overlaps"
            + "".join(f"\n  {error}" for error in self.errors)
        )
        return not self.errors and self.overlaps == 0

    def check_leases(self):
        try:
            eventually(lambda: not self.server.get("/leases")["leases"], "no leases", timeout=5)
        except AssertionError:
            self.errors.append(f"leases are left: {self.server.get('/leases')['leases']}")

    def check_values(self):
        if self.style == "symfony" and set_id(self.key) is None:
            return  # the last one to leave removed it
        try:
            eventually(lambda: values(set_id(self.key)) == [self.limit, 0, 0], "values at rest")
        except AssertionError:
            self.errors.append(f"values {values(set_id(self.key))} instead of {[self.limit, 0, 0]}")


def main():
    seconds = next((float(word) for word in sys.argv[1:] if word != "control"), 10)
    if "control" in sys.argv[1:]:
        run = Run(1, seconds, kills=False, style="without")
        run()
        print("control: " + ("the check catches overlaps" if run.overlaps else "THE CHECK SEES NOTHING"))
        sys.exit(0 if run.overlaps else 1)
    kinds = ((1, None), (2, None), (1, "symfony"))
    good = [Run(limit, seconds, kills, style)() for kills in (False, True) for limit, style in kinds]
    print("passed" if all(good) else "FAILED")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
