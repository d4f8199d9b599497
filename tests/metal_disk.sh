#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# metal_disk.sh DISK BASE HINODE: the disk of the server that tests/metal_server_test.c emulates,
# with hugebench, two kernels (directories with bzImage and .config) and busybox. From the top of
# the tree.
set -e
disk=$1
stage=$disk.stage
mkdir -p "$stage/bin" "$stage/sbin" "$stage/boot" "$stage/etc" "$stage/dev" "$stage/proc" "$stage/sys" \
	"$stage/tmp" "$stage/root/workloads" "$stage/root/build" "$stage/var/lib" "$stage/run"
cp tests/metal_server.sh "$stage/sbin/init"
cp tests/metal.ini "$stage/root/"
cp build/hugebench build/hugebench-agent "$stage/root/build/"
cp -r workloads/scenarios "$stage/root/workloads/"
ln -s /root/build/hugebench "$stage/bin/hugebench"
cp "$(command -v busybox)" "$stage/bin/"
for name in sh mount mkdir sed grep sleep killall touch ls uname sync cp cat; do
	ln -s busybox "$stage/bin/$name"
done
for arm in "base $2" "hinode $3"; do
	cp "${arm#* }/bzImage" "$stage/boot/vmlinuz-${arm%% *}"
	cp "${arm#* }/config" "$stage/boot/config-${arm%% *}"
done
ldd build/hugebench build/hugebench-agent "$stage/bin/busybox" | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
	while read -r file; do
		mkdir -p "$stage/$(dirname "$file")"
		cp -L "$file" "$stage/$file"
	done
mke2fs -q -F -t ext4 -b 4096 -d "$stage" "$disk" 1G
rm -r "$stage"
