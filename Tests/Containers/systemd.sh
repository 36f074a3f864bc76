#!/usr/bin/env bash
# Installs the Debian package on a fresh Debian 12 with a real systemd, in a container, and uses it.
#
# Needs the package of `make deb`. The container has no network; what the package depends on is in it before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=Tests/Containers/lib.sh
. Tests/Containers/lib.sh

package=${PACKAGE:-.build/deb/leasehold_$(Tools/version deb)_$(dpkg --print-architecture).deb}
[ -f "$package" ] || fail "there is no $package: run make deb first"
trap 'podman rm -f -t 0 "$name" >/dev/null 2>&1 || true' EXIT

stand_in systemd:bookworm "$debian_path" --include=systemd,systemd-sysv,dbus,curl,libmicrohttpd12
# As Debian's own do it, so that the installation starts the service.
podman run -d --name "$name" --systemd=always --cap-add SYS_ADMIN --security-opt seccomp=unconfined --network none \
  -v "$(realpath "$package"):/leasehold.deb:ro" localhost/systemd:bookworm /sbin/init >/dev/null

inside() { podman exec "$name" "$@"; }
in_shell() { inside bash -ec "$1"; }
is_up() { [[ $(inside systemctl is-system-running) =~ running|degraded ]]; }
sets() { inside cat /proc/sysvipc/sem /proc/sysvipc/shm | awk '{ print $1, $2 }'; }
local_url=(curl -s --unix-socket /run/leasehold/leasehold.sock)
status_of() { inside "${local_url[@]}" -o /dev/null -w '%{http_code}' "http://localhost/leases/$1"; }
serves() { inside "${local_url[@]}" -f http://localhost/readyz; }
both_alive() { # AFTER
  [ "$(status_of "$first")$(status_of "$second")" = 200200 ] || fail "after $1 a lease is gone"
  saw "after $1 both leases are alive"
}
main_pid() { inside systemctl show -P MainPID leasehold; }

echo "== installing"
eventually "systemd is up" is_up
inside env DEBIAN_FRONTEND=noninteractive apt-get install -y /leasehold.deb >"$cache/install.log" 2>&1 ||
  fail "apt-get: $(cat "$cache/install.log")"
[ "$(inside systemctl is-active leasehold)/$(inside systemctl is-enabled leasehold)" = active/enabled ] ||
  fail "$(inside systemctl status leasehold)"
saw "apt-get install gives a running, enabled service"
verified=$(inside systemd-analyze verify --man=no leasehold.service leasehold.socket 2>&1)
[ -z "$verified" ] || fail "systemd-analyze verify says: $verified"
# Fails above 1.9.
score=$(inside systemd-analyze security --threshold=19 leasehold.service |
  sed -n 's/.*level for .*: \([0-9.]*\).*/\1/p') ||
  fail "systemd-analyze security: too exposed"
saw "the units pass systemd-analyze verify without a word; the service scores $score"

echo "== using"
first=$(inside "${local_url[@]}" -f -X POST 'http://localhost/locks/deploy/acquire?ttl=1h&format=text')
second=$(inside curl -sf -X POST \
  'http://127.0.0.1:31818/locks/path:%2Fvar%2Ftmp%2Ffile/acquire?ttl=1h&limit=2&format=text')
saw "the Unix socket and the TCP port give leases"
inside test -e /var/tmp/file || fail "the file of a path: lock is not where its clients look for it"
saw "the file of a path: lock is where its clients look for it"
if inside setpriv --reuid nobody --regid nogroup --clear-groups "${local_url[@]}" http://localhost/readyz; then
  fail "nobody may use the Unix socket"
fi
inside usermod -aG leasehold www-data
inside setpriv --reuid www-data --regid www-data --init-groups "${local_url[@]}" -f http://localhost/readyz >/dev/null
saw "the Unix socket is for members of the group leasehold, not for everybody"

echo "== stop, start, restart, kill -9, a hanging daemon"
before=$(sets)
inside systemctl stop leasehold
[ "$before" = "$(sets)" ] || fail "stopping changed the semaphores: $before / $(sets)"
saw "stop leaves semaphores and ledger"
inside systemctl start leasehold
both_alive "stop and start"
inside systemctl restart leasehold
both_alive restart
in_shell "kill -9 $(main_pid)"
eventually "systemd starts it again" serves
both_alive "kill -9, and systemd's restart"
in_shell 'mkdir -p /run/systemd/system/leasehold.service.d
  printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/leasehold.service.d/watchdog.conf
  systemctl daemon-reload; systemctl restart leasehold; sleep 5; systemctl is-active leasehold' >/dev/null
[ "$(inside systemctl show -P NRestarts leasehold)" = 0 ] || fail "the watchdog killed a daemon that was well"
[[ $(inside systemctl show -P StatusText leasehold) == "serving: 2 leases, 2 locks"* ]] ||
  fail "status: $(inside systemctl show -P StatusText leasehold)"
saw "its status: $(inside systemctl show -P StatusText leasehold)"
hanging=$(main_pid)
in_shell "kill -STOP $hanging"
gone() { [ "$(main_pid)" != "$hanging" ] && serves; }
eventually "the watchdog replaces a daemon that hangs" gone
both_alive "the watchdog has replaced a daemon that hung"

echo "== socket activation"
in_shell 'rm -r /run/systemd/system/leasehold.service.d; systemctl daemon-reload
  systemctl stop leasehold.service; systemctl enable --now leasehold.socket 2>/dev/null'
[ "$(inside systemctl is-active leasehold.service)" = inactive ] || fail "the service is up before anybody asked"
both_alive "the first request has started the service over its sockets"
inside curl -sf http://127.0.0.1:31818/readyz >/dev/null
[ "$(inside stat -c '%U:%G %a' /run/leasehold/leasehold.sock)" = "leasehold:leasehold 660" ] || fail "socket file"
refused=$(in_shell 'for round in 1 2 3; do systemctl restart leasehold.service & for n in {1..60}; do
  curl -s -o /dev/null --max-time 10 http://127.0.0.1:31818/healthz || echo refused; done; wait; done' | wc -l)
[ "$refused" = 0 ] || fail "$refused requests were refused during restarts"
saw "180 requests during three restarts: none was refused"
both_alive "restarts under socket activation"
in_shell 'systemctl disable --now leasehold.socket 2>/dev/null; systemctl restart leasehold.service'
both_alive "going back to sockets of its own"

echo "== upgrade, remove, purge"
inside dpkg -i /leasehold.deb >/dev/null 2>&1
eventually "it serves after the upgrade" serves
both_alive "an upgrade (the package installed again)"
said=$(inside dpkg -r leasehold 2>&1 | sed -n 's/^leasehold: //p')
[ "$before" = "$(sets)" ] || fail "removing the package removed semaphores"
saw "remove says: $said"
said=$(inside dpkg -P leasehold 2>&1 | sed -n 's/^leasehold: //p')
saw "purge says: $said"
left=$(in_shell 'find / -xdev -name "*leasehold*" -not -path "/proc/*" -not -path "/sys/*" -not -path /leasehold.deb')
[ -z "$left" ] || fail "purge left $left"
saw "purge leaves no file; in the kernel are $(($(sets | wc -l) - 2)) sets and segments"
inside getent passwd leasehold >/dev/null || fail "the user is gone, but not what belongs to it"
in_shell 'ipcrm -a; dpkg -i /leasehold.deb >/dev/null 2>&1; systemctl is-active -q leasehold; dpkg -P leasehold' \
  >"$cache/purge.log" 2>&1 || fail "$(cat "$cache/purge.log")"
[ "$(sets | wc -l)" = 2 ] || fail "purge left $(sets)"
if inside getent passwd leasehold; then
  fail "the user is left, although nothing belongs to it"
fi
saw "purge after an unused installation leaves nothing in the kernel and no user"
echo "systemd: $checks passed"
