#!/usr/bin/env bash
# Looks at what `make release` has put into dist/, and uses it as a stranger would: Tests/Release/run.sh [SUITE...]
#
#   papers    checksums, bill of materials and workflow, with the tools that others have for them; what is inside
#   tarball   on a bare Debian 12 without Swift and without libmicrohttpd: to the first lock
#   deb       the same, with apt-get install
#   systemd   the same, where systemd is process 1: the service runs when apt-get is done
#
# The containers have no network; what apt would fetch lies in its cache. Root only, for podman; what cannot run here is
# skipped and named. About a minute, and two more to make the stand-ins for Debian's images the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Tests/Containers/lib.sh
. Tests/Containers/lib.sh

dist=$PWD/${DIST:-dist}
# From the first line that is typed to the first lock.
limit_ms=${LIMIT_MS:-10000}
arch=$(dpkg --print-architecture)
tools=.build/tools/release
trap 'podman rm -f -t 0 "$name" >/dev/null 2>&1 || true' EXIT

[ -f "$dist/SHA256SUMS" ] || fail "there is no $dist/SHA256SUMS: make release"
tarball=$(cd "$dist" && ls leasehold-*-linux-"$arch".tar.gz)
version=${tarball#leasehold-}
version=${version%-linux-*}
package=$(cd "$dist" && ls leasehold_*_"$arch".deb)

papers() {
  local unpacked=$cache/unpacked said
  if ! cmp -s Tests/Release/requirements.txt "$tools/installed"; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement Tests/Release/requirements.txt
    cp Tests/Release/requirements.txt "$tools/installed"
  fi
  (cd "$dist" && sha256sum --check --strict --quiet SHA256SUMS)
  [ "$(find "$dist" -type f | wc -l)" = $(($(wc -l <"$dist/SHA256SUMS") + 1)) ] || fail "a file has no checksum"
  saw "sha256sum --check: $(wc -l <"$dist/SHA256SUMS") files"
  "$tools/bin/pyspdxtools" --infile "$dist/leasehold-$version-linux-$arch.spdx.json"
  saw "pyspdxtools: the bill of materials is SPDX 2.3"
  Tools/openapi30.py "$dist/openapi.yaml" | cmp - "$dist/openapi-3.0.json"
  saw "openapi-3.0.json is what openapi.yaml says"
  "$tools/bin/actionlint" .github/workflows/*.yml
  saw "actionlint has nothing to say of the workflows"
  rm -rf "$unpacked" && mkdir -p "$unpacked"
  tar -xzf "$dist/$tarball" -C "$unpacked"
  Tests/Release/contents.py "$unpacked/leasehold-$version" "$dist/leasehold-$version-linux-$arch.spdx.json"
  saw "each file of the bill of materials is in the tarball with its checksums, and each library is in the bill"
  said=$("$unpacked/leasehold-$version/leasehold" version)
  [ "$said" = "leasehold $version" ] || fail "the program says '$said', the tarball $version"
  ! grep -qF "$PWD" "$unpacked/leasehold-$version/bin/leasehold" || fail "the program names the folder of its build"
  saw "the program says its version, and not where it was built"
  rm -rf "$unpacked"
}

# A Debian 12 with curl, and in apt's cache what --include does not name and the package depends on.
bare() { # NAME INCLUDED DOWNLOADED
  stand_in "$1" "$debian_path" --include="$2" --skip=cleanup/apt \
    --aptopt='Binary::apt-get::APT::Keep-Downloaded-Packages "true"' \
    --customize-hook="chroot \"\$1\" apt-get install -y --download-only -o APT::Install-Recommends=true $3"
}

# What people type, with dist in the place of the address; says how many ms it took.
typed() { # SCRIPT
  podman exec -e DEBIAN_FRONTEND=noninteractive -e R=file:///dist -e "V=$version" -e "A=$arch" -e "DEB=$package" \
    "$name" bash -ec "cd /tmp
    begun=\$(date +%s%N)
    $1
    for turn in {1..1200}; do
      if curl -sf -X POST '127.0.0.1:31818/locks/deploy/acquire?ttl=30s' >answer; then break; fi
      sleep 0.05
    done
    ended=\$(date +%s%N)
    grep -q '\"lease\":\"' answer || { cat log >&2; exit 1; }
    echo \$(((ended - begun) / 1000000))" 2>"$cache/$name.log" || fail "$(cat "$cache/$name.log")"
}

took() { # PROGRAM
  [ "$ms" -le "$limit_ms" ] || fail "$ms ms to the first lock, more than $limit_ms"
  saw "$ms ms to the first lock of $(podman exec "$name" "$1" version)"
  podman rm -f -t 0 "$name" >/dev/null
}

needed="systemd-standalone-sysusers systemd-standalone-tmpfiles libmicrohttpd12 ca-certificates"

tarball() {
  bare bare:bookworm curl "$needed"
  podman run -d --name "$name" --network none -v "$dist:/dist:ro" localhost/bare:bookworm sleep 600 >/dev/null
  ! podman exec "$name" bash -c 'command -v swift || ldconfig -p | grep microhttpd' || fail "it is not bare"
  # shellcheck disable=SC2016 # the container's
  ms=$(typed '
    curl -sL $R/leasehold-$V-linux-$A.tar.gz | tar xz
    leasehold-$V/leasehold serve >log 2>&1 &')
  took "/tmp/leasehold-$version/leasehold"
}

deb() {
  bare bare:bookworm curl "$needed"
  podman run -d --name "$name" --network none -v "$dist:/dist:ro" localhost/bare:bookworm sleep 600 >/dev/null
  # shellcheck disable=SC2016
  ms=$(typed '
    curl -sLO $R/$DEB
    apt-get install -y ./$DEB >log 2>&1 || { cat log >&2; exit 1; }
    runuser -u leasehold -- leasehold serve >>log 2>&1 &')
  took leasehold
}

systemd() {
  bare bare-systemd:bookworm systemd,systemd-sysv,dbus,curl "libmicrohttpd12 ca-certificates"
  podman run -d --name "$name" --systemd=always --cap-add SYS_ADMIN --security-opt seccomp=unconfined --network none \
    -v "$dist:/dist:ro" localhost/bare-systemd:bookworm /sbin/init >/dev/null
  # shellcheck disable=SC2016
  eventually "systemd is up" podman exec "$name" bash -c '[[ $(systemctl is-system-running) =~ running|degraded ]]'
  # shellcheck disable=SC2016
  ms=$(typed '
    curl -sLO $R/$DEB
    apt-get install -y ./$DEB >log 2>&1 || { cat log >&2; exit 1; }')
  [ "$(podman exec "$name" systemctl is-enabled leasehold)" = enabled ] || fail "the service is not enabled"
  took leasehold
}

suites=("$@")
[ $# -gt 0 ] || suites=(papers tarball deb systemd)
for suite in "${suites[@]}"; do
  [[ $suite =~ ^(papers|tarball|deb|systemd)$ ]] || {
    echo "run.sh: there is no suite '$suite'; there are: papers tarball deb systemd" >&2
    exit 64
  }
  echo "== $suite"
  if [ "$suite" != papers ] && { [ "$(id -u)" != 0 ] || ! Tools/need containers >"$cache/need.log" 2>&1; }; then
    echo "  SKIPPED: only root may run containers as this test does, with podman"
    continue
  fi
  "$suite"
done
echo "release: $checks checks passed"
