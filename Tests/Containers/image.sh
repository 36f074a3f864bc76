#!/usr/bin/env bash
# Builds docker/Dockerfile with podman and uses the image from a second container.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Tests/Containers/lib.sh
. Tests/Containers/lib.sh

clean_up() {
  podman rm -f -t 0 "$name" >/dev/null 2>&1 || true
  podman volume rm -f "$name" >/dev/null 2>&1 || true
}
trap clean_up EXIT

swift_home=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")")")

# What the official Swift image has beside the toolchain.
swift_packages=ca-certificates,binutils,git,gnupg2,libc6-dev,libcurl4-openssl-dev,libedit2,libgcc-12-dev,libpython3-dev
swift_packages+=,libsqlite3-0,libstdc++-12-dev,libxml2-dev,libncurses-dev,libz3-dev,tzdata,zip,zlib1g-dev

# Repositories that git is told to take from a folder of this machine must be there in the build, too.
mounts=(-v "$swift_home:$swift_home:ro")
while read -r key _; do
  base=${key#url.}
  base=${base%.insteadof}
  if [ -d "$base" ]; then
    mounts+=(-v "${base%/}:${base%/}:ro" -v /etc/gitconfig:/etc/gitconfig:ro)
  fi
done < <(git config --system --get-regexp '^url\..*\.insteadof$' | sort -u -k 1,1)

stand_in debian:bookworm-slim "$debian_path"
stand_in swift:6.3-bookworm "$swift_home/usr/bin:$debian_path" --include="$swift_packages"

echo "== building the image"
begun=$SECONDS
podman build --pull=never --network host --format docker "${mounts[@]}" -f docker/Dockerfile -t "$image" .
saw "built in $((SECONDS - begun)) s, $(podman image inspect --format '{{.Size}}' "$image") bytes"

hardened=(--network none --read-only --cap-drop=all --security-opt no-new-privileges)
app=(--rm --network none --user 65532:65532 -v "$name:/run/leasehold" -v "$PWD/Tests/Containers/client.pl:/client.pl:ro"
  localhost/debian:bookworm-slim perl /client.pl)

echo "== two containers, one IPC namespace"
podman run -d --name "$name" --ipc=shareable "${hardened[@]}" -v "$name:/run/leasehold" "$image" >/dev/null
healthy "$name"
saw "it is healthy, with a read-only root, no capability and as uid 65532"
lease=$(podman run --ipc="container:$name" "${app[@]}" acquire deploy)
saw "a container acquired ${lease:0:10}... over the Unix socket, its units are gone from the semaphore"
if podman run "${app[@]}" acquire other 2>/dev/null; then
  fail "a container in another IPC namespace saw the semaphore"
fi
saw "a container in another IPC namespace does not see the semaphore"
begun=$SECONDS
podman stop -t 10 "$name" >/dev/null
status=$(podman inspect --format '{{.State.ExitCode}}' "$name")
if [ "$status" != 0 ] || [ $((SECONDS - begun)) -gt 8 ]; then
  fail "SIGTERM as process 1: status $status after $((SECONDS - begun)) s"
fi
saw "SIGTERM ends it as process 1, with status 0"
echo "image: $checks passed"
