"""What the kernel itself counts, read without the service."""

import ctypes

LIBC = ctypes.CDLL(None, use_errno=True)
GETALL = 13
BANK_SEMAPHORES, PLACES, LIVE = 195, 64, 128


def sets():
    """Every set of this namespace: (key, id, count)."""
    with open("/proc/sysvipc/sem", encoding="ascii") as file:
        names = file.readline().split()
        for line in file:
            row = dict(zip(names, line.split(), strict=False))
            yield int(row["key"]) & 0xFFFFFFFF, int(row["semid"]), int(row["nsems"])


def values(number, count):
    """All values of a set; None when it is gone."""
    room = (ctypes.c_ushort * count)()
    if LIBC.semctl(number, 0, GETALL, ctypes.byref(room)) == -1:
        return None
    return list(room)


def imbalance(control_key, known_out, natives):
    """What is not as it must be when only known leases are out.

    `known_out`: units by (set, place); `natives`: by key, the values that a set may have then.
    """
    found, banks = [], 0
    for key, number, count in sets():
        now = values(number, count)
        if now is None:
            continue
        if count == BANK_SEMAPHORES and key & 0xFFFF == control_key & 0xFFFF:
            banks += 1
            for place in range(PLACES):
                free, out, live = now[place], now[PLACES + place], now[LIVE + place]
                if free + out != live or out != known_out.get((number, place), 0):
                    found.append(f"bank {number}, place {place}: {free} free + {out} out of {live}")
        elif key in natives and now not in natives[key]:
            found.append(f"set {key:#x}: {now}, not {natives[key]}")
    if banks > 3:
        found.append(f"{banks} banks for a handful of locks")
    return found


def values_of(key):
    """The values of the set of a key."""
    return next(values(number, count) for found, number, count in sets() if found == key & 0xFFFFFFFF)
