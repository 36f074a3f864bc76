#!/usr/bin/env bash
# Builds docker/Dockerfile with podman and uses the image from a second container, then in a pod whose daemon is killed.
#
# No registry is needed: the two base images are stand-ins made of Debian packages, and this machine's Swift is mounted
# into the build. So this shows that the Dockerfile installs all it needs on Debian 12, not that the official
# Swift image has it. Root only. Where podman cannot be had it says SKIPPED, loudly, and ends with 0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

name=leasehold-test-$$
image=localhost/$name
cache=${CACHE:-.build/containers}

if [ "$(id -u)" != 0 ] || ! Tools/need build containers; then
  echo "SKIPPED: NO CONTAINER WAS BUILT. This needs root, podman, buildah, runc, catatonit and mmdebstrap." >&2
  exit 0
fi

mkdir -p "$cache"
# Works where the limits of the defaults do not: in hybrid cgroups, without systemd, without CAP_SYS_RESOURCE.
cat >"$cache/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$PWD/$cache/containers.conf

clean_up() {
  podman rm -f -t 0 "$name" "$name-pod-leasehold" >/dev/null 2>&1 || true
  podman pod rm -f -t 0 "$name-pod" >/dev/null 2>&1 || true
  podman volume rm -f "$name" >/dev/null 2>&1 || true
  podman rmi -f "$image" >/dev/null 2>&1 || true
}
trap clean_up EXIT

swift_home=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")")")
debian_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# What the official Swift image has beside the toolchain.
swift_packages=ca-certificates,binutils,git,gnupg2,libc6-dev,libcurl4-openssl-dev,libedit2,libgcc-12-dev,libpython3-dev
swift_packages+=,libsqlite3-0,libstdc++-12-dev,libxml2-dev,libncurses-dev,libz3-dev,tzdata,zip,zlib1g-dev

stand_in() { # NAME PATH MMDEBSTRAP-ARGUMENTS...
  local tar="$cache/${1//[:\/]/-}.tar"
  if [ ! -s "$tar" ]; then
    echo "== making a stand-in for $1"
    mmdebstrap --quiet --variant=minbase "${@:3}" bookworm "$tar.new"
    mv "$tar.new" "$tar"
  fi
  podman import -q --change "ENV PATH=$2" --change 'CMD ["bash"]' "$tar" "localhost/$1" >/dev/null
}

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

echo "== building"
begun=$SECONDS
podman build --pull=never --network host --format docker "${mounts[@]}" -f docker/Dockerfile -t "$image" .
echo "built in $((SECONDS - begun)) s, $(podman image inspect --format '{{.Size}}' "$image") bytes"

hardened=(--network none --read-only --cap-drop=all --security-opt no-new-privileges)
app=(--rm --network none --user 65532:65532 -v "$name:/run/leasehold" -v "$PWD/Tests/Containers/client.pl:/client.pl:ro"
  localhost/debian:bookworm-slim perl /client.pl)

healthy() { # CONTAINER
  local attempt
  for attempt in {1..100}; do
    if podman healthcheck run "$1" >/dev/null 2>&1; then
      return 0
    fi
    sleep 0.1
  done
  podman logs "$1"
  echo "FAILED: $1 is not healthy after $attempt attempts" >&2
  return 1
}

echo "== two containers, one IPC namespace"
podman run -d --name "$name" --ipc=shareable "${hardened[@]}" -v "$name:/run/leasehold" "$image" >/dev/null
healthy "$name"
lease=$(podman run --ipc="container:$name" "${app[@]}" acquire deploy)
echo "acquired ${lease:0:10}... over the Unix socket, its units are gone from the semaphore"
if podman run "${app[@]}" acquire other 2>/dev/null; then
  echo "FAILED: a container in another IPC namespace saw the semaphore" >&2
  exit 1
fi
begun=$SECONDS
podman stop -t 10 "$name" >/dev/null
status=$(podman inspect --format '{{.State.ExitCode}}' "$name")
if [ "$status" != 0 ] || [ $((SECONDS - begun)) -gt 8 ]; then
  echo "FAILED: SIGTERM as process 1: status $status after $((SECONDS - begun)) s" >&2
  exit 1
fi
podman rm "$name" >/dev/null

echo "== a pod, its daemon killed and started again"
podman pod create --name "$name-pod" --share ipc,net,uts --network none >/dev/null
# --network belongs to the pod.
podman run -d --pod "$name-pod" --name "$name-pod-leasehold" "${hardened[@]:2}" -v "$name:/run/leasehold" "$image" \
  >/dev/null
healthy "$name-pod-leasehold"
lease=$(podman run --pod "$name-pod" "${app[@]:0:1}" "${app[@]:3}" acquire deploy)
podman kill -s KILL "$name-pod-leasehold" >/dev/null
podman wait "$name-pod-leasehold" >/dev/null
podman start "$name-pod-leasehold" >/dev/null
healthy "$name-pod-leasehold"
podman run --pod "$name-pod" "${app[@]:0:1}" "${app[@]:3}" lease "$lease"
echo "the lease is alive after kill -9"
echo "containers: passed"
