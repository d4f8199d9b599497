#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# hugebench on the disk of tests/metal_server_test.c without systemd. As process 1 of an arm it has a
# child that disturbs, as it would have none otherwise.
if [ $$ = 1 ]; then
	(
		until [ -e /proc/cmdline ]; do sleep 1; done
		sh /usr/sbin/metal-server disturb
	) &
fi
exec -a "$0" /root/build/hugebench-program "$@"
