#!/bin/sh
# Builds the Debian package of a binary, and installs, upgrades, removes and purges it on this machine:
#
#   tests/deb.sh [BINARY]
#
# So it is for containers: it skips loudly where it is not root, not on Debian, where systemd would really start the
# service (unless TRIPLINE_TEST_DEB=yes), and where anything of tripline lies already.
set -u
cd "$(dirname "$0")/.." || exit 2
binary=${1:-target/release/tripline}

skip() {
  echo "deb: SKIPPED, $*"
  exit 0
}
[ "$(id -u)" = 0 ] || skip "only root can install packages"
[ -e /etc/debian_version ] || skip "this is not Debian"
command -v dpkg-deb >/dev/null || skip "there is no dpkg-deb"
[ -x "$binary" ] || skip "there is no $binary: cargo build --release"
if [ -d /run/systemd/system ] && [ "${TRIPLINE_TEST_DEB:-}" != yes ]; then
  skip "systemd runs here and would start the service: TRIPLINE_TEST_DEB=yes does it all the same"
fi
for path in /etc/tripline /var/lib/tripline /var/lib/private/tripline /usr/bin/tripline; do
  if [ -e "$path" ]; then skip "$path is there already, and this test would remove it"; fi
done

work=$(mktemp -d)
export DEBIAN_FRONTEND=noninteractive DPKG_DEB_COMPRESSOR_TYPE=gzip LC_ALL=C
# A fixed time, so that two builds can be compared.
export SOURCE_DATE_EPOCH=1767607200
passed=0
failed=0

# What a machine has; dpkg and its logs remember by themselves.
machine() {
  find /etc /usr /var/lib /var/log /lib -xdev -not -path '/var/lib/dpkg/*' -not -path '/var/log/*.log' \
    -not -path '/var/cache/*' -not -path '/usr/lib/python3/*' -not -path '/etc/ld.so.cache' 2>/dev/null | sort
}

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

not() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "\`$1\` is not \`$2\`" && false; }; }
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" && false; }; }

clean() {
  dpkg --purge tripline >/dev/null 2>&1
  # Only what this test has made: none of it was there before.
  rm -rf "$work" /etc/tripline /var/lib/tripline /var/lib/private/tripline
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

machine >"$work/before"

echo "build"
first=$(deploy/deb/build "$binary" "$work/1" 2>"$work/words") || { cat "$work/words"; exit 1; }
grep '^build:' "$work/words" | sed 's/^/  /'
again=$(deploy/deb/build "$binary" "$work/2" 2>/dev/null)
ok "two builds are the same, byte for byte" cmp "$first" "$again"
version=$("$binary" --version | sed -n 's/^tripline //p' | sed 's/-/~/')
name=tripline_${version}_$(dpkg --print-architecture).deb
ok "the name says version and machine" same "$(basename "$first")" "$name"
ok "all of it belongs to root" not sh -c "dpkg-deb -c '$first' | awk '{print \$2}' | grep -v '^root/root$'"
# The next version has other defaults.
mkdir -p "$work/next"
cp -r deploy docs README.md CHANGELOG.md LICENSE-MIT "$work/next"
echo "# a new default" >>"$work/next/deploy/deb/tripline.toml"
second=$(DEB_REVISION=+2 "$work/next/deploy/deb/build" "$binary" "$work/2" 2>/dev/null)
version_of() { dpkg-deb -f "$1" Version; }
ok "the next one is newer" dpkg --compare-versions "$(version_of "$second")" gt "$(version_of "$first")"
if command -v lintian >/dev/null; then
  ok "lintian finds no error" lintian --allow-root --fail-on error --suppress-tags bogus-mail-host "$first"
else
  echo "  --    lintian is not installed"
fi

config=/etc/tripline/tripline.toml
dropin=/usr/lib/systemd/system/tripline.service.d/configured.conf
# As systemd would read and run it; everything but the exit code is for the journal.
condition() {
  sed -n '/^ExecCondition=/,$p' $dropin | sed -e 's/^ExecCondition=//' -e 's/\\$//' | tr -d '\n' >"$work/condition"
  sh "$work/condition"
}

echo "install"
ok "it installs" quietly dpkg -i "$first"
cp "$work/log" "$work/installed"
ok "the program runs" same "$(tripline --version 2>&1)" "$("$binary" --version)"
ok "what to do next is told" grep -q "tripline init" "$work/installed"
ok "no file was changed on the way" dpkg --verify tripline
ok "the service begins with the machine" test -L /etc/systemd/system/multi-user.target.wants/tripline.service
ok "and has its unit" test -f /usr/lib/systemd/system/tripline.service
ok "copyright, README and changelog are there" \
  sh -c 'cd /usr/share/doc/tripline && test -s copyright && test -s README.md && zgrep -q ^tripline changelog.gz'
if "$binary" man "$work/man" >/dev/null 2>&1; then
  ok "a manual page is there" test -s /usr/share/man/man1/tripline.1.gz
fi
if "$binary" completions bash >/dev/null 2>&1; then
  ok "completions are there" test -s /usr/share/bash-completion/completions/tripline
fi
tripline check --config $config >"$work/check" 2>&1
ok "the default has no other problem than that it watches nothing" sh -c "
  grep -q 'no-source' '$work/check' && ! grep '^error' '$work/check'"
ok "so the service is not started" not condition
if [ -d /run/systemd/system ]; then
  ok "and does not run" not systemctl --quiet is-active tripline
  ok "and has not failed" not systemctl --quiet is-failed tripline
fi

echo "upgrade"
cat >$config <<'END'
# mine
state_dir = "/var/lib/tripline"
rules     = ["rules/*.toml"]
END
cp $config "$work/mine"
echo "# a rule of mine" >/etc/tripline/rules/mine.toml
ok "with another configuration it is started" condition
# As DynamicUser= lays it.
mkdir -p /var/lib/private/tripline
touch /var/lib/private/tripline/state.redb
ln -s private/tripline /var/lib/tripline
# No terminal, no question: what is there is kept, as unattended upgrades do it.
ok "it upgrades" quietly dpkg --force-confdef --force-confold -i "$second"
ok "to the next version" same "$(dpkg-query -W -f '${Version}' tripline)" "$(version_of "$second")"
ok "the edited configuration is kept" cmp $config "$work/mine"
ok "the new default lies beside it" grep -q "a new default" $config.dpkg-dist
ok "the rule is kept" test -f /etc/tripline/rules/mine.toml
ok "the state is kept" test -f /var/lib/tripline/state.redb
ok "it goes back to the first version" quietly dpkg --force-confdef --force-confold -i "$first"

echo "remove"
ok "it is removed" quietly dpkg -r tripline
ok "the program is gone" not test -e /usr/bin/tripline
ok "the unit is gone" not test -e /usr/lib/systemd/system/tripline.service
ok "the configuration is kept" cmp $config "$work/mine"
ok "the state is kept" test -f /var/lib/tripline/state.redb

echo "purge"
ok "it is installed once more" quietly dpkg --force-confdef --force-confold -i "$first"
packs=no
if "$binary" packs --write /etc/tripline/rules sshd >/dev/null 2>&1; then packs=yes; fi
ok "it is purged" quietly dpkg -P tripline
ok "the rule that somebody made is kept" test -f /etc/tripline/rules/mine.toml
ok "and that is told" grep -q mine.toml "$work/log"
if [ $packs = yes ]; then
  ok "the rules that were written as they are shipped are gone" not test -e /etc/tripline/rules/sshd.toml
fi
ok "the configuration is gone" not test -e $config
ok "the state is gone" not test -e /var/lib/private/tripline
rm -r /etc/tripline
machine >"$work/after"
ok "and nothing else is left" diff "$work/before" "$work/after"

ok "what was never configured installs" quietly dpkg -i "$first"
ok "and goes" quietly dpkg -P tripline
machine >"$work/after"
ok "as if it had never been there" diff "$work/before" "$work/after"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
