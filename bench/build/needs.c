// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/needs.h"

/* The text between the quotes of "@symbol="..."" in @text; NULL: no such line, or an empty text. */
static char *quoted(const char *text, const char *symbol)
{
	HB_FREE char *start = hb_strf("\n%s=\"", symbol);
	const char *at = start ? strstr(text, start) : NULL;

	at = at ? at + strlen(start) : NULL;
	return at && *at != '"' ? strndup(at, strcspn(at, "\"\n")) : NULL;
}

static int certificate_check(const char *text, const char *symbol, const char *src,
			     struct hb_error *e)
{
	HB_FREE char *file = quoted(text, symbol);
	HB_FREE char *path = file ? hb_strf("%s/%s", *file == '/' ? "" : src, file) : NULL;

	if (!path || !access(path, R_OK))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "%s=\"%s\": the source has no such file; %s=\"\" in a fragment does "
			    "without",
			    symbol, file, symbol);
}

/* Is there a program of this name in PATH? */
static bool program_is_there(const char *name)
{
	HB_FREE char *list = strdup(getenv("PATH") ?: "");
	char *rest = list, *directory;

	while ((directory = strsep(&rest, ":"))) {
		HB_FREE char *path = hb_strf("%s/%s", directory, name);

		if (path && !access(path, X_OK))
			return true;
	}
	return false;
}

int needs_check(const char *config, const char *src, struct hb_error *e)
{
	static const char *const certificates[] = {"CONFIG_SYSTEM_TRUSTED_KEYS",
						   "CONFIG_SYSTEM_REVOCATION_KEYS"};
	HB_FREE char *text = NULL;
	int rc = hb_file_read(config, &text, NULL);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", config, strerror(-rc));
	for (size_t i = 0; i < ARRAY_SIZE(certificates) && !rc; i++)
		rc = certificate_check(text, certificates[i], src, e);
	if (!rc && strstr(text, "\nCONFIG_DEBUG_INFO_BTF=y\n") && !program_is_there("pahole"))
		rc = hb_error_set(e, -EINVAL,
				  "CONFIG_DEBUG_INFO_BTF=y: BTF is made by pahole, which is not "
				  "there: install dwarves, or \"# CONFIG_DEBUG_INFO_BTF is not "
				  "set\" in a fragment does without");
	return rc;
}
