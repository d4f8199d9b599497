// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/base/kconfig.h"
#include "bench/build/cpio.h"
#include "bench/build/modules.h"
#include "bench/host/child.h"

/* Modules of the devices that vm.c gives a guest, and of what workloads need; a kernel may have any
 * of them built in or not at all. */
static const struct {
	const char *symbol, *module;
} wanted[] = {
	{"CONFIG_VIRTIO_PCI", "virtio_pci"},
	{"CONFIG_VIRTIO_CONSOLE", "virtio_console"},
	{"CONFIG_VIRTIO_BLK", "virtio_blk"},
	{"CONFIG_EXT4_FS", "ext4"},
	{"CONFIG_ACPI_NFIT", "nfit"},
	{"CONFIG_BLK_DEV_PMEM", "nd_pmem"},
	{"CONFIG_PVPANIC", "pvpanic"},
	{"CONFIG_PVPANIC_MMIO", "pvpanic-mmio"},
	{"CONFIG_HWPOISON_INJECT", "hwpoison-inject"},
};

/* Without one of these a guest does not come as far as to say hello. */
static const char *const needed[] = {
	"CONFIG_64BIT",	       "CONFIG_BLK_DEV_INITRD", "CONFIG_BINFMT_ELF",
	"CONFIG_PCI",	       "CONFIG_VIRTIO_PCI",	"CONFIG_VIRTIO_CONSOLE",
	"CONFIG_PROC_FS",      "CONFIG_SYSFS",		"CONFIG_TMPFS",
	"CONFIG_DEVTMPFS",     "CONFIG_HUGETLBFS",	"CONFIG_SERIAL_8250_CONSOLE",
	"CONFIG_MEMFD_CREATE", "CONFIG_UNIX",		"CONFIG_FUTEX",
};

struct packing {
	const char *base, *version;
	FILE *out;
	json_t *packed; /* keys: paths that are in the archive */
};

/* The file @path as it goes into the kernel: unpacked. */
static int read_module(const char *path, char **data, size_t *size)
{
	static const struct {
		const char *end, *program;
	} kinds[] = {{".xz", "xz"}, {".zst", "zstd"}, {".gz", "gzip"}};
	HB_CLOSE int out = -1;
	HB_FREE char *memory = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *argv[] = {(char *)kinds[i].program, "-dc", (char *)path, NULL};
		const char *end = strrchr(path, '.');

		if (!end || strcmp(end, kinds[i].end))
			continue;
		out = memfd_create("module", MFD_CLOEXEC);
		memory = hb_strf("/proc/self/fd/%d", out);
		if (out < 0 || !memory || child_do(argv, out))
			return -EIO;
		return hb_file_read(memory, data, size);
	}
	return hb_file_read(path, data, size);
}

/* "/x/virtio_ring.ko.xz" -> "virtio_ring.ko", with its turn before it */
static char *archive_name(const char *path, size_t turn)
{
	const char *base = strrchr(path, '/') + 1;
	const char *end = strstr(base, ".ko");

	return hb_strf("modules/%02zu-%.*s.ko", turn, (int)(end ? end - base : 0), base);
}

static int pack_file(struct packing *p, const char *path)
{
	HB_FREE char *name = NULL, *data = NULL;
	size_t size;
	int rc;

	if (json_object_get(p->packed, path))
		return 0;
	name = archive_name(path, json_object_size(p->packed));
	rc = name ? read_module(path, &data, &size) : -ENOMEM;
	if (!rc)
		rc = cpio_add(p->out, name, S_IFREG | 0444, data, size);
	return rc || !json_object_set_new(p->packed, path, json_true()) ? rc : -ENOMEM;
}

/* Pack @module and what it depends on, as modprobe has it: "insmod PATH ". 1: packed; 0: there is
 * no such module, or it is built in. */
static int pack_module(struct packing *p, const char *module)
{
	char *argv[] = {
		"modprobe",	"-S", (char *)p->version, "-d", (char *)p->base, "--show-depends",
		(char *)module, NULL};
	const struct child c = {.env = NULL};
	HB_FREE char *text = NULL;
	char *save = NULL;
	int rc = child_capture(&c, argv, &text);

	if (rc)
		return rc == 127 ? -ENODEV : rc < 0 ? rc : 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *path = line + strlen("insmod ");

		if (strncmp(line, "insmod ", strlen("insmod ")))
			continue;
		path[strcspn(path, " ")] = 0;
		rc = pack_file(p, path);
		if (rc)
			return rc;
	}
	return 1;
}

/* depmod's index is made when the package is installed, not by unpacking it. */
static int make_index(const char *base, const char *version)
{
	HB_FREE char *index = hb_strf("%s/lib/modules/%s/modules.dep", base, version);
	char *argv[] = {"depmod", "-b", (char *)base, (char *)version, NULL};
	const struct child c = {.env = NULL};
	int rc;

	if (!index || !access(index, R_OK))
		return index ? 0 : -ENOMEM;
	rc = child_run(&c, argv, NULL, NULL);
	return rc == 127 ? -ENODEV : rc > 0 ? -EIO : rc;
}

static int pack_all(struct packing *p, json_t *loaded)
{
	int rc = make_index(p->base, p->version);

	if (!rc)
		rc = cpio_add(p->out, "modules", S_IFDIR | 0755, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted) && rc >= 0; i++) {
		rc = pack_module(p, wanted[i].module);
		if (rc == 1 && json_array_append_new(loaded, json_string(wanted[i].symbol)))
			rc = -ENOMEM;
	}
	return rc < 0 ? rc : cpio_end(p->out);
}

int modules_pack(const char *base, const char *version, const char *path, json_t **loaded,
		 struct hb_error *e)
{
	HB_FREE char *dir = hb_strf("%s/lib/modules/%s", base, version);
	HB_FCLOSE FILE *out = fopen(path, "we");
	struct packing p = {.base = base, .version = version, .out = out, .packed = json_object()};
	int rc;

	*loaded = json_array();
	if (!out || !dir || !p.packed || !*loaded)
		rc = hb_error_set(e, -errno, "cannot write %s: %s", path, strerror(errno));
	else if (access(dir, R_OK))
		rc = hb_error_set(e, -ENODEV, "there is no %s", dir);
	else if ((rc = pack_all(&p, *loaded)) == -ENODEV)
		hb_error_set(e, rc, "modprobe or depmod is missing; apt-get install kmod");
	else if (rc)
		hb_error_set(e, rc, "cannot pack the modules of %s: %s", dir, strerror(-rc));
	json_decref(p.packed);
	if (rc) {
		json_decref(*loaded);
		*loaded = NULL;
	}
	return rc;
}

int modules_check(const char *name, const json_t *config, const json_t *loaded, struct hb_error *e)
{
	char missing[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!kconfig_has(config, needed[i], loaded) && n < sizeof(missing))
			n += snprintf(missing + n, sizeof(missing) - n, " %s", needed[i]);
	if (!n)
		return 0;
	return hb_error_set(
		e, -EINVAL,
		"kernel %s cannot run a guest: it has not, or only as a module that is not "
		"loaded:%s",
		name, missing);
}
