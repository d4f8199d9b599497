#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Process 1 of the server that tests/metal_server_test.c emulates, in the place of systemd: at every
# boot `hugebench metal --continue`. On the command line:
# test.panic, test.hang and test.power, the cells to be disturbed (a shell pattern each).
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t pstore pstore /sys/fs/pstore
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm

word() { sed -n "s/.*$1=\([^ ]*\).*/\1/p" /proc/cmdline; }

# Once the arm is at work, in the middle of its cell.
disturb() {
	until grep -q '"measuring": true' /var/lib/hugebench/metal/state.json; do sleep 1; done
	sleep 8
	echo "test: $1" >/dev/ttyS0
	case $1 in
	panic) echo c >/proc/sysrq-trigger ;;
	hang) killall -STOP hugebench hugebench-agent ;;
	esac
}

cell=$(word hugebench.metal)
for kind in panic hang power; do
	pattern=$(word "test.$kind")
	case $cell in
	'') ;;
	$pattern) disturb $kind & ;;
	esac
done

if [ -e /var/lib/hugebench/metal ]; then
	hugebench metal --continue
elif [ ! -e /root/begun ]; then
	touch /root/begun
	hugebench metal -s /root/metal.ini -k /boot/vmlinuz-base,/boot/vmlinuz-hinode --name metal \
		--results /root/results --pause 0s --no-unit --yes
else
	hugebench metal --status
fi >>/root/output 2>&1
echo $? >/root/status
# Here only when nothing boots: the end of the run, or an error.
ls -A /var/lib/hugebench >/root/left
uname -v >/root/kernel
sync
echo o >/proc/sysrq-trigger
sleep 60
