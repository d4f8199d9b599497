// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs of another suite than the host's need that suite's C library, with the dynamic linker
 * that belongs to it: both are kept beside the programs, whose interpreter and search path patchelf
 * sets, so that the host's and the guest's other programs know nothing of them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/apt.h"
#include "bench/build/cache.h"
#include "bench/build/suitepg.h"
#include "bench/host/child.h"

#define LOADER "ld-linux-x86-64.so.2"
/* Packages, unpacked and what is kept of them. */
#define SUITEPG_BYTES (900ULL << 20)

static const struct {
	unsigned int version;
	const char *suite;
} suites[] = {{13, "bullseye"}, {15, "bookworm"}, {17, "trixie"}, {18, "forky"}};

static const char *const programs[] = {"postgres", "initdb", "pgbench", "psql", "pg_controldata"};

static const char *suite_of(unsigned int version)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (suites[i].version == version)
			return suites[i].suite;
	return NULL;
}

int suitepg_check(unsigned int version, struct hb_error *e)
{
	char known[64] = "";

	if (suite_of(version))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%u",
			 i ? ", " : "", suites[i].version);
	return hb_error_set(e, -EINVAL,
			    "postgres.version = %u: no Debian suite has it; there are %s, and what "
			    "is installed",
			    version, known);
}

/* The words that start a program through the dynamic linker of @libraries. */
static void loader_words(char *argv[6], const char *loader, const char *libraries, char *program)
{
	argv[0] = (char *)loader;
	argv[1] = "--inhibit-cache";
	argv[2] = "--library-path";
	argv[3] = (char *)libraries;
	argv[4] = program;
	argv[5] = NULL;
}

/* What is loaded by name: the dynamic linker, what a thread that is cancelled needs, and getpwuid()
 * before 2.34. */
static int copy_unnamed(const char *root, const char *into, struct hb_error *e)
{
	static const char *const names[] = {LOADER, "libgcc_s.so.1", "libnss_files.so.2"};
	static const char *const places[] = {"lib", "usr/lib"};

	for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(places); i++) {
		HB_FREE char *from =
			hb_strf("%s/%s/x86_64-linux-gnu/%s", root, places[i % 2], names[i / 2]);
		char *argv[] = {"cp", "-L", from, (char *)into, NULL};

		if (!from)
			return hb_error_set(e, -ENOMEM, "out of memory");
		if (!access(from, R_OK) && child_do(argv, -1))
			return hb_error_set(e, -EIO, "cannot copy %s to %s", from, into);
	}
	return 0;
}

/* What the dynamic linker says of one library: "	libm.so.6 => /path/libm.so.6 (0x...)" */
static int copy_library(char *line, const char *root, const char *into, struct hb_error *e)
{
	char *path = strstr(line, "=> ");
	char *argv[] = {"cp", "-L", NULL, (char *)into, NULL};

	if (!path)
		return 0;
	path += strlen("=> ");
	path[strcspn(path, " ")] = 0;
	if (!strncmp(path, into, strlen(into)))
		return 0;
	if (strncmp(path, root, strlen(root)))
		return hb_error_set(e, -ENOENT, "the suite lacks a library: %s", line);
	argv[2] = path;
	return child_do(argv, -1) ? hb_error_set(e, -EIO, "cannot copy %s to %s", path, into) : 0;
}

/* Copy the libraries of the program or module @file, all of which are below @root, to @into. */
static int copy_libraries(const char *root, char *file, const char *into, struct hb_error *e)
{
	HB_FREE char *loader = hb_strf("%s/" LOADER, into);
	HB_FREE char *search =
		hb_strf("%s/lib/x86_64-linux-gnu:%s/usr/lib/x86_64-linux-gnu", root, root);
	char *argv[7] = {NULL}, *save = NULL;
	HB_FREE char *out = NULL;
	int rc = 0;

	if (!loader || !search)
		return hb_error_set(e, -ENOMEM, "out of memory");
	loader_words(argv, loader, search, "--list");
	argv[5] = file;
	if (child_capture(&(struct child){0}, argv, &out))
		return hb_error_set(e, -ENODEV, "the libraries of %s: %.200s", file,
				    out ? out : "");
	for (char *line = strtok_r(out, "\n", &save); !rc && line;
	     line = strtok_r(NULL, "\n", &save))
		rc = copy_library(line, root, into, e);
	return rc;
}

/* Set where the programs below @place look for their dynamic linker: in the copy at @seen. */
static int set_interpreters(const char *prefix, unsigned int version, const char *place,
			    const char *seen, struct hb_error *e)
{
	HB_FREE char *libraries = hb_strf("%s" SUITEPG_ROOT "/%u/libraries", prefix, version);
	HB_FREE char *loader = libraries ? hb_strf("%s/" LOADER, libraries) : NULL;
	HB_FREE char *patchelf = hb_strf("%s/usr/bin/patchelf", prefix);
	HB_FREE char *interpreter =
		hb_strf("%s" SUITEPG_ROOT "/%u/libraries/" LOADER, seen, version);

	if (!loader || !patchelf || !interpreter)
		return hb_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		HB_FREE char *program =
			hb_strf("%s" SUITEPG_ROOT "/%u/bin/%s", place, version, programs[i]);
		char *argv[12] = {NULL};
		HB_FREE char *out = NULL;

		loader_words(argv, loader, libraries, patchelf);
		argv[5] = "--set-interpreter";
		argv[6] = interpreter;
		/* RPATH, not RUNPATH: it holds for the libraries of libraries, too. */
		argv[7] = "--force-rpath";
		argv[8] = "--set-rpath";
		argv[9] = "$ORIGIN/../libraries";
		argv[10] = program;
		if (!program)
			return hb_error_set(e, -ENOMEM, "out of memory");
		if (child_capture(&(struct child){0}, argv, &out))
			return hb_error_set(e, -EIO, "cannot set the interpreter of %s: %.200s",
					    program, out ? out : "");
	}
	return 0;
}

/* Take the programs with what is theirs from @root, where all the packages were unpacked. */
static int take_files(const char *root, unsigned int version, const char *tree, struct hb_error *e)
{
	HB_FREE char *own = hb_strf("usr/lib/postgresql/%u", version);
	HB_FREE char *share = hb_strf("usr/share/postgresql/%u", version);
	const char *const taken[] = {own, share, "usr/bin/patchelf"};
	/* Of the just-in-time compiler, which is never used. */
	static const char *const left[] = {"bitcode", "llvmjit.so", "llvmjit_types.bc"};
	int rc = own && share ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < ARRAY_SIZE(taken); i++) {
		HB_FREE char *from = hb_strf("%s/%s", root, taken[i]);
		HB_FREE char *to = hb_strf("%s/%s", tree, taken[i]);
		HB_FREE char *above = to ? strndup(to, strrchr(to, '/') - to) : NULL;

		rc = from && above ? hb_mkdir_all(above) : -ENOMEM;
		if (!rc && rename(from, to))
			rc = -errno;
	}
	for (size_t i = 0; !rc && i < ARRAY_SIZE(left); i++) {
		HB_FREE char *path = hb_strf("%s/%s/lib/%s", tree, own, left[i]);

		rc = path ? hb_remove_all(path) : -ENOMEM;
	}
	return rc ? hb_error_set(e, rc, "cannot take PostgreSQL from %s: %s", root, strerror(-rc))
		  : 0;
}

static int take_libraries(const char *root, unsigned int version, const char *tree,
			  struct hb_error *e)
{
	HB_FREE char *own = hb_strf("%s" SUITEPG_ROOT "/%u", tree, version);
	HB_FREE char *into = hb_strf("%s/libraries", own);
	HB_FREE char *patchelf = hb_strf("%s/usr/bin/patchelf", tree);
	int rc;

	if (!own || !into || !patchelf)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(into, e);
	if (!rc)
		rc = copy_unnamed(root, into, e);
	if (!rc)
		rc = copy_libraries(root, patchelf, into, e);
	for (size_t i = 0; !rc && i < ARRAY_SIZE(programs); i++) {
		HB_FREE char *program = hb_strf("%s/bin/%s", own, programs[i]);

		rc = program ? copy_libraries(root, program, into, e)
			     : hb_error_set(e, -ENOMEM, "out of memory");
	}
	return rc;
}

/* What apt left in PLACE/root, as PLACE/tree: what is needed of it, ready for the guest. */
static int make_tree(const char *place, unsigned int version, struct hb_error *e)
{
	HB_FREE char *root = hb_strf("%s/root", place);
	HB_FREE char *work = hb_strf("%s/tree.new", place);
	HB_FREE char *tree = hb_strf("%s/tree", place);
	int rc;

	if (!root || !work || !tree)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(work, e);
	if (!rc)
		rc = take_files(root, version, work, e);
	if (!rc)
		rc = take_libraries(root, version, work, e);
	if (!rc)
		rc = set_interpreters(work, version, work, "", e);
	if (!rc)
		rc = cache_commit(work, tree, e);
	hb_remove_all(work);
	return rc;
}

static int fetch(const char *place, unsigned int version, const char *suite, struct hb_error *e)
{
	HB_FREE char *scratch = hb_strf("%s/apt", place), *root = hb_strf("%s/root", place);
	HB_FREE char *package = hb_strf("postgresql-%u", version);
	const char *const packages[] = {package, "patchelf", NULL};
	HB_FREE char *uri = NULL;
	struct apt a;
	int rc;

	if (!scratch || !root || !package)
		return hb_error_set(e, -ENOMEM, "out of memory");
	fprintf(stderr, "hugebench: fetching PostgreSQL %u of %s (100 MB); nothing is installed\n",
		version, suite);
	rc = apt_main_uri("/etc/apt", &uri, e);
	if (!rc)
		rc = apt_begin(&a, scratch, uri, suite, e);
	if (rc)
		return rc;
	a.whole = true;
	rc = apt_unpacked(&a, packages, place, e);
	apt_end(&a);
	if (!rc)
		rc = make_tree(place, version, e);
	hb_remove_all(scratch);
	hb_remove_all(root);
	return rc;
}

int suitepg_resolve(const char *cache, unsigned int version, char **prefix, struct hb_error *e)
{
	HB_FREE char *place = hb_strf("%s/postgresql/%u", cache, version);
	HB_FREE char *tree = hb_strf("%s/tree", place);
	const char *suite = suite_of(version);
	HB_CLOSE int lock = -1;
	int rc;

	if (!suite)
		return suitepg_check(version, e);
	if (!place || !tree)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = cache_lock(cache, "postgresql", &lock, e);
	if (!rc && access(tree, F_OK)) {
		rc = hb_mkdir_all(place);
		rc = rc ? hb_error_set(e, rc, "cannot make %s: %s", place, strerror(-rc))
			: cache_space(place, SUITEPG_BYTES, "PostgreSQL", e);
		if (!rc && (rc = fetch(place, version, suite, e)))
			hb_error_prefix(e, rc, "postgres.version = %u", version);
	}
	if (!rc)
		*prefix = HB_STEAL(tree);
	return rc;
}

char *suitepg_ask(const char *prefix, unsigned int version, const char *name, const char *argument)
{
	HB_FREE char *libraries = hb_strf("%s" SUITEPG_ROOT "/%u/libraries", prefix, version);
	HB_FREE char *loader = libraries ? hb_strf("%s/" LOADER, libraries) : NULL;
	HB_FREE char *program = hb_strf("%s" SUITEPG_ROOT "/%u/bin/%s", prefix, version, name);
	char *argv[7] = {NULL}, *out = NULL;

	if (!loader || !program)
		return NULL;
	loader_words(argv, loader, libraries, program);
	argv[5] = (char *)argument;
	if (!child_capture(&(struct child){0}, argv, &out))
		return out;
	free(out);
	return NULL;
}

int suitepg_settle(const char *prefix, unsigned int version, const char *place, struct hb_error *e)
{
	return set_interpreters(prefix, version, place, place, e);
}
