"""What is checked of a history: who held which lock from when until when, by the one clock that all are read from."""

import collections

# `begun`: it knew that it held; `ended`: the last instant at which it may have acted, by its own clock.
Held = collections.namedtuple("Held", "lock units begun ended fence who", defaults=[""])


def violations(history, capacity):
    """More units than there are, and fences of locks for one that do not grow."""
    found = []
    for lock, most in sorted(capacity.items()):
        of_lock = sorted((held for held in history if held.lock == lock), key=lambda held: held.begun)
        # At the same instant, ends come before beginnings.
        steps = sorted([(held.begun, held.units) for held in of_lock] + [(held.ended, -held.units) for held in of_lock],
                       key=lambda step: (step[0], step[1]))
        units = 0
        for at, change in steps:
            units += change
            if units > most and change > 0:
                holders = [held for held in of_lock if held.begun <= at < held.ended]
                found.append(f"{lock}: {units} units of {most} at {at:.6f}: {holders}")
        if most == 1:
            found += [f"{lock}: fence of {second} after {first}"
                      for first, second in zip(of_lock, of_lock[1:]) if second.fence <= first.fence]
    return found
