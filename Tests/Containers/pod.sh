#!/usr/bin/env bash
# Plays docker/kubernetes/sidecar.yaml with podman, with an application that has PHP, and kills what is in the pod.
#
# Needs the image of image.sh. podman 4.3 knows no native sidecars: the init container is played as the first of the
# containers, everything else of the manifest as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Tests/Containers/lib.sh
. Tests/Containers/lib.sh

pod=$name-pod
manifest=$cache/$pod.yaml
clean_up() {
  podman rm -f -t 0 "$name" "$name-apart" "$name-beside" >/dev/null 2>&1 || true
  podman pod rm -f -t 0 "$pod" >/dev/null 2>&1 || true
  podman volume rm -f "$name" run >/dev/null 2>&1 || true
  rm -f "$manifest"
}
trap clean_up EXIT

stand_in php:bookworm "$debian_path" --include=php-cli
podman image exists "$image" || fail "$image is not there: run Tests/Containers/image.sh first"

as_played() {
  sed -e "s#name: app-with-leasehold#name: $pod#" \
    -e '/^  containers:/d' -e 's#^  initContainers:#  containers:#' -e '/^      restartPolicy: Always/d' \
    -e "s#image: [^ ]*leasehold:.*\$#image: $image\n      imagePullPolicy: Never#" \
    -e 's#image: curlimages/curl.*#image: localhost/php:bookworm\n      imagePullPolicy: Never#' \
    -e 's#^        - |$#        - exec sleep 86400#' -e '/^          while sleep 5/,/^          done/d' \
    docker/kubernetes/sidecar.yaml
}

app() { podman exec -i "$pod-app" php -- "$@" <Tests/Containers/app.php; }
has_said() { [ -n "$(podman logs "$1")" ]; }
lease_is() { [ "$(app lease "$1")" = "$2" ]; }

echo "== a pod from docker/kubernetes/sidecar.yaml"
as_played >"$manifest"
podman kube play --network none "$manifest" >/dev/null
eventually "the sidecar is ready" podman exec "$pod-leasehold" /usr/bin/leasehold ready
podman exec "$pod-leasehold" /usr/bin/leasehold live >/dev/null || fail "the sidecar is not alive"
saw "the sidecar is ready: $(podman exec "$pod-leasehold" id -u), read-only root, no capabilities"
if podman exec "$pod-leasehold" touch /tmp/file 2>/dev/null; then
  fail "the sidecar's root is not read-only"
fi

echo "== PHP in the application's container and the sidecar"
app share 1234 >/dev/null
saw "sem_get(1234) and php:1234 exclude each other, both ways"

echo "== the sidecar killed with -9 and started again"
own=$(app acquire deploy ttl=600s)
php=$(app acquire php:4321 ttl=600s)
before=$(podman exec "$pod-app" cat /proc/sysvipc/sem | awk 'NR > 1 { print $1, $2 }' | sort)
process=$(podman inspect --format '{{.State.Pid}}' "$pod-leasehold")
kill -9 "$process"
eventually "the sidecar is dead" test ! -d "/proc/$process"
during=$(podman exec "$pod-app" cat /proc/sysvipc/sem | awk 'NR > 1 { print $1, $2 }' | sort)
[ "$before" = "$during" ] || fail "semaphore sets changed: $before / $during"
saw "its semaphores outlive it: $(wc -l <<<"$during") sets"
podman start "$pod-leasehold" >/dev/null 2>&1 || true
eventually "the sidecar is ready again" podman exec "$pod-leasehold" /usr/bin/leasehold ready
for lease in "$own" "$php"; do
  lease_is "$lease" alive || fail "lease $lease is $(app lease "$lease")"
done
saw "both leases are alive"

# An application with a lease that is bound, killed with its container.
killed() { # CONTAINER BIND REASON RUN-ARGUMENTS...
  local container=$1 bind=$2 reason=$3 lease seen begun
  shift 3
  podman run -d --name "$container" "$@" localhost/php:bookworm php -r "$(sed 1d Tests/Containers/app.php)" \
    -- stay "$container" "$bind" >/dev/null || fail "$container does not run"
  eventually "$container has its lease" has_said "$container"
  lease=$(podman logs "$container")
  lease_is "$lease" alive || fail "the lease of $container is $(app lease "$lease")"
  begun=$(date +%s%N)
  podman kill -s KILL "$container" >/dev/null
  eventually "the lease of $container has ended ($(app lease "$lease"))" lease_is "$lease" "$reason"
  seen=$((($(date +%s%N) - begun) / 1000000))
  podman rm -f -t 0 "$container" >/dev/null
  saw "bind=$bind: the lease is over $seen ms after the kill, asking included ($reason)"
}

echo "== an application's container killed"
inside=(--pod "$pod" --user 65532:65532 -v run:/run/leasehold)
killed "$name" connection connection-closed "${inside[@]}"
killed "$name" pid process-exited "${inside[@]}"
# Its own process numbers: the daemon sees the peer's as 0, and has it by SO_PEERPIDFD.
apart=(--pod "$pod" --pid private --user 65532:65532 -v run:/run/leasehold)
[ "$(podman run --rm "${apart[@]}" localhost/php:bookworm readlink /proc/self/ns/pid)" != \
  "$(podman exec "$pod-app" readlink /proc/self/ns/pid)" ] || fail "the container has the pod's process numbers"
killed "$name-apart" connection connection-closed "${apart[@]}"
killed "$name-apart" peer process-exited "${apart[@]}"

begun=$SECONDS
podman pod stop -t 20 "$pod" >/dev/null
saw "the pod stops in $((SECONDS - begun)) s"
echo "pod: $checks passed"
