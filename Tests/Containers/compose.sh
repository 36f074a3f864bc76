#!/usr/bin/env bash
# Brings docker/compose.yaml up with docker-compose over podman's API, with the images replaced.
#
# Needs the image of image.sh. podman's health timers want systemd, so the health check is run by hand here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Tests/Containers/lib.sh
. Tests/Containers/lib.sh

socket=$PWD/$cache/$name.sock
override=$cache/$name.yaml
started=()
compose() {
  DOCKER_HOST=unix://$socket docker-compose -p "$name" -f docker/compose.yaml -f "$override" "$@"
}
clean_up() {
  if [ ${#started[@]} -gt 0 ]; then
    kill "${started[@]}" 2>/dev/null || true
  fi
  # Who joined a namespace goes before who made it.
  podman rm -f -t 0 "${name}_app_1" >/dev/null 2>&1 || true
  podman rm -f -t 0 "${name}_leasehold_1" >/dev/null 2>&1 || true
  podman volume rm -f "${name}_run" >/dev/null 2>&1 || true
  rm -f "$socket" "$override"
}
trap clean_up EXIT

stand_in systemd:bookworm "$debian_path" --include=systemd,systemd-sysv,dbus,curl,libmicrohttpd12
podman image exists "$image" || fail "$image is not there: run Tests/Containers/image.sh first"
# No bridge: it would leave chains in the host's iptables. "app" has curl from the stand-in.
cat >"$override" <<YAML
version: "3.8"
services:
  leasehold: {image: "$image", network_mode: none}
  app: {image: "localhost/systemd:bookworm", network_mode: none}
YAML

echo "== docker/compose.yaml"
podman system service --time=0 "unix://$socket" >/dev/null 2>&1 &
started+=($!)
eventually "podman's API is up" test -S "$socket"
compose config -q
saw "the file is valid"
while sleep 0.5; do
  podman healthcheck run "${name}_leasehold_1" >/dev/null 2>&1 || true
done &
started+=($!)
timeout 60 env DOCKER_HOST="unix://$socket" docker-compose -p "$name" -f docker/compose.yaml -f "$override" \
  up -d --no-build >"$cache/compose.log" 2>&1 || fail "$(cat "$cache/compose.log")"
[ "$(podman wait "${name}_app_1")" = 0 ] || fail "$(podman logs "${name}_app_1")"
podman logs "${name}_app_1" | grep -q '"lease":"' || fail "$(podman logs "${name}_app_1")"
saw "the application waited for the daemon to be healthy, and got a lease over the socket on the volume"
daemon=$(podman inspect --format '{{.Id}}' "${name}_leasehold_1")
[ "$(podman inspect --format '{{.HostConfig.IpcMode}}' "${name}_app_1")" = "container:$daemon" ] ||
  fail "the application has an IPC namespace of its own"
saw "the application is in the daemon's IPC namespace"
echo "compose: $checks passed"
