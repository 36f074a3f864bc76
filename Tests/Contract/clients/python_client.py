"""Uses the client that openapi-python-client makes: python_client.py URL."""

import sys

from leasehold_client import Client
from leasehold_client.api.leases import acquire_locks, release_lease, renew_lease
from leasehold_client.api.locks import acquire_lock, get_lock, renew_lock
from leasehold_client.models import AcquireBody, AcquireLocksBody, GoneProblem, LockedProblem, Mode, Want

with Client(base_url=sys.argv[1]) as client:
    answer = acquire_lock.sync_detailed("deploy-web", client=client, ttl="30s", owner="a generated client")
    lease = answer.parsed
    assert answer.status_code == 201 and lease.ttl_ms == 30_000 and lease.owner == "a generated client", answer

    answer = acquire_lock.sync_detailed("deploy-web", client=client, wait="10ms")
    problem = answer.parsed
    assert answer.status_code == 423 and isinstance(problem, LockedProblem), answer
    assert (problem.code, problem.holders[0].ref, problem.errno) == ("wait-timeout", lease.ref, "EAGAIN"), problem
    assert get_lock.sync("deploy-web", client=client).holders[0].owner == "a generated client"

    renewed = renew_lock.sync("deploy-web", client=client, lease=lease.lease, ttl="1m")
    assert (renewed.ttl_ms, renewed.fence) == (60_000, lease.fence), renewed
    released = release_lease.sync(lease.lease, client=client)
    assert released.released and not released.already, released
    gone = renew_lease.sync(lease.lease, client=client)
    assert isinstance(gone, GoneProblem) and gone.code == "released", gone

    slot = acquire_lock.sync("workers", client=client, body=AcquireBody(limit=5, owner="body"))
    assert (slot.limit, slot.owner) == (5, "body"), slot
    wants = [Want(key="accounts"), Want(key="prices", mode=Mode.SHARED)]
    both = acquire_locks.sync(client=client, body=AcquireLocksBody(want=wants))
    assert [part.key for part in both.locks] == ["accounts", "prices"], both
    release_lease.sync(both.lease, client=client)
    assert get_lock.sync("no-such-lock", client=client).code == "no-such-lock"
