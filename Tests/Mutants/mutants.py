"""Faults to put into the sources: where a small mistake would lose slots, give them twice, or let somebody in.

Each is a name, the text as it stands (blanks and line ends count as one blank), the text in its place, and the tests
that must notice, as `swift test --filter` takes them, or live:NAME for Tests/Live. The text is looked for in all of
Sources/Leasehold*, so code may move; it must be there once. A part in [[ ]] is what is replaced, the rest tells where.
A mutant of a STATEMENT may neither declare nor finish what goes on behind it. Tests/Tidy looks for each text.
"""

import re
from dataclasses import dataclass

EXPRESSION, STATEMENT = "expression", "statement"


@dataclass(frozen=True)
class Mutant:
    name: str
    old: str
    new: str
    tests: str
    form: str = EXPRESSION


def pattern(text):
    """A text whose blanks may be any; its part in [[ ]] is what is replaced, else all of it."""
    before, _, rest = text.partition("[[") if "[[" in text else ("", "", text)
    part, _, after = rest.partition("]]")
    blank = [r"\s+".join(re.escape(word) for word in piece.split()) for piece in (before, part, after)]
    gaps = [r"\s*" if piece != piece.strip() else "" for piece in (before, after)]
    return re.compile(f"({blank[0]}{gaps[0]})({blank[1]})(?={gaps[1]}{blank[2]})")


def is_place(path):
    """True for a file of the project into which mutants may go."""
    return bool(re.match(r"Sources/Leasehold(?!TestKit|Client)[^/]*/.*\.swift$", path))


MUTANTS = [
    # The crash order.
    Mutant(
        "a grant is marked as held before its semop",
        "[[storage.write(body, at: cell)]] return Draft( Lease(record,",
        "storage.write(body, at: cell)\n"
        "storage.commit(CommitWord(.live, .lease, check: body.check), at: cell)",
        "CrashPointTests", STATEMENT),
    Mutant(
        "an end gives back while its record still says held",
        "[[storage.commit(CommitWord(.ended, .lease, check: check, reason: reason), at: cell)]] return Ended()", "()",
        "CrashPointTests", STATEMENT),
    Mutant(
        "recovery leaves one unit that nobody has",
        "guard [[excess > 0]] else { return false }", "excess > 1", "CrashPointTests"),
    Mutant(
        "recovery does not end the predecessor of a transferred lease",
        "one.state == .held, [[replaced.contains(one.record.id.low)]]", "false", "CrashPointTests"),
    Mutant(
        "recovery takes the new form of any conversion",
        "counting.reduce(0) { $0 + $1.units } == Int(values[counter.semaphore]) / counter.weight", "true",
        "CrashPointTests|ConvertTests"),
    Mutant(
        "parts without a head are not given back where natives count, too",
        "if let lock, lock.place.marksMoves { journal.free(giveBack(cell, record, .released, on: lock)) } "
        "else { journal.free(cell) }", "journal.free(cell)",
        "CrashedRetryTests", STATEMENT),
    Mutant(
        "an unfinished give-back is read as an unfinished take",
        "group[0].isTaking && !witness.isOfEnd", "group[0].isTaking", "CrashedRetryTests"),
    Mutant(
        "an unfinished give-back beside natives is done twice",
        "isTaking ? witness.count : witness.count - weight", "witness.count - weight * 2",
        "NativeCrashTests|NativeCountTests|CrashedRetryTests"),
    # Time.
    Mutant(
        "leases end five seconds late", "leaseTable.popDue(at: now)",
        "leaseTable.popDue(at: now - 5_000_000_000)", "TimeOfLeasesTests|AcquireTests|CoolingTests"),
    Mutant(
        "waits end five seconds late", "queues.popDue(at: now)",
        "queues.popDue(at: now - 5_000_000_000)", "QueueTests|ConvertTests"),
    Mutant(
        "each restart gives another grace",
        "given ? lease.graceEnd : now + limits.recoveryGrace.nanoseconds", "now + limits.recoveryGrace.nanoseconds",
        "GraceTests|RecoveryTests"),
    # Fences, retries and queues.
    Mutant(
        "two leases get one fence", "max(lastFence + 1, min(moment.wallMicroseconds, Limits.foundFence))",
        "max(lastFence, min(moment.wallMicroseconds, Limits.foundFence))", "AcquireTests|SimulationTests"),
    Mutant("a retry may ask for something else", "lease.fingerprint == fingerprint", "true", "IdempotencyTests"),
    Mutant(
        "a place whose connection broke is kept as long as its wait",
        "waiter.due = [[min(waiter.due, due)]]", "waiter.due", "BrokenConnectionTests"),
    Mutant(
        "a request for several locks overtakes those who queue",
        "!$0.lock.queue.isEmpty || !$0.lock.hasRoom(for: $0.share)", "!$0.lock.hasRoom(for: $0.share)",
        "SeveralTests|SimulationTests"),
    Mutant(
        "a waiter for several locks takes its turn though it is not first in all queues",
        "!lead.isDetached, [[group.seats.allSatisfy({ $0.lock?.queue.first === $0 })]]", "true",
        "SeveralTests|SimulationTests"),
    # Whose it is, and how much.
    Mutant("anybody may use the guard and the ledger",
           "permissions.isOurs, [[permissions.mode == .ownerReadWrite]]", "true",
           "LeaseholdLocalTests.LedgerSegmentTests|LeaseholdLocalTests.GuardTests"),
    Mutant("what is read is believed", "range.contains(number)", "true", "UntrustedTests|SimulationTests"),
    Mutant("no caller has too much", "guard [[count > countMax - number]] else { return }", "false",
           "live:test_caller_limits"),
    # The daemon that takes over, and one that stops.
    Mutant("a new daemon does not wait for the end of the last", "ProcessFacts(pid)?.started == last.processStarted",
           "ProcessFacts(pid)?.started != last.processStarted", "SuccessionTests"),
    Mutant("a daemon that drains goes on granting",
           "[[state = .draining]] let error = Self.notServing(.draining)", "()",
           "QueueTests|HindranceTests|RefusalTests", STATEMENT),
    # Who may ask.
    Mutant("any Host is allowed", "!isUnix, [[!isAllowed(host)]]", "false", "BrowserGuardTests"),
    Mutant("every token may do everything", "token.role >= needed", "true", "live:test_tokens"),
    Mutant("a prefix confines to other kinds of names too",
           "(native.map { prefix.utf8.starts(with: $0.utf8) } ?? true)",
           "true", "TokenTests"),
    Mutant("a path leads out of its prefix", '$0.elementsEqual("..".utf8)', "false", "TokenTests"),
]
