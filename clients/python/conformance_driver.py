#!/usr/bin/env python3
"""Drives the library by lines of JSON, on one thread: see ../conformance/run.py. With --asyncio it is one task."""

import asyncio
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "src"))

import leasehold  # noqa: E402
from leasehold import (  # noqa: E402
    AlreadyHeld, Deadlock, Denied, Invalid, KernelLimit, LeaseLost, Locked, Unavailable, WaitTimeout,
)

KINDS = ((WaitTimeout, "wait-timeout"), (Locked, "locked"), (AlreadyHeld, "already-held"), (Deadlock, "deadlock"),
         (LeaseLost, "lease-lost"), (Denied, "denied"), (Unavailable, "unavailable"), (KernelLimit, "kernel-limit"),
         (Invalid, "invalid"), (asyncio.CancelledError, "canceled"), (KeyboardInterrupt, "canceled"))
OPTIONS = ("wait", "keep", "ttl", "shared", "slots", "count", "max_hold")
KEEPS = ["process", "stream", "renewal"]
leases, clients = {}, {}


def asked(command):
    """The arguments of an acquire."""
    timeout = command.get("timeout", 5)
    client = clients.setdefault(timeout, leasehold.Client(timeout=timeout))
    options = {name: command[name] for name in OPTIONS if command.get(name) is not None}
    return {"key": command.get("keys") or command["key"], "client": client, **options}


def granted(command, lease):
    leases[command["as"]] = lease
    return {"fence": lease.fence, "ref": lease.ref, "keep": lease.kept_by}


def state(command):
    lease = leases[command["as"]]
    return {"held": not lease.lost, "remaining": lease.remaining, "reason": lease.lost_reason}


def error_of(error):
    kind = next((kind for type_, kind in KINDS if isinstance(error, type_)), "other")
    return {"ok": False, "error": kind, "code": getattr(error, "code", None),
            "message": f"{type(error).__name__}: {error}", "reason": getattr(error, "reason", None)}


UNSUPPORTED = {"ok": False, "error": "unsupported", "code": None, "message": "there is no such command"}


def acquire(command):
    if "cancel_after" not in command:
        return granted(command, leasehold.acquire(**asked(command)))
    lease = None
    signal.setitimer(signal.ITIMER_REAL, command["cancel_after"])
    try:
        lease = leasehold.acquire(**asked(command))
        return granted(command, lease)
    except KeyboardInterrupt:
        if lease is not None:  # it came when all was done
            lease.release()
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def interrupt(number, frame):
    """As Ctrl-C does, but only within the library: nobody could release what is interrupted on its way to a name."""
    while frame is not None and "leasehold" not in frame.f_globals.get("__name__", ""):
        frame = frame.f_back
    if frame is not None:
        raise KeyboardInterrupt


def on_a_thread():
    signal.signal(signal.SIGALRM, interrupt)
    commands = {
        "hello": lambda command: {"client": "python", "keeps": KEEPS, "wall": time.time()},
        "acquire": acquire,
        "state": state,
        "check": lambda command: leases[command["as"]].check(),
        "wait_lost": lambda command: {"lost": leases[command["as"]].wait_lost(command["timeout"]),
                                      "reason": leases[command["as"]].lost_reason},
        "renew": lambda command: leases[command["as"]].renew(),
        "release": lambda command: {"held": leases[command["as"]].release()},
        "sleep": lambda command: time.sleep(command["seconds"]),
    }
    for line in sys.stdin:
        command = json.loads(line)
        try:
            do = commands.get(command["do"])
            answer = {"ok": True, **(do(command) or {})} if do else UNSUPPORTED
        except (Exception, KeyboardInterrupt) as error:
            answer = error_of(error)
        print(json.dumps(answer), flush=True)


async def acquire_in_a_task(command):
    task = asyncio.ensure_future(leasehold.aio.acquire(**asked(command)))
    if "cancel_after" in command:
        asyncio.get_running_loop().call_later(command["cancel_after"], task.cancel)
    return granted(command, await task)


async def lost_in_a_task(command):
    lease = leases[command["as"]]
    return {"lost": await lease.wait_lost(command["timeout"]), "reason": lease.lost_reason}


async def hello(command):
    return {"client": "python, asyncio", "keeps": KEEPS, "wall": time.time()}


async def state_in_a_task(command):
    return state(command)


async def check(command):
    leases[command["as"]].check()


async def release(command):
    return {"held": await leases[command["as"]].release()}


async def in_a_task():
    commands = {"hello": hello, "acquire": acquire_in_a_task, "state": state_in_a_task, "check": check,
                "wait_lost": lost_in_a_task, "release": release,
                "renew": lambda command: leases[command["as"]].renew(),
                "sleep": lambda command: asyncio.sleep(command["seconds"])}
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        command = json.loads(line)
        try:
            do = commands.get(command["do"])
            answer = {"ok": True, **(await do(command) or {})} if do else UNSUPPORTED
        except (Exception, asyncio.CancelledError) as error:
            answer = error_of(error)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if "--asyncio" in sys.argv:
        asyncio.run(in_a_task())
    else:
        on_a_thread()
