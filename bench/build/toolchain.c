// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bench/build/toolchain.h"
#include "bench/host/child.h"

#define MAX_WORDS 8

/* The first line that "@command --version" prints; @command may have several words. */
static char *version_line(const char *command)
{
	static const char *const env[] = {"LC_ALL=C", NULL};
	HB_FREE char *words = strdup(command);
	struct child c = {.env = env};
	char *argv[MAX_WORDS + 2], *save = NULL, *out = NULL;
	size_t n = 0;

	if (!words)
		return NULL;
	for (char *p = strtok_r(words, " \t", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " \t", &save))
		argv[n++] = p;
	argv[n++] = (char *)"--version";
	argv[n] = NULL;
	if (n < 2 || child_capture(&c, argv, &out) || !out) {
		free(out);
		return NULL;
	}
	out[strcspn(out, "\n")] = 0;
	return out;
}

static int llvm_wanted(bool *wanted, struct hb_error *e)
{
	const char *llvm = getenv("LLVM");

	*wanted = llvm && !strcmp(llvm, "1");
	if (*wanted || !llvm || !*llvm || !strcmp(llvm, "0"))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "LLVM=%s: only LLVM=1 is understood; CC=clang-14 names "
			    "another compiler",
			    llvm);
}

/* @cc with ccache before it, where that is there and not meant already. */
static char *with_ccache(const char *cc)
{
	HB_FREE char *version = strstr(cc, "ccache") ? NULL : version_line("ccache");

	return hb_strf("%s%s", version ? "ccache " : "", cc);
}

/* "gcc (Debian 12.2.0-14) 12.2.0", "gcc (GCC) 15.1.1 20250425", "Debian clang version 14.0.6" ->
 * 12, 15, 14: the first word that is a number, outside brackets. */
static unsigned int major_of(const char *line)
{
	const char *bracket = strstr(line, ") ");

	for (const char *p = bracket ? bracket : line; (p = strchr(p, ' ')); p++)
		if (isdigit((unsigned char)p[1]))
			return strtoul(p + 1, NULL, 10);
	return 0;
}

static int describe(struct toolchain *t, const char *cc, struct hb_error *e)
{
	const char *ld = t->llvm ? "ld.lld" : "ld";
	HB_FREE char *compiler = version_line(cc);
	HB_FREE char *linker = version_line(ld);

	if (!compiler || !linker)
		return hb_error_set(e, -ENODEV, "%s is missing or does not work; make deps%s",
				    compiler ? ld : cc,
				    t->llvm ? ", or apt-get install clang lld llvm" : "");
	t->major = major_of(compiler);
	t->text = hb_strf("%s; %s%s", compiler, linker, t->llvm ? "; LLVM=1" : "");
	return t->text ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

int toolchain_find(struct toolchain *t, struct hb_error *e)
{
	const char *given = getenv("CC"), *cc;
	int rc;

	*t = (struct toolchain){0};
	rc = llvm_wanted(&t->llvm, e);
	if (rc)
		return rc;
	cc = given && *given ? given : t->llvm ? "clang" : "gcc";
	rc = describe(t, cc, e);
	if (!rc) {
		t->cc = with_ccache(cc);
		rc = t->cc ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
	}
	if (rc)
		toolchain_free(t);
	return rc;
}

void toolchain_free(struct toolchain *t)
{
	free(t->cc);
	free(t->text);
	*t = (struct toolchain){0};
}
