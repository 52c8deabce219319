#!/bin/bash
# Installs the Debian package of a binary on a machine with a systemd of its own, a container that systemd-nspawn boots,
# and tries what a unit can get wrong: reading as a user of its own, the journal, programs, reload, stop, crash.
#
#   tests/live.sh [BINARY]
#
# Needs root, systemd-nspawn (systemd-container) and, to make the machine at the first time, mmdebstrap. The machine is
# of TRIPLINE_LIVE_SUITE of Debian and kept in TRIPLINE_LIVE_ROOT; it has no network but its loopback. Two minutes.
set -u
cd "$(dirname "$0")/.." || exit 2
binary=${1:-target/release/tripline}
root=${TRIPLINE_LIVE_ROOT:-target/live-root}

skip() {
  echo "live: SKIPPED, $*"
  exit 0
}
[[ $EUID -eq 0 ]] || skip "only root can boot a container"
[[ -x $binary ]] || skip "there is no $binary: cargo build --release"
command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is not installed (systemd-container)"
if [[ ! -d $root/etc ]]; then
  command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed, and there is no machine in $root"
  echo "== making a machine in $root"
  mkdir -p "$(dirname "$root")"
  mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,curl,procps \
    "${TRIPLINE_LIVE_SUITE:-bookworm}" "$root" http://deb.debian.org/debian || exit 1
fi

work=$(mktemp -d)
nspawn=
clean() {
  # It ends when its first process is told to, within seconds.
  if [[ -n $nspawn ]]; then
    kill -TERM "$nspawn" 2>/dev/null
    wait "$nspawn" 2>/dev/null
  fi
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

export DPKG_DEB_COMPRESSOR_TYPE=gzip
first=$(deploy/deb/build "$binary" "$work" 2>/dev/null) || exit 1
second=$(DEB_REVISION=+2 deploy/deb/build "$binary" "$work" 2>/dev/null) || exit 1
mkdir "$work/shared"
cp "$first" "$work/shared/1.deb"
cp "$second" "$work/shared/2.deb"

cat >"$work/shared/inside.sh" <<'INSIDE'
passed=0
failed=0
ok() { # what holds, and the command that says so
  if (shift && "$@") >/tmp/said 2>&1; then
    passed=$((passed + 1))
    echo "  ok    $1"
  else
    failed=$((failed + 1))
    echo "  FAIL  $1"
    sed 's/^/        /' /tmp/said | tail -n 20
  fi
}
not() { ! "$@"; }
# Until it holds, 20 s at most.
soon() {
  for _ in $(seq 100); do
    "$@" && return 0
    sleep 0.2
  done
  tripline status
  return 1
}
is() { [[ $(systemctl show -p "$1" --value tripline) == "$2" ]]; }
main() { systemctl show -p MainPID --value tripline; }
open() { tripline status --json | grep -qF "\"summary\":\"$1\""; }
told() { grep -qF "\"summary\":\"$1\"" /var/log/private/tripline/alerts.jsonl; }
metric() { curl -s 127.0.0.1:7437/metrics | grep -qxF "$1"; }
install() { DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold -i "/shared/$1.deb"; }

config() {
  cat >/etc/tripline/tripline.toml <<'END'
state_dir   = "/var/lib/tripline"
rules       = ["rules/*.toml"]
# One sink is away for ever.
stop_budget = "5s"

[[source]]
name  = "app"
files = ["/var/log/app.log"]

[[source]]
name    = "journal"
journal = { identifiers = ["tester"] }

[[sink]]
name = "file"
type = "file"
path = "/var/log/tripline/alerts.jsonl"

[[sink]]
name    = "program"
type    = "exec"
command = ["/opt/slow"]

[[sink]]
name = "oncall"
type = "alertmanager"
urls = ["http://127.0.0.1:9"]
token_file = "$CREDENTIALS_DIRECTORY/key"
END
  cat >/etc/tripline/rules/r.toml <<'END'
[[rule]]
name    = "boom"
source  = ["app", "journal"]
match   = 'boom (?<n>\S+)'
by      = ["n"]
summary = "boom {n}"
END
}

# What another run has left.
dpkg -P tripline >/dev/null 2>&1
rm -rf /etc/tripline /etc/systemd/system/tripline.service.d /var/log/private/tripline /var/log/tripline /root/plain

echo "as installed"
ok "it installs" install 1
ok "it is not started" is ActiveState inactive
ok "for a reason that is no failure" is Result exec-condition
ok "it will start with the machine" test "$(systemctl is-enabled tripline)" = enabled
ok "nothing tries it again" is NRestarts 0

if tripline init --help >/dev/null 2>&1; then
  ok "what the package tells to do is done" tripline init --force /etc/tripline
  ok "and it starts" systemctl start tripline
  ok "and runs" is ActiveState active
  systemctl stop tripline
  ok "root may check it" sh -c "! tripline check | grep '^error'"
  rm -rf /etc/tripline/rules/*.toml
fi

echo "the service"
config
touch /var/log/app.log
chgrp adm /var/log/app.log
chmod 640 /var/log/app.log
printf '#!/bin/sh\ncat >/dev/null\nsleep 2\necho done >>/var/log/tripline/slow\n' >/opt/slow
chmod 755 /opt/slow
(umask 077 && echo 0123456789abcdef0123456789abcdef >/etc/tripline/key)
mkdir -p /etc/systemd/system/tripline.service.d
printf '[Service]\nLoadCredential=key:/etc/tripline/key\nLogsDirectory=tripline\n' \
  >/etc/systemd/system/tripline.service.d/test.conf
systemctl daemon-reload
# nspawn lays another boot over that of the kernel, and a service with a /proc of its own does not see it.
umount /proc/sys/kernel/random/boot_id 2>/dev/null && systemctl restart systemd-journald
logger -t tester "not of interest"
ok "it starts once it is configured" systemctl start tripline
ok "and is ready" metric "tripline_ready 1"
pid=$(main)
ok "it is nobody in particular" sh -c "! grep -qE '^Uid:\s+0' /proc/$pid/status"
ok "with no capability" grep -qE '^CapBnd:\s+0000000000000000$' "/proc/$pid/status"
echo "boom file" >>/var/log/app.log
ok "a log that only adm may read is read" soon open "boom file"
logger -t tester "boom journal"
ok "the journal is read" soon open "boom journal"
ok "root may ask it" tripline status
ok "a file sink is told" soon told "boom file"
ok "a program is run" soon test -e /var/log/private/tripline/slow
ok "the state is for nobody else" test "$(stat -c %a /var/lib/private/tripline)" = 700
ok "its key could be read" sh -c "! tripline sinks | grep -i 'credentials\|cannot read'"

echo "reload"
sed -i 's/boom (/bang (/' /etc/tripline/rules/r.toml
ok "it reloads" systemctl reload tripline
ok "and takes what is new" soon metric 'tripline_reloads_total{result="ok"} 1'
echo 'x =' >>/etc/tripline/tripline.toml
systemctl reload tripline
ok "what is wrong is refused" soon metric "tripline_config_last_reload_successful 0"
ok "and changes nothing" is ActiveState active
config
ok "until it is put right" soon metric "tripline_config_last_reload_successful 1"

echo "stop"
rm -f /var/log/private/tripline/slow
echo "boom last" >>/var/log/app.log
ok "one more is raised" soon open "boom last"
since=$(date '+%F %T')
ok "it stops" systemctl stop tripline
ok "in good order" is Result success
ok "a program that runs is let finish, once" test "$(wc -l </var/log/private/tripline/slow)" = 1
ok "and the journal is read to the end" \
  sh -c "! journalctl -u tripline --since '$since' | grep 'journalctl. has ended'"
echo "boom meanwhile" >>/var/log/app.log
systemctl start tripline
ok "what was written meanwhile is read" soon open "boom meanwhile"
kill -9 "$(main)"
ok "killed, it comes back" soon sh -c "curl -sf 127.0.0.1:7437/readyz"
ok "and knows what is open" open "boom last"
kill -STOP "$(main)"
before=$(main)
ok "standing still, it is ended by the watchdog" sh -c "
  for _ in \$(seq 45); do [ \"\$(systemctl show -p MainPID --value tripline)\" != $before ] && exit 0; sleep 1; done; exit 1"
ok "and comes back" soon sh -c "curl -sf 127.0.0.1:7437/readyz"
echo 'x =' >>/etc/tripline/tripline.toml
systemctl restart tripline 2>/dev/null
ok "with a wrong configuration it does not start" is ActiveState failed
sleep 5
ok "and nobody tries again" is NRestarts 0
config

echo "upgrade"
systemctl reset-failed tripline
systemctl start tripline
before=$(main)
ok "it upgrades" install 2
ok "and is another process" test "$(main)" != "$before"
ok "that is ready" soon sh -c "curl -sf 127.0.0.1:7437/readyz"
systemctl stop tripline
ok "stopped, it upgrades" install 1
ok "and stays stopped" is ActiveState inactive
systemctl disable --quiet tripline
ok "disabled, it upgrades" install 2
ok "and stays disabled" test "$(systemctl is-enabled tripline)" = disabled

echo "a reboot"
# Of the journal all that a reboot is, is another boot: first that of nspawn, then that of the kernel.
cat /proc/sys/kernel/random/uuid >/run/boot
mount --bind /run/boot /proc/sys/kernel/random/boot_id
systemctl restart systemd-journald
mkdir -p /root/plain
cat >/root/plain/tripline.toml <<'END'
state_dir = "state"
rules     = ["/etc/tripline/rules/*.toml"]
admin     = { listen = "off" }
[[source]]
name  = "app"
files = ["/var/log/app.log"]
[[source]]
name    = "journal"
journal = { identifiers = ["tester"] }
[[sink]]
name = "none"
type = "file"
path = "alerts.jsonl"
END
plain() { # until the summary is told, 8 s at most
  tripline run --config /root/plain/tripline.toml >/root/plain/log 2>&1 &
  local process=$!
  for turn in $(seq 40); do
    sleep 0.2
    [[ $turn == 10 && -n ${2:-} ]] && logger -t tester "$2"
    grep -qsF "\"summary\":\"$1\"" /root/plain/alerts.jsonl && break
  done
  kill $process
  wait $process
  cat /root/plain/log
  grep -qsF "\"summary\":\"$1\"" /root/plain/alerts.jsonl
}
logger -t tester "nothing"
ok "the journal is followed" plain "boom first" "boom first"
logger -t tester "boom before-the-reboot"
journalctl --sync
umount /proc/sys/kernel/random/boot_id
systemctl restart systemd-journald
logger -t tester "boom after-the-reboot"
journalctl --sync
ok "what was written before the reboot is read after it" plain "boom before-the-reboot"
ok "and what was written after it, before tripline started" grep -qF "boom after-the-reboot" /root/plain/alerts.jsonl

echo "remove"
systemctl enable --quiet --now tripline
ok "it is removed" dpkg -r tripline
ok "and has stopped" sh -c "! pgrep -x tripline"
rm -rf /etc/tripline/rules/r.toml /etc/tripline/key
ok "it is purged" dpkg -P tripline
ok "its state is gone" not test -e /var/lib/private/tripline
ok "its configuration is gone" not test -e /etc/tripline

rm -rf /root/plain /etc/systemd/system/tripline.service.d
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
INSIDE

systemd-nspawn -q -D "$root" -b --register=no --keep-unit --private-network --console=pipe \
  --bind-ro="$work/shared:/shared" -M tripline-live </dev/null >"$work/boot" 2>&1 &
nspawn=$!
leader=
for _ in $(seq 60); do
  leader=$(pgrep -P "$nspawn" | head -n 1)
  if [[ -n $leader ]]; then
    state=$(nsenter -t "$leader" -a systemctl is-system-running 2>/dev/null)
    [[ $state == running || $state == degraded ]] && break
  fi
  kill -0 "$nspawn" 2>/dev/null || break
  sleep 1
done
if ! kill -0 "$nspawn" 2>/dev/null || [[ -z $leader ]]; then
  cat "$work/boot"
  nspawn=
  skip "systemd does not boot in a container here"
fi
nsenter -t "$leader" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C bash /shared/inside.sh
result=$?
nsenter -t "$leader" -a systemctl poweroff >/dev/null 2>&1
exit $result
