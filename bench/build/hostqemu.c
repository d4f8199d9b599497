// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/apt.h"
#include "bench/build/cache.h"
#include "bench/build/hostqemu.h"
#include "bench/host/child.h"
#include "bench/host/paths.h"

#define PROGRAM "qemu-system-x86_64"
#define PACKAGE "qemu-system-x86"
#define SUITE	"bookworm-backports"
/* The suite whose libraries those of SUITE are made for. */
#define SUITES "bookworm " SUITE

void hostqemu_free(struct hostqemu *q)
{
	for (char **w = q->words; *w; w++)
		free(*w);
	free(q->identity);
	free(q->version);
	free(q->reason);
	*q = (struct hostqemu){0};
}

/* "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)" */
static int ask_version(struct hostqemu *q, struct hb_error *e)
{
	char *argv[ARRAY_SIZE(q->words) + 1];
	size_t n = 0;
	char *at;
	int rc;

	for (; q->words[n]; n++)
		argv[n] = q->words[n];
	argv[n] = "--version";
	argv[n + 1] = NULL;
	rc = child_capture(&(struct child){0}, argv, &q->identity);
	if (!q->identity)
		return hb_error_set(e, -ENOMEM, "out of memory");
	q->identity[strcspn(q->identity, "\n")] = 0;
	at = strstr(q->identity, "version ");
	if (at)
		q->version = strndup(at + 8, strcspn(at + 8, " "));
	q->number = qemu_number(q->version);
	if (rc || !q->number)
		return hb_error_set(e, -ENODEV, "`%s --version` says: %.200s", argv[0],
				    *q->identity ? q->identity : "nothing");
	return 0;
}

/* QEMU ends at -version, but first refuses the options that it was built without. */
static bool ask_sandbox(const struct hostqemu *q)
{
	char *argv[ARRAY_SIZE(q->words) + 3];
	HB_FREE char *out = NULL;
	size_t n = 0;

	for (; q->words[n]; n++)
		argv[n] = q->words[n];
	argv[n++] = "-sandbox";
	argv[n++] = "on";
	argv[n++] = "-version";
	argv[n] = NULL;
	return !child_capture(&(struct child){0}, argv, &out);
}

/* Set @q to the program that @words start; it owns @reason from here on. */
static int take(struct hostqemu *q, char *const *words, char *reason, struct hb_error *e)
{
	bool whole = reason;
	int rc;

	*q = (struct hostqemu){.reason = reason};
	for (size_t i = 0; i < ARRAY_SIZE(q->words) && words[i]; i++)
		whole = (q->words[i] = strdup(words[i])) && whole;
	rc = whole ? ask_version(q, e) : hb_error_set(e, -ENOMEM, "out of memory");
	if (rc)
		hostqemu_free(q);
	else
		q->sandbox = ask_sandbox(q);
	return rc;
}

static int take_program(struct hostqemu *q, const char *program, const char *reason,
			struct hb_error *e)
{
	return take(q, (char *[]){(char *)program, NULL}, strdup(reason), e);
}

/*
 * What is unpacked below @root, which finds its libraries and firmware where it is told to; @why it
 * and not the host's.
 */
static int take_unpacked(struct hostqemu *q, const char *root, const char *why, struct hb_error *e)
{
	HB_FREE char *libraries = hb_strf("LD_LIBRARY_PATH=%s/usr/lib/x86_64-linux-gnu", root);
	HB_FREE char *program = hb_strf("%s/usr/bin/" PROGRAM, root);
	HB_FREE char *data = hb_strf("%s/usr/share/qemu", root);
	HB_FREE char *firmware = hb_strf("%s/usr/share/seabios", root);
	char *const words[] = {"env", libraries, program, "-L", data, "-L", firmware, NULL};

	if (!libraries || !program || !data || !firmware)
		return hb_error_set(e, -ENOMEM, "out of memory");
	return take(q, words, hb_strf("Debian's of " SUITE ", unpacked in %s; %s", root, why), e);
}

static int fetch(const char *cache, struct hb_error *e)
{
	HB_FREE char *scratch = hb_strf("%s/qemu/apt", cache);
	HB_FREE char *place = hb_strf("%s/qemu", cache);
	HB_FREE char *uri = NULL;
	struct apt a;
	int rc;

	if (!scratch || !place)
		return hb_error_set(e, -ENOMEM, "out of memory");
	fprintf(stderr, "hugebench: fetching QEMU of " SUITE " (13 MB); nothing is installed\n");
	rc = apt_main_uri("/etc/apt", &uri, e);
	if (!rc)
		rc = apt_begin(&a, scratch, uri, SUITES, e);
	if (rc)
		return rc;
	rc = apt_unpacked(&a, (const char *[]){PACKAGE "/" SUITE, NULL}, place, e);
	apt_end(&a);
	hb_remove_all(scratch);
	return rc;
}

/* bookworm-backports' in the cache; -ENOENT: it is not there, or does not run, and @fetch is off.
 */
static int take_cached(struct hostqemu *q, const char *why, bool may_fetch, struct hb_error *e)
{
	HB_FREE char *cache = paths_cache(e);
	HB_FREE char *root = cache ? hb_strf("%s/qemu/root", cache) : NULL;
	HB_CLOSE int lock = -1;
	int rc;

	if (!cache)
		return -ENOENT;
	if (!root)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (!take_unpacked(q, root, why, NULL))
		return 0;
	if (!may_fetch)
		return hb_error_set(e, -ENOENT, "not fetched yet, the first run does it");
	rc = cache_lock(cache, "qemu", &lock, e);
	/* Somebody else may have fetched it meanwhile. */
	if (rc || !take_unpacked(q, root, why, NULL))
		return rc;
	rc = fetch(cache, e);
	return rc ? rc : take_unpacked(q, root, why, e);
}

/* The host's, old or missing (@have), or better Debian's later one. */
static int take_later(struct hostqemu *q, struct hostqemu *have, bool may_fetch, struct hb_error *e)
{
	struct hb_error no = {""};
	HB_FREE char *why = *have->words ? hb_strf("the host's %s emulates several CPUs unreliably",
						   have->version)
					 : strdup("the host has none");

	if (!why)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (!take_cached(q, why, may_fetch, &no)) {
		hostqemu_free(have);
		return 0;
	}
	if (!*have->words)
		return hb_error_set(e, -ENODEV,
				    "no QEMU; apt-get install " PACKAGE " (Debian's of " SUITE
				    ": %.400s)",
				    no.text);
	*q = *have;
	free(q->reason);
	q->reason = hb_strf("%s; Debian's of " SUITE ": %s", why, no.text);
	return q->reason ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

static int find(struct hostqemu *q, bool may_fetch, struct hb_error *e)
{
	const char *given = getenv("QEMU");
	struct hostqemu host;

	if (given && *given) {
		int rc = take_program(q, given, "QEMU= names it", e);

		return rc ? hb_error_prefix(e, rc, "QEMU=%s", given) : 0;
	}
	if (take_program(&host, PROGRAM, "the host's", NULL) || host.number < QEMU_STEADY)
		return take_later(q, &host, may_fetch, e);
	*q = host;
	return 0;
}

const struct hostqemu *hostqemu(struct hb_error *e)
{
	static struct hostqemu found;

	return *found.words || !find(&found, true, e) ? &found : NULL;
}

int hostqemu_look(struct hostqemu *q, struct hb_error *e)
{
	return find(q, false, e);
}
