#!/bin/sh
# Holds deploy/tripline.service against systemd's own checks, and against what tripline can not live without:
#
#   tests/units.sh [BINARY]
#
# That the service really starts, reads, reloads and stops under a systemd is what tests/live.sh tries.
set -u
cd "$(dirname "$0")/.." || exit 2
binary=${1:-target/release/tripline}
# Exposure times ten; smaller is better.
most=15

if ! command -v systemd-analyze >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "== installing systemd, for systemd-analyze"
    apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd >/dev/null || exit 1
  else
    echo "units: SKIPPED, systemd-analyze is not installed"
    exit 0
  fi
fi
# Any program does for `verify`, which only asks whether it is there.
[ -x "$binary" ] || binary=/bin/true

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

ok() { # what holds, and the command that says so
  if (shift && "$@") >"$work/said" 2>&1; then
    passed=$((passed + 1))
    echo "  ok    $1"
  else
    failed=$((failed + 1))
    echo "  FAIL  $1"
    sed 's/^/        /' "$work/said"
  fi
}

# The unit names the place of an installed binary; here it is one that is there.
lay() { # unit, directory
  mkdir -p "$2/tripline.service.d"
  sed "s|/usr/bin/tripline|$(realpath "$binary")|" "$1" >"$2/tripline.service"
  cp deploy/deb/configured.conf "$2/tripline.service.d/"
}

# True if systemd has nothing to say; before 250 it says so of keys it does not know and ends with 0 all the same.
verify() {
  said=$(systemd-analyze verify --man=no "$1/tripline.service" 2>&1) || { echo "$said" && return 1; }
  [ -z "$said" ] || { echo "$said" && return 1; }
}
exposed() { systemd-analyze security --offline=yes --no-pager --threshold=$most "$1/tripline.service"; }
sets() { grep -qxF -- "$1" "$unit" || { echo "\`$1\` is missing" && return 1; }; }
not() { ! "$@"; }

unit=deploy/tripline.service
lay $unit "$work/unit"
ok "systemd reads the unit, and the drop-in of the package, without a word" verify "$work/unit"
if systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
  ok "its exposure is at most $most tenths" exposed "$work/unit"
  sed -n 's/.*Overall exposure level for [^:]*: /        /p' "$work/said"
else
  echo "  --    exposure: this systemd-analyze knows no --offline"
fi

# Each of these was hardened or simplified away once, or is likely to be.
ok "the core loop feeds the watchdog" sets "WatchdogSec=30"
ok "readiness is told by tripline" sets "Type=notify"
ok "a wrong configuration is not tried again and again" sets "RestartPreventExitStatus=2"
ok "programs of exec sinks and journalctl are not told to stop before tripline has ended" sets "KillMode=mixed"
ok "admin.sock can be made, and the network reached" sets "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"
ok "logs of adm and the journal can be read" sets "SupplementaryGroups=adm systemd-journal"
ok "journalctl finds /proc/sys" not sets "ProcSubset=pid"
stop=$(sed -n 's/^TimeoutStopSec=//p' $unit)
ok "a stop has more time than stop_budget, 25 s" test "${stop:-0}" -gt 25

# The checks themselves: what is wrong must be seen.
echo "MemoryDenyWriteExecuted=yes" | sed '/^\[Service\]/r /dev/stdin' $unit >"$work/typo.service"
lay "$work/typo.service" "$work/typo"
ok "a wrong key is noticed" not verify "$work/typo"
if systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
  grep -v '^CapabilityBoundingSet=' $unit >"$work/open.service"
  lay "$work/open.service" "$work/open"
  ok "a unit with all rights is noticed" not exposed "$work/open"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
