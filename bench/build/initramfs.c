// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/build/cpio.h"
#include "bench/build/elfinfo.h"
#include "bench/build/initramfs.h"
#include "bench/host/paths.h"

/* The library that glibc itself loads when a thread is cancelled; no file names it. */
static int add_unwinder(json_t *files, struct hb_error *e)
{
	static const char guest[] = "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1";

	if (json_object_get(files, guest) || access(guest, R_OK))
		return 0;
	return elf_closure(guest, NULL, NULL, files, e);
}

static int add_selftests(json_t *files, struct hb_error *e)
{
	HB_FREE char *dir = paths_beside("selftests");
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *entry;
	int rc = dir ? 0 : -ENOMEM;

	while (d && !rc && (entry = readdir(d))) {
		HB_FREE char *guest = hb_strf("/selftests/%s", entry->d_name);
		HB_FREE char *host = hb_strf("%s/%s", dir, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		if (!guest || !host || json_object_set_new(files, guest, json_string(host)))
			rc = -ENOMEM;
	}
	if (d)
		closedir(d);
	return rc ? hb_error_set(e, rc, "out of memory") : 0;
}

static int agent_digest(struct agent_files *a, struct hb_error *e)
{
	struct digest *d = digest_begin();
	const char *guest;
	json_t *host;
	int rc;

	digest_file(d, "agent", a->agent);
	json_object_foreach (a->libraries, guest, host)
		digest_file(d, guest, json_string_value(host));
	rc = digest_end(d, a->hash);
	return rc ? hb_error_set(e, rc, "cannot read the agent or a library of it: %s",
				 strerror(-rc))
		  : 0;
}

int agent_files_find(struct agent_files *a, bool selftests, struct hb_error *e)
{
	int rc;

	*a = (struct agent_files){.agent = paths_beside("hugebench-agent"),
				  .libraries = json_object()};
	if (!a->agent || !a->libraries)
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	else if (access(a->agent, R_OK))
		rc = hb_error_set(e, -ENODEV, "%s is missing; make all", a->agent);
	else
		rc = elf_closure(a->agent, NULL, NULL, a->libraries, e);
	if (!rc)
		rc = add_unwinder(a->libraries, e);
	if (!rc && selftests)
		rc = add_selftests(a->libraries, e);
	if (!rc) {
		json_object_del(a->libraries, a->agent);
		rc = agent_digest(a, e);
	}
	if (rc)
		agent_files_free(a);
	return rc;
}

void agent_files_free(struct agent_files *a)
{
	free(a->agent);
	json_decref(a->libraries);
	*a = (struct agent_files){0};
}

/* Add the directories above @name ("usr/lib/x") that @made does not have yet. */
static int add_parents(FILE *out, const char *name, json_t *made)
{
	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		HB_FREE char *dir = strndup(name, p - name);
		int rc;

		if (!dir)
			return -ENOMEM;
		if (json_object_get(made, dir))
			continue;
		rc = cpio_add(out, dir, S_IFDIR | 0755, NULL, 0);
		if (rc)
			return rc;
		if (json_object_set_new(made, dir, json_true()))
			return -ENOMEM;
	}
	return 0;
}

static int add_files(FILE *out, const json_t *files, json_t *made)
{
	const char *guest;
	json_t *host;
	int rc = made ? 0 : -ENOMEM;

	json_object_foreach ((json_t *)files, guest, host) {
		if (!rc)
			rc = add_parents(out, guest + 1, made);
		if (!rc)
			rc = cpio_add_file(out, guest + 1, 0755, json_string_value(host));
	}
	return rc;
}

static int write_base(FILE *out, const struct agent_files *a, json_t *made)
{
	static const char *const dirs[] = {"dev", "proc", "sys", "run"};
	int rc = cpio_add(out, "tmp", S_IFDIR | 01777, NULL, 0);

	for (size_t i = 0; !rc && i < ARRAY_SIZE(dirs); i++)
		rc = cpio_add(out, dirs[i], S_IFDIR | 0755, NULL, 0);
	/* The kernel opens it for init before anything can be mounted. */
	if (!rc)
		rc = cpio_add_node(out, "dev/console", S_IFCHR | 0600, 5, 1);
	if (!rc)
		rc = add_files(out, a->libraries, made);
	return rc ? rc : cpio_add_file(out, "init", 0755, a->agent);
}

static int write_database(FILE *out, const struct hostpg *pg, const struct database *db,
			  json_t *made)
{
	const char *name = DATABASE_GUEST_PATH + 1;
	int rc = add_files(out, pg->files, made);

	if (!rc)
		rc = add_parents(out, name, made);
	return rc ? rc : cpio_add_tree(out, name, db->directory, db->uid, db->gid);
}

static int finish(FILE *out, int rc, const char *path, struct hb_error *e)
{
	if (fclose(out) && !rc)
		rc = -errno;
	return rc ? hb_error_set(e, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}

int initramfs_write(const struct agent_files *a, const struct hostpg *pg, const struct database *db,
		    const char *path, struct hb_error *e)
{
	json_t *made = json_object(); /* directories that are in it */
	FILE *out = fopen(path, "we");
	int rc;

	if (!out) {
		rc = -errno;
		json_decref(made);
		return hb_error_set(e, rc, "cannot write %s: %s", path, strerror(-rc));
	}
	rc = write_base(out, a, made);
	if (!rc && pg && db)
		rc = write_database(out, pg, db, made);
	if (!rc)
		rc = cpio_end(out);
	json_decref(made);
	return finish(out, rc, path, e);
}

int initramfs_write_addition(const json_t *files, const char *script_name, const char *script,
			     const char *path, struct hb_error *e)
{
	FILE *out = fopen(path, "we");
	json_t *made;
	int rc;

	if (!out)
		return hb_error_set(e, -errno, "cannot write %s: %s", path, strerror(errno));
	made = json_object();
	rc = add_files(out, files, made);
	json_decref(made);
	if (!rc)
		rc = cpio_add(out, script_name, S_IFREG | 0755, script, strlen(script));
	if (!rc)
		rc = cpio_end(out);
	return finish(out, rc, path, e);
}
