# shellcheck shell=bash disable=SC2034
# What the container tests share; sourced, from the project's root.
#
# No registry is needed: the base images are stand-ins made of Debian packages, and this machine's Swift is mounted
# into the build. So a passed test shows that the Dockerfile installs all it needs on Debian 12, not that the official
# Swift image has it.

name=leasehold-test-$$
cache=${CACHE:-.build/containers}
image=${IMAGE:-localhost/leasehold-under-test}
debian_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
checks=0

# Works where the limits of the defaults do not: in hybrid cgroups, without systemd, without CAP_SYS_RESOURCE.
mkdir -p "$cache"
cat >"$cache/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$PWD/$cache/containers.conf

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Says what was seen, for "N passed".
saw() {
  checks=$((checks + 1))
  echo "  ok: $*"
}

# Makes localhost/NAME, a Debian 12 with what --include says, unless it is there.
stand_in() { # NAME PATH MMDEBSTRAP-ARGUMENTS...
  local tar="$cache/${1//[:\/]/-}.tar"
  if podman image exists "localhost/$1"; then
    return
  fi
  if [ ! -f "$tar" ]; then
    echo "== making a stand-in for $1"
    mmdebstrap --quiet --format=tar --variant=minbase "${@:3}" bookworm "$tar.new"
    mv "$tar.new" "$tar"
  fi
  podman import -q --change "ENV PATH=$2" --change 'CMD ["bash"]' "$tar" "localhost/$1" >/dev/null
}

# Waits until COMMAND... succeeds.
eventually() { # WHAT COMMAND...
  local attempt what=$1
  shift
  for attempt in {1..150}; do
    if "$@" >/dev/null 2>&1; then
      return 0
    fi
    sleep 0.1
  done
  fail "$what: not within $attempt attempts: $*"
}

healthy() { # CONTAINER
  eventually "$1 is healthy" podman healthcheck run "$1"
}
