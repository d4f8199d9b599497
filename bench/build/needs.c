// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <unistd.h>

#include "bench/base/kconfig.h"
#include "bench/build/needs.h"
#include "bench/host/child.h"

static int certificate_check(const json_t *config, const char *symbol, const char *src,
			     struct hb_error *e)
{
	HB_FREE char *file = kconfig_text(config, symbol);
	HB_FREE char *path = file ? hb_strf("%s/%s", *file == '/' ? "" : src, file) : NULL;

	if (!path || !access(path, R_OK))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "%s=\"%s\": the source has no such file; %s=\"\" in a fragment does "
			    "without",
			    symbol, file, symbol);
}

int needs_check(const char *config, const char *src, struct hb_error *e)
{
	static const char *const certificates[] = {"CONFIG_SYSTEM_TRUSTED_KEYS",
						   "CONFIG_SYSTEM_REVOCATION_KEYS"};
	json_t *set;
	int rc = kconfig_read(config, &set, e);

	for (size_t i = 0; i < ARRAY_SIZE(certificates) && !rc; i++)
		rc = certificate_check(set, certificates[i], src, e);
	if (!rc && kconfig_builtin(set, "CONFIG_DEBUG_INFO_BTF") && !child_finds("pahole"))
		rc = hb_error_set(e, -EINVAL,
				  "CONFIG_DEBUG_INFO_BTF=y: BTF is made by pahole, which is not "
				  "there: install dwarves, or \"# CONFIG_DEBUG_INFO_BTF is not "
				  "set\" in a fragment does without");
	json_decref(set);
	return rc;
}
