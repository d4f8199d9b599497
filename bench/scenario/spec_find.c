// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a scenario is. */
#include <dirent.h>
#include <stdlib.h>

#include "bench/host/paths.h"
#include "bench/scenario/spec_read.h"

/* Names of the scenarios in @dir, and the one nearest to @name. */
static void scenarios_hint(const char *dir, const char *name, char *list, size_t size,
			   struct spec_nearest *best)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);

	if (n < 0)
		return;
	for (int i = 0; i < n; i++) {
		size_t len = strlen(entries[i]->d_name), used = strlen(list);

		if (len > 4 && !strcmp(entries[i]->d_name + len - 4, ".ini")) {
			entries[i]->d_name[len - 4] = 0;
			snprintf(list + used, size - used, "%s%s", used ? ", " : "",
				 entries[i]->d_name);
			spec_nearest_try(best, name, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
}

char *spec_find(const char *name, struct hb_error *e)
{
	size_t len = strlen(name);
	struct spec_nearest best = {0};
	char list[512] = "";
	HB_FREE char *root = NULL, *dir = NULL, *path = NULL;
	FILE *f;

	if (strchr(name, '/') || (len > 4 && !strcmp(name + len - 4, ".ini")))
		return strdup(name);
	root = paths_root(e);
	if (!root)
		return NULL;
	dir = hb_strf("%s/workloads/scenarios", root);
	path = dir ? hb_strf("%s/%s.ini", dir, name) : NULL;
	if (!path) {
		hb_error_set(e, -ENOMEM, "no memory");
		return NULL;
	}
	f = fopen(path, "re");
	if (f) {
		fclose(f);
		return HB_STEAL(path);
	}
	scenarios_hint(dir, name, list, sizeof(list), &best);
	hb_error_set(e, -ENOENT, "no scenario '%s'; the nearest is '%s'; there are: %s", name,
		     best.name, list);
	return NULL;
}
