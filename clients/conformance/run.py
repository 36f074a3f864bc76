#!/usr/bin/env python3
"""Drives the client library of each language through the same faults, and prints what each did as a table.

    LEASEHOLD=.build/release/leasehold clients/conformance/run.py [NAME ...] [--markdown FILE]

Each language has a driver: an executable file `clients/NAME/conformance_driver` (or `conformance_driver.py`, `.js`
..), a small program that uses the library as any program would. It is started anew for each case, with LEASEHOLD_URL
in its environment, and must be the process that holds the leases: a script that starts something else does so by
exec. It may first build what it needs; the first answer has 120 s, each other what the command says and 10 s.

It reads one JSON object a line from standard input, does that, and writes one JSON object a line to standard output,
in order, flushed; what goes to standard error is shown when a case fails. It ends when its input ends. Times are
seconds and may be fractions. Members it does not know are ignored; a command or an option that its library has not is
answered with the error `unsupported`, which the table shows as a dash.

    {"do":"hello"}              {"ok":true,"client":"python","keeps":["process","stream","renewal"],"wall":1795361589.9}
    {"do":"acquire","as":"a","key":"deploy","wait":10,"keep":"auto"}
                                {"ok":true,"fence":17,"ref":"9f86d08188","keep":"process"}
    {"do":"state","as":"a"}     {"ok":true,"held":true,"remaining":1.7,"reason":null}
    {"do":"check","as":"a"}     {"ok":true}, or the error lease-lost
    {"do":"wait_lost","as":"a","timeout":5}
                                {"ok":true,"lost":true,"reason":"ttl"}
    {"do":"renew","as":"a"}     {"ok":true}
    {"do":"release","as":"a"}   {"ok":true,"held":true}
    {"do":"sleep","seconds":1}  {"ok":true}

- `acquire`: `as` is the name of the lease in later commands. `key`, or `keys` (several locks on one lease). `wait` is
  in seconds, null waits without end. `keep` is auto, process, stream or renewal; renewal has a `ttl`. Optional:
  `shared` (true), `slots` and `count`, `max_hold`, `timeout` (of the client), and `cancel_after`: the program cancels
  the acquire itself after this time (AbortSignal, context, task), the error is then `canceled`. `keep` in the answer
  says how it is kept.
- `wall` is the program's clock that can be set, in seconds since 1970.
- `state` asks the library and nobody else: `held` is the opposite of *lost*, `remaining` what is left on its own
  clock (null without a deadline), `reason` why it was lost.
- `release`: `held` is what the library's release says (rule 29).
- An error is {"ok":false,"error":KIND,"code":CODE,"message":TEXT}. KIND is locked, wait-timeout, already-held,
  deadlock, lease-lost (with `reason`), denied, unavailable, kernel-limit, invalid (the table of errors in
  BEHAVIOUR.md), canceled, unsupported, or other.
- While a library's own watcher runs by the runtime's loop (Node, asyncio), the driver must not stand still between
  two commands: it waits for input as programs of its language do.
"""

import argparse
import concurrent.futures
import glob
import os
import sys

from driving import Case, Driver, Failed, Unsupported
from faults import EVERY, TITLES, WAYS, errors

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.dirname(HERE)
SIDE_BY_SIDE = 4
HEAD = """# What each client library does, fault by fault

`LEASEHOLD=.build/debug/leasehold clients/conformance/run.py --markdown docs/clients-conformance.md` made this table
from debug builds. A small program drove each library through each fault, beside a daemon of its own. A dash marks what
a library does not have; bold marks what it did not do. [BEHAVIOUR.md](../clients/BEHAVIOUR.md) has the rules.
Heartbeats of streams come every 200 ms; a lease that is renewed has a ttl of 1 or 2 s. libfaketime makes the steps of
the clock. It reaches only programs that ask libc for the time: Go asks the kernel, and has a dash.

"""


def drivers(names):
    """Name and program of each driver."""
    for path in sorted(glob.glob(os.path.join(CLIENTS, "*", "conformance_driver*"))):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            rest = os.path.basename(path)[len("conformance_driver"):].partition(".")[0].strip("_")
            name = os.path.basename(os.path.dirname(path)) + (f", {rest}" if rest else "")
            if not names or name in names or name.partition(",")[0] in names:
                yield name, path


def judge(program, fault, way):
    """What one library did with one fault, and whether that is as it should be."""
    case = None
    try:
        case = Case(program, way)
        return fault(case), True
    except Unsupported:
        return "–", True
    except Failed as error:
        said = "; ".join(part.said()[-300:] for part in case.parts if isinstance(part, Driver))
        return f"**{error}**" + (f" ({said})" if said else ""), False
    except (OSError, KeyError, ValueError, AssertionError) as error:
        return f"**{type(error).__name__}: {error}**", False
    finally:
        if case is not None:
            case.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="folders of clients; all when left out")
    parser.add_argument("--markdown", help="a file to which the table is written")
    parser.add_argument("--only", help="a fault, by the name of its function")
    words = parser.parse_args()
    found = dict(drivers(words.names))
    if not found:
        sys.exit("conformance: there is no driver of this name")
    rows = [(fault, way) for fault in EVERY for way in WAYS] + [(errors, None)]
    rows = [row for row in rows if words.only in (None, row[0].__name__)]
    cells = {}
    for name, program in found.items():  # what has to be built is built once
        Driver(program, "unix:/nonexistent").stop()
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for row in rows:
            for name, program in found.items():
                cells[name, row] = pool.submit(judge, program, *row)
        lines = [f"| fault | kept by | {' | '.join(found)} |", "|---" * (2 + len(found)) + "|"]
        print("\n".join(lines), flush=True)
        for fault, way in rows:
            said = [cells[name, (fault, way)].result()[0].replace("\n", " ").replace("|", "/") for name in found]
            lines.append(f"| {TITLES[fault]} | {way or 'any'} | {' | '.join(said)} |")
            print(lines[-1], flush=True)
    failed = sum(not cell.result()[1] for cell in cells.values())
    dashes = sum(cell.result()[0] == "–" for cell in cells.values())
    if words.markdown:
        with open(words.markdown, "w", encoding="utf-8") as file:
            file.write(HEAD + "\n".join(lines) + "\n")
    print(f"\n{len(cells) - failed - dashes} passed, {failed} failed, {dashes} not supported")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
