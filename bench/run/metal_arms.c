// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernels of `hugebench metal` on this machine's root. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/kconfig.h"
#include "bench/host/child.h"
#include "bench/host/kexec.h"
#include "bench/host/root_disk.h"
#include "bench/run/metal_arms.h"

#define INSTALLED "/vmlinuz-"

char *metal_initrd(const char *bzimage)
{
	/* Debian's name, and that of dracut. */
	static const char *const forms[][2] = {{"initrd.img-", ""}, {"initramfs-", ".img"}};
	const char *name = strrchr(bzimage, '/');

	if (!name || strncmp(name, INSTALLED, strlen(INSTALLED)))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		char *path = hb_strf("%.*s/%s%s%s", (int)(name - bzimage), bzimage, forms[i][0],
				     name + strlen(INSTALLED), forms[i][1]);

		if (path && !access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

/* Without an initramfs drivers and file system are in the image, or the root is not found. */
static int finds_root(const struct kernel *k, const struct root_disk *root, struct hb_error *e)
{
	HB_FREE char *missing = strdup("");
	const json_t *symbol;
	size_t i;

	json_array_foreach (root->needs, i, symbol) {
		HB_FREE char *before = HB_STEAL(missing);

		missing = kconfig_builtin(k->settings, json_string_value(symbol))
				  ? strdup(before)
				  : hb_strf("%s%s%s=y", before, *before ? ", " : "",
					    json_string_value(symbol));
		if (!missing)
			return hb_error_set(e, -ENOMEM, "no memory");
	}
	return *missing ? hb_error_set(e, -EINVAL,
				       "kernel %s cannot find this machine's root, %s: it lacks "
				       "%s, and there is no initramfs beside its image; the "
				       "variants metal-* have the drivers of servers, an installed "
				       "kernel, /boot/vmlinuz-..., has its initramfs",
				       k->name, root->name, missing)
			: 0;
}

/* Copy @from into @directory under the arm's name; *@to owned by the caller. */
static int keep(const char *from, const char *directory, const char *name, const char *kind,
		char **to, struct hb_error *e)
{
	char *argv[] = {"cp", "-L", (char *)from, NULL, NULL};

	*to = hb_strf("%s/%s.%s", directory, name, kind);
	argv[3] = *to;
	if (!*to)
		return hb_error_set(e, -ENOMEM, "no memory");
	return child_do(argv, -1) ? hb_error_set(e, -EIO, "cannot copy %s to %s", from, *to) : 0;
}

static int arm_make(const struct run *r, const struct kernel *k, const char *directory,
		    const char *more, json_t *arms, struct hb_error *e)
{
	HB_FREE char *found = metal_initrd(k->bzimage), *image = NULL, *initrd = NULL;
	HB_FREE char *running = NULL, *line = NULL;
	HB_FREE char *own = run_arguments(r);
	HB_FREE char *all = own ? hb_strf("%s%s%s", own, *own ? " " : "", more) : NULL;
	struct root_disk root = {0};
	int rc = hb_file_read("/proc/cmdline", &running, NULL);

	if (rc)
		return hb_error_set(e, rc, "/proc/cmdline: %s", strerror(-rc));
	if (!found)
		rc = root_disk_find(&root, e) ?: finds_root(k, &root, e);
	if (rc == -ENOTSUP)
		hb_error_prefix(e, rc, "kernel %s has no initramfs beside its image and needs one",
				k->name);
	line = rc || !all ? NULL : kexec_command_line(running, root.argument, all);
	root_disk_free(&root);
	if (!rc && !line)
		rc = hb_error_set(e, -ENOMEM, "no memory");
	if (!rc)
		rc = keep(k->bzimage, directory, k->name, "image", &image, e);
	if (!rc && found)
		rc = keep(found, directory, k->name, "initrd", &initrd, e);
	if (!rc)
		rc = kexec_load(image, initrd, line, e);
	if (rc)
		return rc;
	kexec_unload();
	return json_object_set_new(arms, k->name,
				   json_pack("{s:s, s:s*, s:s}", "image", image, "initrd", initrd,
					     "command_line", line))
		       ? hb_error_set(e, -ENOMEM, "no memory")
		       : 0;
}

int metal_arms(const struct run *r, const char *directory, const char *more, json_t **arms,
	       struct hb_error *e)
{
	int rc = 0;

	*arms = json_object();
	for (size_t i = 0; i < r->nkernels && !rc; i++)
		rc = r->kernels[i].broken ? hb_error_set(e, -EINVAL, "%s", r->kernels[i].broken)
					  : arm_make(r, &r->kernels[i], directory, more, *arms, e);
	return rc;
}
