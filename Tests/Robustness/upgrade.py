#!/usr/bin/env python3
"""Leases live through an upgrade: an older program takes leases of every kind, this one goes on with them.

python3 Tests/Robustness/upgrade.py --old PATH        the older program; LEASEHOLD names the newer one
python3 Tests/Robustness/upgrade.py --old REVISION    the same, built first from what git has

Without --old the program follows itself.
"""

import os
import signal
import subprocess
import time

from support import Report, arguments, harness, quiet

# What of a lease must be the same on both sides; the deadline is compared apart.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAME = ("key", "lease", "fence", "mode", "count", "owner", "bind", "cooldown_ms", "ttl_ms", "granted_at")


def program(old, new):
    """The older program: a file, or a release build of a revision, made beside the other builds."""
    if not old or os.path.isfile(old):
        return old or new
    tree = os.path.join(ROOT, ".build", "upgrade", old)
    if not os.path.isdir(tree):
        subprocess.run(["git", "-C", ROOT, "worktree", "prune"], check=True)
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", tree, old], check=True)
    subprocess.run([os.environ.get("SWIFT", "swift"), "build", "-c", "release", "--product", "leasehold"], cwd=tree,
                   check=True)
    return os.path.join(tree, ".build", "release", "leasehold")


def sets_by_values(server):
    """Of each set that is not the service's own: its values, by id."""
    listed = server.get("/semaphores").json["semaphores"]
    return {
        found["id"]: server.get(f"/semaphores/id:{found['id']}").json["values"]
        for found in listed if not found["leasehold"]
    }


def take_every_kind(server, directory, process):
    """Leases of every kind, by what they are; and what is free in native sets before."""
    with open(os.path.join(directory, "file"), "w"):
        pass
    made = server.json_post("/semaphores", {"key": "0x5e9a", "nsems": 2, "values": [1, 3]})
    assert made.status in (200, 201), made
    natives = ("php:4711", "apache:sess", f"path:{directory}/file", "sysv:0x5e9a.1")

    def lease(answer):
        assert answer.status in (200, 201), answer
        return answer.json

    found = {
        "exclusive": lease(server.acquire("deploy", ttl="1h", owner="J\u00fcrgen")),
        "long": lease(server.acquire("k" * 255, ttl="24h", owner="o" * 128)),
        "shared": lease(server.acquire("readers", ttl="1h", mode="shared")),
        "shared too": lease(server.acquire("readers", ttl="1h", mode="shared")),
        "counted": lease(server.acquire("seats", ttl="1h", limit=5, count=3)),
        "cooling when over": lease(server.acquire("cool", ttl="1h", cooldown="1h")),
        "bound": lease(server.over_unix.acquire("bound", ttl=0, bind=f"pid:{process.pid}")),
        "short": lease(server.acquire("short", ttl="4s")),
        "keyed": lease(server.acquire("keyed", ttl="1h", headers={"Idempotency-Key": "one"})),
        "several": lease(server.post("/leases", want="several-a,several-b", ttl="1h",
                                     headers={"Idempotency-Key": "many"})),
    }
    converted = lease(server.acquire("converted", ttl="1h"))
    found["converted"] = lease(server.post("/locks/converted/convert", lease=converted["lease"], mode="shared"))
    handed = lease(server.acquire("handed", ttl="1h"))
    found["handed on"] = lease(server.post(f"/leases/{handed['lease']}/transfer", owner="eve"))
    for name in natives:  # Now there are sets, and nothing is taken.
        server.release(lease(server.acquire(name, ttl="1h")))
    free = sets_by_values(server)
    for name in natives:
        found[name] = lease(server.acquire(name, ttl="1h"))
    return found, free


def go_on(report, server, found, free, process):
    """The newer program has every lease, and each can be renewed, repeated, refused to others and given back."""
    listed = {lease["ref"] for lease in server.get("/leases", limit=1000).json["leases"]}
    for kind, lease in found.items():
        answer = server.get(f"/leases/{lease['lease']}")
        report.expect(answer.status == 200, f"{kind}: {answer}")
        if answer.status != 200:
            continue
        now = answer.json
        report.expect(lease["ref"] in listed, f"{kind} is not in the list")
        for name in SAME:
            report.expect(now.get(name) == lease.get(name), f"{kind}: {name} was {lease.get(name)}, is {now.get(name)}")
        report.expect((now.get("expires_at") or "")[:18] == (lease.get("expires_at") or "")[:18],
                      f"{kind}: ended at {lease.get('expires_at')}, now at {now.get('expires_at')}")
    for key in ("deploy", "converted", "handed", "several-a", "several-b", "php:4711", "bound", "keyed"):
        report.expect(server.acquire(key, ttl="1s").status == 423, f"{key} is given twice")
    report.expect(server.acquire("seats", ttl="1h", limit=5, count=3).status == 423, "more seats than there are")
    again = server.acquire("keyed", ttl="1h", headers={"Idempotency-Key": "one"})
    report.expect(again.status == 200 and again.json["lease"] == found["keyed"]["lease"], f"the retry: {again}")
    many = server.post("/leases", want="several-a,several-b", ttl="1h", headers={"Idempotency-Key": "many"})
    report.expect(many.status == 200 and many.json["lease"] == found["several"]["lease"], f"the retry: {many}")
    newest = server.acquire("new", ttl="1h").json
    report.expect(newest["fence"] > max(lease["fence"] for lease in found.values()), "the fence does not grow")
    gone = quiet(lambda: server.get(f"/leases/{found['short']['lease']}").status == 410, 8)
    report.expect(gone, "a short lease outlives its deadline")
    process.kill()
    process.wait()
    gone = quiet(lambda: server.get(f"/leases/{found['bound']['lease']}").status == 410, 5)
    report.expect(gone, "a lease outlives the process that it is bound to")
    for kind, lease in found.items():
        if kind in ("short", "bound"):
            continue
        answer = server.post(f"/leases/{lease['lease']}/renew", ttl="2h")
        report.expect(answer.status == 200, f"{kind} cannot be renewed: {answer}")
        answer = server.delete(f"/leases/{lease['lease']}")
        report.expect(answer.status == 200, f"{kind} cannot be released: {answer}")
    server.release(newest)
    report.expect(server.get("/leases").json["leases"] == [], "leases are left")
    now = sets_by_values(server)
    for key, values in free.items():
        report.expect(now.get(key) == values, f"set {key}: free {values}, after all {now.get(key)}")
    for key in ("deploy", "readers", "seats", "several-a", "several-b", "short", "bound", "php:4711"):
        answer = server.acquire(key, ttl="1s")
        report.expect(answer.status == 201, f"{key} is not free: {answer}")
        server.release(answer.json)


def upgrade(report, old, new, ending):
    harness.PROGRAM = old
    server = harness.Server("--path-roots", "/tmp")
    process = subprocess.Popen(["sleep", "600"])
    try:
        server.start()
        found, free = take_every_kind(server, server.directory, process)
        if ending == signal.SIGKILL:
            server.kill()
        else:
            server.terminate()
        harness.PROGRAM = new
        begun = time.monotonic()
        server.start()
        print(f"{ending.name}: {len(found)} leases, ready after {(time.monotonic() - begun) * 1000:.0f} ms", flush=True)
        go_on(report, server, found, free, process)
    finally:
        process.kill()
        process.wait()
        server.stop()


def main():
    options = arguments(__doc__, old="")
    new, report = harness.PROGRAM, Report()
    old = program(options.old, new)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        upgrade(report, old, new, ending)
    report.finish("upgrades 2")


if __name__ == "__main__":
    main()
