#!/usr/bin/env bash
# Runs the container tests: Tests/Containers/run.sh [SUITE...]: deb, image, pod, compose, etcd, systemd; or all of them.
#
# Root only. What cannot run here is skipped, and the last lines say what ran, what did not, and why. The status is 1
# when something failed; a run that skipped everything is no failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cache=${CACHE:-.build/containers}
image=${IMAGE:-localhost/leasehold-under-test}
mkdir -p "$cache"
ok=0
passed=0
failed=0
skipped=0
table=""

# Why a suite cannot run here; nothing when it can.
obstacle() { # SUITE
  if [ "$1" = deb ]; then
    Tools/need build deb >"$cache/need.log" 2>&1 || echo "it needs what is named here: $(tail -n 1 "$cache/need.log")"
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "only root may run containers as this test does"
  elif ! Tools/need build containers >"$cache/need.log" 2>&1; then
    echo "it needs what is named here: $(tail -n 1 "$cache/need.log")"
  elif [[ $1 =~ pod|compose|etcd ]] && ! podman image exists "$image"; then
    echo "there is no image $image; the suite 'image' builds it"
  elif [ "$1" = systemd ] && [ -z "${PACKAGE:-}" ] && ! compgen -G ".build/deb/leasehold_*.deb" >/dev/null; then
    echo "there is no Debian package; the suite 'deb' builds it"
  fi
}

# Runs a suite, shows what it says, and keeps it.
suite() { # SUITE
  if [ "$1" = deb ]; then
    "${MAKE:-make}" deb && echo "  ok: built, and lintian has nothing to say"
  else
    "Tests/Containers/$1.sh"
  fi 2>&1 | tee "$cache/suite-$1.log"
}

words=("$@")
[ $# -gt 0 ] || words=(deb image pod compose etcd systemd)
for word in "${words[@]}"; do
  [[ $word = deb || -x Tests/Containers/$word.sh ]] || {
    echo "run.sh: there is no suite '$word'; there are: deb image pod compose etcd systemd" >&2
    exit 64
  }
done
for word in "${words[@]}"; do
  begun=$SECONDS
  why=$(obstacle "$word")
  if [ -n "$why" ]; then
    skipped=$((skipped + 1))
    table+=$(printf '%-9s SKIPPED: %s' "$word" "$why")$'\n'
    continue
  fi
  echo "== $word"
  if suite "$word"; then
    result=passed
    passed=$((passed + 1))
  else
    result="FAILED: $(grep FAILED "$cache/suite-$word.log" | tail -n 1 || echo "see $cache/suite-$word.log")"
    failed=$((failed + 1))
  fi
  ok=$(grep -c '^  ok: ' "$cache/suite-$word.log" || true)
  table+=$(printf '%-9s %3d checks %5d s  %s' "$word" "$ok" $((SECONDS - begun)) "$result")$'\n'
done
printf '\n%s' "$table"
[ "$passed$failed" != 00 ] || echo "NO CONTAINER WAS RUN."
echo "containers: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
