"""How late is the clock? A waiter stands behind a lease; its grant comes when the lease's deadline has passed.

python3 Tests/Robustness/expiry.py        (on an idle machine)
"""

import random
import time

from support import KeepAlive, arguments, percentile, running


def main():
    options = arguments(__doc__, expiries=200, limit_ms=5.0)
    chance, lags = random.Random(options.seed), []
    with running() as server:
        wire = KeepAlive(server.over_unix)
        held = wire.request("POST", "/locks/clock/acquire", ttl="150ms").json
        for _ in range(options.expiries):
            ttl = f"{chance.randint(100, 200)}ms"
            answer = wire.request("POST", "/locks/clock/acquire", wait="10s", ttl=ttl)
            now = time.monotonic_ns()
            assert answer.status == 201, answer
            lags.append((now - held["deadline_monotonic_ns"]) / 1e6)
            held = answer.json
        wire.close()
    early = sum(1 for lag in lags if lag < 0)
    print(
        f"expiries {len(lags)} early {early} late ms: p50 {percentile(lags, 0.5):.2f} p99 {percentile(lags, 0.99):.2f} "
        f"max {max(lags):.2f}"
    )
    raise SystemExit(1 if early or percentile(lags, 0.5) > options.limit_ms else 0)


if __name__ == "__main__":
    main()
