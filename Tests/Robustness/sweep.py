"""Makes calls fail: the n-th call of each function of libc and of the kernel, with the errnos that its man page names.

python3 Tests/Robustness/sweep.py --seconds 80                            some of each function
python3 Tests/Robustness/sweep.py --seconds 3600 --errnos 99              all of them
python3 Tests/Robustness/sweep.py --function semop --errno ENOMEM --n 3   one

The functions are those that the program and libmicrohttpd import; see faults/table.py for the table and the excuses.
A case must end with a daemon that lives and answers, or, while it starts, with one that says why it does not; nobody
waits longer than he asked; no lease that was granted is lost or given twice; and when all have ended the kernel's own
counts say so. What fails for longer is told: to who asks, in the log, or in the metrics.
"""

import random
import time

from faults import control, table
from faults.control import Faults
from faults.run_cases import Runs
from faults.stage import LASTING, Stage
from faults.start_cases import Succession
from support import Report, arguments, harness, raise_descriptor_limit


def chosen(options, calls, chance, without=()):
    """The cases for what was called: (function, module, errno, n), in an order by chance."""
    cases = []
    for (function, module), count in list(calls.items()) * options.rounds:
        if (function, module) in table.SPARED or options.function not in ("", function):
            continue
        errnos = [options.errno] if options.errno else [name for name in table.TABLE[function] if name not in without]
        for error in errnos if options.errnos >= len(errnos) else chance.sample(errnos, options.errnos):
            cases.append((function, module, error, options.n or chance.randint(1, max(1, min(60, int(count))))))
    chance.shuffle(cases)
    return cases


def under_traffic(options, chance, report, library, until, tls=False):
    stage = Stage(library, chance.random(), report, options.verbose, tls)
    # The few cases of a short run are others each time: what they show of words is noted, and judged in a long one.
    stage.wants_told = options.errnos >= LONG_FORM
    fired, done = 0, 0
    try:
        stage.start()
        rates = stage.measure()
        # With a certificate, what is not met without.
        looked_at = {key: rate / 3 for key, rate in rates.items() if not tls or key[0].startswith("gnutls_")}
        cases = chosen(options, looked_at, chance)
        for case in cases:
            if time.monotonic() > until:
                break
            fired += stage.case(*case, times=chance.choice((1, 3, LASTING)))
            done += 1
        stage.stop()
    finally:
        stage.end()
    where = "under traffic with TLS" if tls else "under traffic"
    print(f"{where}: {done} of {len(cases)} cases of {len(rates)} functions, {fired} fired", flush=True)
    return {key for key, count in stage.faults.calls().items() if count}


def over_tls(*words):
    return under_traffic(*words, tls=True)


def while_it_starts(options, chance, report, library, until):
    succession = Succession(Faults(library, harness.PROGRAM), report, options.verbose)
    succession.begin()
    begun, stopped = succession.measure()
    # A removed ledger takes its leases along; that has tests of its own.
    starts, stops = (chosen(options, calls, chance, without=("EIDRM",)) for calls in (begun, stopped))
    cases = [(succession.start_case, case) for case in starts] + [(succession.stop_case, case) for case in stops]
    chance.shuffle(cases)
    fired = done = 0
    for run, case in cases:
        if time.monotonic() > until:
            break
        fired += run(*case)
        done += 1
    succession.end()
    print(f"start and stop: {done} of {len(cases)} cases, {fired} fired", flush=True)
    return set(begun) | set(stopped)


def below_run(options, chance, report, library, until):
    runs = Runs(Faults(library, harness.PROGRAM), report, options.verbose)
    called, cases = set(), []
    for exec_form in (False, True):
        calls = runs.measure(exec_form)
        called |= set(calls)
        cases += [(*case, exec_form) for case in chosen(options, calls, chance)]
    chance.shuffle(cases)
    fired = done = 0
    for case in cases:
        if time.monotonic() > until:
            break
        fired += runs.case(*case)
        done += 1
    runs.end()
    print(f"run: {done} of {len(cases)} cases, {fired} fired", flush=True)
    return called


PHASES = {
    "traffic": (under_traffic, 0.5), "tls": (over_tls, 0.1), "start": (while_it_starts, 0.25), "run": (below_run, 0.15)}
LONG_FORM = 99  # errnos of each function: all of them


def main():
    options = arguments(
        __doc__.splitlines()[0], seconds=80, errnos=1, function="", errno="", n=0, phase="", rounds=1, verbose=0)
    chance, report = random.Random(options.seed), Report(shown=200)
    raise_descriptor_limit()
    # With Swift's libraries inside, the imports are theirs, too.
    own = bool(table.libraries(harness.PROGRAM, "libswiftGlibc"))
    for name in table.unexplained(harness.PROGRAM) if own else ():
        report.violation(f"{name} is imported: faults/table.py must say with what it fails, or why not")
    library, begun, called = control.build(), time.monotonic(), set()
    for phase, (run, share) in PHASES.items():
        if options.phase in ("", phase):
            seconds = options.seconds * (1 if options.phase else share)
            called |= run(options, chance, report, library, time.monotonic() + seconds)
    if own and options.errnos >= LONG_FORM and not options.phase and not options.function:
        for name in table.unreached(harness.PROGRAM, {function for function, _ in called}):
            report.violation(f"{name} is imported and never called here: see UNREACHED in faults/table.py")
    report.finish(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
