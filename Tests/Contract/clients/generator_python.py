"""Uses the client that openapi-generator makes for Python: generator_python.py URL."""

import sys

import openapi_client
from openapi_client.exceptions import ApiException


def refused(status, call):
    try:
        call()
    except ApiException as error:
        assert error.status == status, error
        assert error.data.status == status, error.data
        return error.data
    raise AssertionError(f"was not refused with {status}")


with openapi_client.ApiClient(openapi_client.Configuration(host=sys.argv[1])) as client:
    locks, leases = openapi_client.LocksApi(client), openapi_client.LeasesApi(client)
    lease = locks.acquire_lock("deploy-web", ttl="30s", owner="a generated client")
    assert (lease.key, lease.ttl_ms, lease.owner) == ("deploy-web", 30_000, "a generated client"), lease

    problem = refused(423, lambda: locks.acquire_lock("deploy-web", wait="10ms"))
    assert (problem.code, problem.holders[0].ref, problem.errno) == ("wait-timeout", lease.ref, "EAGAIN"), problem
    assert locks.get_lock("deploy-web").holders[0].owner == "a generated client"

    renewed = locks.renew_lock("deploy-web", lease=lease.lease, ttl="1m")
    assert (renewed.ttl_ms, renewed.fence) == (60_000, lease.fence), renewed
    released = leases.release_lease(lease.lease)
    assert released.released and not released.already, released
    assert refused(410, lambda: leases.renew_lease(lease.lease)).code == "released"

    slot = locks.acquire_lock(
        "workers", acquire_body=openapi_client.AcquireBody(limit=openapi_client.LimitValue(5), owner="body"))
    assert (slot.limit, slot.owner) == (5, "body"), slot
    wants = [openapi_client.Want(key="accounts"), openapi_client.Want(key="prices", mode=openapi_client.Mode.SHARED)]
    both = leases.acquire_locks(acquire_locks_body=openapi_client.AcquireLocksBody(
        want=openapi_client.AcquireLocksBodyWant(wants)))
    assert [part.key for part in both.locks] == ["accounts", "prices"], both
    leases.release_lease(both.lease)
    assert refused(404, lambda: locks.get_lock("no-such-lock")).code == "no-such-lock"
