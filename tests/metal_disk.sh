#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# metal_disk.sh DISK BASE HINODE [systemd]: the disk of the server that tests/metal_server_test.c
# emulates: hugebench, two kernels (directories with bzImage and config), busybox, and this machine's
# systemd. From the top of the tree.
set -e
disk=$1
stage=$disk.stage
mkdir -p "$stage/usr/bin" "$stage/usr/sbin" "$stage/usr/lib" "$stage/usr/lib64" "$stage/boot" \
	"$stage/etc/systemd/system" "$stage/dev" "$stage/proc" "$stage/sys" "$stage/tmp" \
	"$stage/root/workloads" "$stage/root/build" "$stage/var/lib" "$stage/var/log" "$stage/run"
for dir in bin sbin lib lib64; do
	ln -s "usr/$dir" "$stage/$dir"
done
install -m 755 tests/metal_server.sh "$stage/usr/sbin/metal-server"
cp tests/metal.ini "$stage/root/"
cp build/hugebench build/hugebench-agent "$stage/root/build/"
cp -r workloads/scenarios "$stage/root/workloads/"
ln -s /root/build/hugebench "$stage/bin/hugebench"
cp "$(command -v busybox)" "$stage/bin/"
for name in sh mount umount mkdir sed grep sleep killall touch ls sync cp cat; do
	ln -s busybox "$stage/bin/$name"
done
for arm in "base $2" "hinode $3"; do
	cp "${arm#* }/bzImage" "$stage/boot/vmlinuz-${arm%% *}"
	cp "${arm#* }/config" "$stage/boot/config-${arm%% *}"
done
if [ "$4" ]; then
	cp -a /usr/lib/systemd "$stage/usr/lib/"
	[ "$(readlink -f /lib)" = /usr/lib ] || cp -a /lib/systemd "$stage/usr/lib/"
	rm -rf "$stage"/usr/lib/systemd/system/dbus* "$stage"/usr/lib/systemd/system/*getty*
	cp "$(command -v systemctl)" "$(command -v journalctl)" "$stage/bin/"
	ln -s /lib/systemd/systemd "$stage/sbin/init"
	echo root:x:0:0:root:/root:/bin/sh >"$stage/etc/passwd"
	echo root:x:0: >"$stage/etc/group"
	echo 00112233445566778899aabbccddeeff >"$stage/etc/machine-id"
	cp tests/metal_units/*.service "$stage/etc/systemd/system/"
	mkdir "$stage/etc/systemd/system/multi-user.target.wants" \
		"$stage/etc/systemd/system/hugebench-metal.service.d"
	ln -s ../server.service "$stage/etc/systemd/system/multi-user.target.wants/"
	ln -s /lib/systemd/system/multi-user.target "$stage/etc/systemd/system/default.target"
	printf '[Unit]\nWants=disturb.service\n' \
		>"$stage/etc/systemd/system/hugebench-metal.service.d/test.conf"
else
	ln -s metal-server "$stage/usr/sbin/init"
	mv "$stage/root/build/hugebench" "$stage/root/build/hugebench-program"
	install -m 755 tests/metal_as_init.sh "$stage/root/build/hugebench"
fi
find "$stage" -type f -perm -100 -exec ldd {} + 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
	while read -r file; do
		case $file in "$stage"*) continue ;; esac
		mkdir -p "$stage/$(dirname "$file")"
		cp -L "$file" "$stage/$file"
	done
mke2fs -q -F -t ext4 -b 4096 -d "$stage" "$disk" 1G
rm -r "$stage"
