#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Process 1 of the outer guest of tests/e2e_kvm_test.c. Its root is the host's, read-only by 9p: a
# copy that can be written is laid over it. Runs $job in it; output and status go to "results".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
mount -t proc proc /mnt/root/proc
mount -t sysfs sysfs /mnt/root/sys
mount -t devtmpfs devtmpfs /mnt/root/dev
mount -t tmpfs -o mode=1777 tmpfs /mnt/root/run
mkdir /mnt/root/run/results
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 results /mnt/root/run/results
chroot /mnt/root /bin/sh -c "$job" >/mnt/root/run/results/output 2>&1
echo $? >/mnt/root/run/results/status
sync
echo o >/mnt/root/proc/sysrq-trigger
sleep 60
