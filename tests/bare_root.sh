#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a newcomer has: a Debian with git and make, a clean clone, an empty home. Makes such a root by
# debootstrap from this machine's own apt sources and runs commands in it (by default README's two).
# The root is removed at the end, mounts and processes go with their namespaces.
#
#	tests/bare_root.sh 12|13 [COMMAND...]
#
# Needs root and the packages debootstrap and util-linux. What is committed is tested, nothing else.
# TMPDIR is where the root is made (10 GiB). KEEP=1 leaves it there. CACHE=DIR stands in for the
# empty cache of the newcomer, to save the building of kernels.
set -eu

usage() { sed -n 's/^#\t/usage: /p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
case $1 in
12) suite=bookworm ;;
13) suite=trixie ;;
*) usage ;;
esac
debian=$1
shift
[ $# -gt 0 ] || set -- 'make bench' 'make test'
[ "$(id -u)" = 0 ] || { echo "$0: needs root for debootstrap and chroot" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "$0: apt-get install debootstrap" >&2; exit 2; }

# The archive of @1 (Debian, Debian-Security) among the machine's sources.
archive() { apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$1 //p" | head -n 1; }
main=$(archive Debian)
security=$(archive Debian-Security)
[ -n "$main" ] || { echo "$0: the apt sources name no Debian archive" >&2; exit 2; }

clone=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d "${TMPDIR:-/var/tmp}/hugebench-debian-$debian.XXXXXX")
chmod 755 "$root" # mktemp makes it private, / is not
trap '[ -n "${KEEP:-}" ] || rm -rf --one-file-system "$root" "$root.log"' EXIT
# unshare takes no notice of these, and what it has started dies with it; until then it keeps mounts.
child=
trap '[ -z "$child" ] || { kill -KILL "$child"; wait "$child"; } || :; exit 130' INT TERM

step() { printf '== Debian %s: %s\n' "$debian" "$1"; }

# Runs @1... in namespaces of its own: its mounts go with its last process, however that ends.
apart() {
	unshare --mount-proc --mount --pid --fork --kill-child "$@" </dev/null &
	child=$!
	rc=0
	wait "$child" || rc=$?
	child=
	return $rc
}

step "debootstrap $suite"
apart debootstrap --variant=minbase "$suite" "$root" "$main" >"$root.log" 2>&1 || { tail "$root.log"; exit 1; }
mv "$root.log" "$root/var/log/debootstrap.log"
# One entry replaces what debootstrap wrote.
: >"$root/etc/apt/sources.list"
{
	printf 'Types: deb\nURIs: %s\nSuites: %s %s-updates\nComponents: main\n' "$main" "$suite" "$suite"
	[ -z "$security" ] || printf '\nTypes: deb\nURIs: %s\nSuites: %s-security\nComponents: main\n' "$security" "$suite"
} >"$root/etc/apt/sources.list.d/debian.sources"
apt-config dump | grep -E '^Acquire::(http|Proxy|Check-|Force)' >"$root/etc/apt/apt.conf.d/90host" || :
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
git clone -q "$clone" "$root/root/hugebench"

# Runs @1 in the root as a login of root would.
inside() {
	apart sh -euc '
		mount --bind "$0" "$0"
		mount -t proc proc "$0/proc"
		mount --rbind /sys "$0/sys"
		mount --rbind /dev "$0/dev"
		if [ -n "${CACHE:-}" ]; then
			mkdir -p "$0/root/.cache/hugebench"
			mount --bind "$CACHE" "$0/root/.cache/hugebench"
		fi
		exec env -i HOME=/root TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			chroot "$0" sh -c "cd /root/hugebench && $1"' "$root" "$1"
}

step 'apt-get install git make'
inside 'apt-get -q update && apt-get -q -y --no-install-recommends install git make' >"$root/var/log/install.log" 2>&1 ||
	{ tail "$root/var/log/install.log"; exit 1; }

status=0
for command; do
	step "$command"
	start=$(date +%s)
	inside "$command" || status=1
	took=$(($(date +%s) - start))
	step "$command: $([ $status = 0 ] && echo done || echo FAILED) after $((took / 60)) m $((took % 60)) s"
	[ $status = 0 ] || break
done
[ -z "${KEEP:-}" ] || step "the root is $root"
exit $status
