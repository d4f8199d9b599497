// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/host/root_disk.h"

/* A driver's name in sysfs, or a file system's, and what has to be =y for it. */
static const struct {
	const char *name, *symbol;
} symbols[] = {
	{"ahci", "CONFIG_SATA_AHCI"},
	{"ata_piix", "CONFIG_ATA_PIIX"},
	{"btrfs", "CONFIG_BTRFS_FS"},
	{"ext4", "CONFIG_EXT4_FS"},
	{"hpsa", "CONFIG_SCSI_HPSA"},
	{"megaraid_sas", "CONFIG_MEGARAID_SAS"},
	{"mpt3sas", "CONFIG_SCSI_MPT3SAS"},
	{"nvme", "CONFIG_BLK_DEV_NVME"},
	{"sd", "CONFIG_BLK_DEV_SD"},
	{"smartpqi", "CONFIG_SCSI_SMARTPQI"},
	{"virtio-pci", "CONFIG_VIRTIO_PCI"},
	{"virtio_blk", "CONFIG_VIRTIO_BLK"},
	{"virtio_scsi", "CONFIG_SCSI_VIRTIO"},
	{"vmd", "CONFIG_VMD"},
	{"xen-blkfront", "CONFIG_XEN_BLKDEV_FRONTEND"},
	{"xfs", "CONFIG_XFS_FS"},
};

/* Names that are not here have no symbol that is known: buses, bridges. */
static int need(struct root_disk *d, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (!strcmp(symbols[i].name, name))
			return json_array_append_new(d->needs, json_string(symbols[i].symbol));
	return 0;
}

/* The drivers of @device and of all above it. */
static int needs_of_drivers(struct root_disk *d, const char *device)
{
	HB_FREE char *path = strdup(device);
	int rc = path ? 0 : -ENOMEM;

	/* With multipath a disk of NVMe hangs below no device of a bus. */
	if (!rc && !strncmp(d->name, "nvme", 4))
		rc = need(d, "nvme");
	for (char *end; !rc && (end = strrchr(path, '/')) && end != path; *end = '\0') {
		HB_FREE char *link = hb_strf("%s/driver", path);
		char to[256];
		ssize_t n = link ? readlink(link, to, sizeof(to) - 1) : -1;

		if (n < 0)
			continue;
		to[n] = '\0';
		rc = need(d, basename(to));
	}
	return rc;
}

/* The name in @partuuids of a link to device @name; owned by the caller, or NULL. */
static char *partuuid_find(const char *partuuids, const char *name)
{
	DIR *dir = opendir(partuuids);
	struct dirent *entry;
	char *found = NULL;

	while (dir && !found && (entry = readdir(dir))) {
		HB_FREE char *path = hb_strf("%s/%s", partuuids, entry->d_name);
		char to[256];
		ssize_t n = path ? readlink(path, to, sizeof(to) - 1) : -1;

		if (n < 0)
			continue;
		to[n] = '\0';
		if (!strcmp(basename(to), name))
			found = strdup(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int argument_set(struct root_disk *d, const char *partuuids)
{
	HB_FREE char *id = partuuid_find(partuuids, d->name);

	d->argument = id ? hb_strf("PARTUUID=%s", id) : hb_strf("/dev/%s", d->name);
	return d->argument ? 0 : -ENOMEM;
}

int root_disk_read(const char *device, const char *partuuids, const char *filesystem,
		   struct root_disk *d, struct hb_error *e)
{
	static const char *const layered[] = {"dm-", "md", "loop", "bcache", "zram", "drbd"};
	const char *name = strrchr(device, '/');

	*d = (struct root_disk){.needs = json_array()};
	d->name = strdup(name ? name + 1 : device);
	if (!d->needs || !d->name)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < ARRAY_SIZE(layered); i++)
		if (!strncmp(d->name, layered[i], strlen(layered[i])))
			return hb_error_set(e, -ENOTSUP,
					    "the root is on %s, which is put together of other "
					    "devices",
					    d->name);
	if (need(d, filesystem) || needs_of_drivers(d, device) || argument_set(d, partuuids))
		return hb_error_set(e, -ENOMEM, "no memory");
	return 0;
}

/* The type of the file system at "/", "ext4"; what is mounted last holds. */
static int root_type(char type[32], struct hb_error *e)
{
	FILE *in = fopen("/proc/self/mounts", "re");
	char line[4096], where[256], what[32];

	*type = '\0';
	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "%*s %255s %31s", where, what) == 2 && !strcmp(where, "/"))
			memcpy(type, what, sizeof(what));
	if (in)
		fclose(in);
	return *type ? 0 : hb_error_set(e, -EIO, "/proc/self/mounts has no root");
}

int root_disk_find(struct root_disk *d, struct hb_error *e)
{
	HB_FREE char *link = NULL, *device = NULL;
	char type[32];
	struct stat st;
	int rc = root_type(type, e);

	*d = (struct root_disk){0};
	if (rc)
		return rc;
	if (stat("/", &st))
		return hb_error_set(e, -errno, "/: %s", strerror(errno));
	link = hb_strf("/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	device = link ? realpath(link, NULL) : NULL;
	if (!device)
		return hb_error_set(e, -ENOTSUP, "the root, %s, is on no single block device",
				    type);
	return root_disk_read(device, "/dev/disk/by-partuuid", type, d, e);
}

void root_disk_free(struct root_disk *d)
{
	free(d->name);
	free(d->argument);
	json_decref(d->needs);
	*d = (struct root_disk){0};
}

int root_disk_holds(const char *path, struct hb_error *e)
{
	static const struct {
		unsigned int magic;
		const char *name;
	} elsewhere[] = {
		{TMPFS_MAGIC, "tmpfs"},	  {RAMFS_MAGIC, "ramfs"},
		{NFS_SUPER_MAGIC, "NFS"}, {OVERLAYFS_SUPER_MAGIC, "overlay"},
		{V9FS_MAGIC, "9p"},	  {0xff534d42, "CIFS"},
		{0xfe534d42, "SMB"},	  {FUSE_SUPER_MAGIC, "FUSE"},
	};
	struct statfs fs;

	if (statfs(path, &fs))
		return hb_error_set(e, -errno, "%s: %s", path, strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if ((unsigned int)fs.f_type == elsewhere[i].magic)
			return hb_error_set(
				e, -EINVAL,
				"%s is on %s; while another kernel is booted it has to be "
				"on a disk of this machine",
				path, elsewhere[i].name);
	return 0;
}
