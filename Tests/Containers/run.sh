#!/usr/bin/env bash
# Runs the container tests: Tests/Containers/run.sh [image] [pod] [compose] [systemd]; without words all of them.
#
# Root only. Where podman cannot be had it says SKIPPED, loudly, and ends with 0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ "$(id -u)" != 0 ] || ! Tools/need build containers; then
  echo "SKIPPED: NO CONTAINER WAS RUN. This needs root, podman, runc, catatonit, mmdebstrap, docker-compose." >&2
  exit 0
fi
passed=0
failed=0
for suite in "${@:-image pod compose systemd}"; do
  for each in $suite; do
    if "Tests/Containers/$each.sh"; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
    fi
  done
done
echo "containers: $passed passed, $failed failed"
[ "$failed" = 0 ]
