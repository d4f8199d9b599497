/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel needs to find this machine's root by itself. */
#ifndef HB_ROOT_DISK_H
#define HB_ROOT_DISK_H

#include <jansson.h>

#include "bench/base/util.h"

struct root_disk {
	char *name;	/* "nvme0n1p2" */
	char *argument; /* for root=, as a kernel without an initramfs takes it */
	json_t *needs;	/* CONFIG_ symbols of its file system and drivers, as far as known */
};

/*
 * Look at "/". -ENOTSUP: without an initramfs no kernel can find it (LVM, RAID, encryption, network
 * file system); the message says why. Release with root_disk_free() either way.
 */
int root_disk_find(struct root_disk *d, struct hb_error *e);
/*
 * The same of a block device: @device its directory below /sys/devices, @partuuids the directory
 * /dev/disk/by-partuuid, @filesystem "ext4".
 */
int root_disk_read(const char *device, const char *partuuids, const char *filesystem,
		   struct root_disk *d, struct hb_error *e);
void root_disk_free(struct root_disk *d);
/*
 * Is the directory @path on a disk of this machine? -EINVAL: it would not be there, or not last, in
 * another boot (tmpfs, overlay, network file systems).
 */
int root_disk_holds(const char *path, struct hb_error *e);

#endif
