// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/elfinfo.h"

/* Where the guest's dynamic linker looks without a cache file. */
#define GUEST_LIB "/usr/lib/x86_64-linux-gnu"

static char *note_hex(const unsigned char *id, size_t len)
{
	char *hex = malloc(2 * len + 1);

	for (size_t i = 0; hex && i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	return hex;
}

/* Find the build-id among the notes of @data. */
static char *find_build_id(Elf_Data *data)
{
	size_t at = 0, name, desc;
	GElf_Nhdr n;

	while (data && (at = gelf_getnote(data, at, &n, &name, &desc)) > 0)
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
		    !memcmp((char *)data->d_buf + name, "GNU", 4))
			return note_hex((unsigned char *)data->d_buf + desc, n.n_descsz);
	return NULL;
}

static int build_id_of_elf(Elf *elf, const char *name, char **hex, struct hb_error *e)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	*hex = NULL;
	if (elf_kind(elf) != ELF_K_ELF)
		return hb_error_set(e, -ENOEXEC, "%s is no ELF file", name);
	while (!*hex && (scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_NOTE)
			*hex = find_build_id(elf_getdata(scn, NULL));
	return *hex ? 0 : hb_error_set(e, -ENODATA, "%s has no build-id", name);
}

int elf_build_id(const char *path, char **hex, struct hb_error *e)
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf;
	int rc;

	if (fd < 0)
		return hb_error_set(e, -errno, "cannot read %s: %s", path, strerror(errno));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	rc = build_id_of_elf(elf, path, hex, e);
	elf_end(elf);
	return rc;
}

int elf_build_id_of(char *data, size_t len, const char *name, char **hex, struct hb_error *e)
{
	Elf *elf;
	int rc;

	elf_version(EV_CURRENT);
	elf = elf_memory(data, len);
	rc = build_id_of_elf(elf, name, hex, e);
	elf_end(elf);
	return rc;
}

/* What the dynamic linker reads of one file. */
struct dynamic {
	char *interpreter; /* or NULL */
	char *runpath;	   /* colon-separated, or NULL */
	json_t *needed;	   /* array of names */
};

static void dynamic_free(struct dynamic *d)
{
	free(d->interpreter);
	free(d->runpath);
	json_decref(d->needed);
}

static void read_dynamic_section(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, struct dynamic *d)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Dyn dyn;

	for (int i = 0; data && gelf_getdyn(data, i, &dyn); i++) {
		const char *text = elf_strptr(elf, sh->sh_link, dyn.d_un.d_val);

		if (dyn.d_tag == DT_NEEDED && text)
			json_array_append_new(d->needed, json_string(text));
		if ((dyn.d_tag == DT_RUNPATH || dyn.d_tag == DT_RPATH) && text && !d->runpath)
			d->runpath = strdup(text);
	}
}

static int read_dynamic(const char *path, struct dynamic *d, struct hb_error *e)
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	Elf *elf;
	int rc = 0;

	*d = (struct dynamic){.needed = json_array()};
	if (fd < 0)
		return hb_error_set(e, -errno, "cannot read %s: %s", path, strerror(errno));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64)
		rc = hb_error_set(e, -ENOEXEC, "%s is no 64-bit ELF file", path);
	while (!rc && (scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;
		size_t names;
		const char *name;

		if (!gelf_getshdr(scn, &sh) || elf_getshdrstrndx(elf, &names))
			continue;
		name = elf_strptr(elf, names, sh.sh_name);
		if (sh.sh_type == SHT_DYNAMIC)
			read_dynamic_section(elf, scn, &sh, d);
		else if (name && !strcmp(name, ".interp") && !d->interpreter &&
			 (data = elf_getdata(scn, NULL)) && data->d_buf)
			d->interpreter = strndup(data->d_buf, data->d_size);
	}
	elf_end(elf);
	return rc;
}

/* DIR/NAME when it can be read; owned by the caller. */
static char *probe(const char *dir, size_t dir_len, const char *name)
{
	char *path = hb_strf("%.*s/%s", (int)dir_len, dir, name);

	if (path && !access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

/* Look along a DT_RUNPATH of the file at @origin. */
static char *find_by_runpath(const char *runpath, const char *origin, const char *name)
{
	char *found = NULL;

	for (const char *p = runpath; p && *p && !found; p += strcspn(p, ":"), p += *p == ':') {
		size_t len = strcspn(p, ":");

		if (!strncmp(p, "$ORIGIN", 7)) {
			HB_FREE char *dir =
				hb_strf("%.*s%.*s", (int)(strrchr(origin, '/') - origin), origin,
					(int)len - 7, p + 7);

			found = dir ? probe(dir, strlen(dir), name) : NULL;
		} else {
			found = probe(p, len, name);
		}
	}
	return found;
}

/* The directories named in /etc/ld.so.conf.d. */
static char *find_by_ld_conf(const char *name)
{
	char *found = NULL;
	glob_t g = {0};

	if (glob("/etc/ld.so.conf.d/*.conf", 0, NULL, &g))
		g.gl_pathc = 0;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		HB_FREE char *text = NULL;

		if (hb_file_read(g.gl_pathv[i], &text, NULL))
			continue;
		for (char *p = text; *p && !found; p += strcspn(p, "\n"), p += *p == '\n')
			if (*p == '/')
				found = probe(p, strcspn(p, " \t\n"), name);
	}
	globfree(&g);
	return found;
}

static char *find_by_directory(const char *const *search, const char *name)
{
	static const char *const system_dirs[] = {"/lib/x86_64-linux-gnu",
						  GUEST_LIB,
						  "/lib64",
						  "/usr/lib64",
						  "/lib",
						  "/usr/lib",
						  NULL};
	char *found = NULL;

	for (; search && *search && !found; search++)
		found = probe(*search, strlen(*search), name);
	for (const char *const *dir = system_dirs; *dir && !found; dir++)
		found = probe(*dir, strlen(*dir), name);
	return found ? found : find_by_ld_conf(name);
}

struct closure {
	const char *prefix;
	const char *const *search;
	json_t *files;
};

static int closure_add(const struct closure *c, const char *guest, const char *host,
		       struct hb_error *e);

/* One DT_NEEDED name of @host. Libraries from a run path stay where they are, others are collected.
 */
static int closure_needed(const struct closure *c, const struct dynamic *d, const char *host,
			  const char *name, struct hb_error *e)
{
	HB_FREE char *by_runpath = find_by_runpath(d->runpath, host, name);
	HB_FREE char *library =
		by_runpath ? strdup(by_runpath) : find_by_directory(c->search, name);
	HB_FREE char *guest = NULL;
	size_t n = c->prefix ? strlen(c->prefix) : 0;

	if (!library)
		return hb_error_set(e, -ENOENT, "%s needs %s, which is nowhere", host, name);
	if (!by_runpath)
		guest = hb_strf(GUEST_LIB "/%s", name);
	else
		guest = strdup(n && !strncmp(library, c->prefix, n) ? library + n : library);
	return guest ? closure_add(c, guest, library, e) : -ENOMEM;
}

static int closure_add(const struct closure *c, const char *guest, const char *host,
		       struct hb_error *e)
{
	struct dynamic d;
	json_t *name;
	size_t i;
	int rc;

	if (json_object_get(c->files, guest))
		return 0;
	if (json_object_set_new(c->files, guest, json_string(host)))
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = read_dynamic(host, &d, e);
	if (!rc && d.interpreter)
		rc = closure_add(c, d.interpreter, d.interpreter, e);
	json_array_foreach (d.needed, i, name)
		if (!rc)
			rc = closure_needed(c, &d, host, json_string_value(name), e);
	dynamic_free(&d);
	return rc;
}

int elf_closure(const char *path, const char *prefix, const char *const *search, json_t *files,
		struct hb_error *e)
{
	struct closure c = {.prefix = prefix, .search = search, .files = files};
	size_t n = prefix ? strlen(prefix) : 0;
	const char *guest = n && !strncmp(path, prefix, n) ? path + n : path;

	return closure_add(&c, guest, path, e);
}
