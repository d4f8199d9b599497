#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# On the server that tests/metal_server_test.c emulates: a service of systemd, or process 1 where the
# disk has no systemd, which then does its part. Words on the command line: test.panic, test.hang and
# test.power, the cells that are disturbed (a shell pattern each).
export PATH=/usr/sbin:/usr/bin HOME=/root

word() { sed -n "s/.*$1=\([^ ]*\).*/\1/p" /proc/cmdline; }

# In an arm's kernel: once it is at work, in the middle of its cell.
disturb() {
	cell=$(word hugebench.metal)
	for kind in panic hang power; do
		case $cell in
		$(word "test.$kind"))
			until grep -q '"measuring": true' /var/lib/hugebench/metal/state.json; do sleep 1; done
			sleep 3
			echo "test: $kind" >/dev/ttyS0
			case $kind in
			panic) echo c >/proc/sysrq-trigger ;;
			hang) killall -STOP hugebench hugebench-program hugebench-agent ;;
			esac
			;;
		esac
	done
}

run="hugebench metal -s /root/metal.ini -k /boot/vmlinuz-base,/boot/vmlinuz-hinode --results /root/results --yes"

leftovers() {
	for file in /var/lib/hugebench/* /etc/systemd/system/hugebench-metal.service \
		/etc/systemd/system/*.wants/hugebench-metal.service; do
		[ -e "$file" ] && echo "left: $file"
	done
}

# A run whose results are gone.
stop() {
	mkdir -p /var/lib/hugebench/metal
	echo '{"format": 1, "results": "/nowhere", "run": "gone", "arms": {}}' \
		>/var/lib/hugebench/metal/state.json
	hugebench metal --continue
	hugebench metal --status
	hugebench doctor | grep 'has stopped'
	hugebench metal --abort
}

# What a power cut in the middle of tidying up leaves: kernels and the unit, no state.
tidy() {
	mkdir -p /var/lib/hugebench/metal /etc/systemd/system
	touch /var/lib/hugebench/metal/vmlinuz-base /etc/systemd/system/hugebench-metal.service
	hugebench doctor | grep -A 1 '^warn *metal'
	hugebench doctor --restore
	leftovers
	hugebench doctor | grep '^warn *metal'
	hugebench doctor --restore
}

# A run that is given up before its first boot.
give_up() {
	$run --name given-up --pause 10m $1 &
	until [ -e /var/lib/hugebench/metal/state.json ]; do sleep 1; done
	hugebench metal --status
	hugebench doctor | grep -A 1 '^warn *metal'
	$run --name second $1
	echo "second: $?"
	hugebench doctor --restore
	hugebench metal --abort
	wait $!
	echo "given up: $?"
	leftovers
	hugebench metal --status
	echo "none: $?"
}

first() {
	touch /root/begun
	stop >/root/stopped 2>&1
	tidy >/root/tidied 2>&1
	give_up $1 >/root/given-up 2>&1
	$run --name metal --pause 0s $1
	echo $? >/root/status
}

the_end() {
	leftovers >/root/left
	sync
	echo o >/proc/sysrq-trigger
	sleep 60
}

# What systemd does on other servers, on the own kernel alone. Where a boot follows, nobody comes back
# from this.
init() {
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t pstore pstore /sys/fs/pstore
	mount -t tmpfs -o mode=1777 tmpfs /tmp
	mkdir -p /dev/shm /dev/hugepages
	mount -t hugetlbfs hugetlbfs /dev/hugepages
	mount -t tmpfs tmpfs /dev/shm
	if [ -e /var/lib/hugebench/metal ]; then
		hugebench metal --continue
		echo $? >/root/status
	else
		first '--no-unit --as-init'
	fi >>/root/output 2>&1
	the_end
}

case $1 in
disturb) disturb ;;
serve)
	[ -e /root/begun ] || first >>/root/output 2>&1
	while [ -e /var/lib/hugebench/metal ]; do sleep 1; done
	sleep 3
	the_end
	;;
*) init ;;
esac
