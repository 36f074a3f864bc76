#!/usr/bin/env bash
# Brings docker/compose.etcd.yaml up: three members of etcd and three Leaseholds, which keep the same locks.
#
# Needs the image of image.sh. The containers are in a network namespace of their own: no bridge and no rule stays on
# the host.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Tests/Containers/lib.sh
. Tests/Containers/lib.sh

if [ "${1:-}" != apart ]; then
  podman image exists "$image" || fail "$image is not there: run Tests/Containers/image.sh first"
  stand_in debian:bookworm-slim "$debian_path"
  stand_in bare:bookworm "$debian_path" --include=curl
  echo "== docker/Dockerfile.etcd"
  podman build --pull=never --network host --format docker -f docker/Dockerfile.etcd -t leasehold-etcd docker
  saw "it is built"
  exec timeout 300 unshare -n -m "$0" apart
fi

socket=$PWD/$cache/$name.sock
override=$cache/$name.yaml
compose() {
  DOCKER_HOST=unix://$socket timeout 120 docker-compose -p "$name" -f docker/compose.etcd.yaml -f "$override" "$@" \
    >"$cache/compose.log" 2>&1 || fail "docker-compose $1: $(cat "$cache/compose.log")"
}
clean_up() {
  (compose down --volumes --timeout 1) || true
  kill "$api" 2>/dev/null || true
  rm -f "$socket" "$override"
}
on() { podman exec "${name}_leasehold$1_1" "${@:2}"; }
# curl, as another program of the host that a Leasehold serves.
asks() { podman run --rm --network "container:${name}_leasehold$1_1" localhost/bare:bookworm curl -sS "${@:2}"; }

ip link set lo up
{
  echo 'version: "3.8"'
  echo 'services:'
  for number in 1 2 3; do echo "  leasehold$number: {image: \"$image\"}"; done
} >"$override"
podman system service --time=0 "unix://$socket" >/dev/null 2>&1 &
api=$!
trap clean_up EXIT
eventually "podman's API is up" test -S "$socket"

echo "== docker/compose.etcd.yaml"
compose up --detach --no-build
for number in 1 2 3; do eventually "leasehold$number is ready" on "$number" leasehold ready; done
saw "three members of etcd, three Leaseholds, all ready"
url=http://127.0.0.1:31818
lease=$(asks 1 -f -X POST "$url/locks/deploy/acquire?owner=ann&ttl=60s&wait=10s&format=text")
asks 2 "$url/locks/deploy" | grep -q '"owner":"ann"' || fail "the second does not see what the first gave"
asks 3 -X POST "$url/locks/deploy/acquire" | grep -q '"code":"locked"' || fail "the third gives it once more"
saw "curl takes a lock from the first; the second says who has it, the third refuses it"
compose kill etcd1
asks 2 -f -X POST "$url/leases/$lease/renew" >/dev/null || fail "with one member of etcd killed nothing is renewed"
asks 3 -f -X DELETE "$url/leases/$lease" >/dev/null || fail "the third cannot give back what the first gave"
on 2 leasehold run -w 30s deploy true || fail "what was given back cannot be taken"
saw "with one member of etcd killed it is renewed, given back and taken again, each by another service"
echo "etcd: $checks passed"
