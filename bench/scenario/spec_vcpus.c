// SPDX-License-Identifier: GPL-2.0-or-later
/* Values in terms of the machine: "vcpus", "vcpus/N" and "vcpus*N" become numbers. */
#include <stdlib.h>

#include "bench/scenario/spec_read.h"

#define WORD	    "vcpus"
#define FACTOR_MOST 1000

/* May the value of @key count tasks, clients or the like of the machine? */
static bool counts(const char *key)
{
	const char *dot = strrchr(key, '.');
	const char *last = dot ? dot + 1 : key;

	return !strcmp(last, "tasks") || !strcmp(last, "clients");
}

/* "vcpus", "vcpus/N" or "vcpus*N" with N from 1 to FACTOR_MOST as a number of at least 1; anything
 * else unchanged. */
static char *number_of(const char *item, unsigned int vcpus)
{
	const char *sign = item + strlen(WORD);
	uint64_t n = 1;

	if (strncmp(item, WORD, strlen(WORD)))
		return strdup(item);
	if (*sign && (!strchr("/*", *sign) || hb_parse_u64(sign + 1, &n) || !n || n > FACTOR_MOST))
		return strdup(item);
	if (*sign == '*')
		return hb_strf("%u", vcpus * (unsigned int)n);
	return hb_strf("%u", vcpus < n ? 1 : vcpus / (unsigned int)n);
}

/* The list @items with the numbers that are meant, each once: "1, vcpus/4, vcpus" -> "1, 4". */
static char *numbers_of(const json_t *items, unsigned int vcpus)
{
	HB_FREE char *all = strdup("");
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		HB_FREE char *number = number_of(json_string_value(item), vcpus);
		HB_FREE char *known = number ? hb_strf(", %s,", number) : NULL;
		HB_FREE char *so_far = all ? hb_strf(", %s,", all) : NULL;
		char *longer;

		if (!known || !so_far)
			return NULL;
		if (strstr(so_far, known))
			continue;
		longer = hb_strf("%s%s%s", all, *all ? ", " : "", number);
		free(all);
		all = longer;
	}
	return HB_STEAL(all);
}

static int entry_resolve(struct spec_reader *r, struct ini_entry *entry)
{
	json_t *items = NULL;
	char *numbers;
	int rc;

	if (!counts(entry->key) || !strstr(entry->value, WORD))
		return 0;
	rc = spec_split(entry->value, &items, r->e);
	if (rc)
		return ini_error_place(r->e, rc, &r->ini, entry);
	numbers = numbers_of(items, r->vcpus);
	json_decref(items);
	if (!numbers)
		return hb_error_set(r->e, -ENOMEM, "no memory");
	free(entry->value);
	entry->value = numbers;
	r->spec->of_vcpus = true;
	return 0;
}

int spec_vcpus_resolve(struct spec_reader *r)
{
	int rc = 0;

	for (size_t i = 0; i < r->ini.n; i++)
		for (size_t k = 0; k < r->ini.sections[i].n && !rc; k++)
			if (spec_is_cell(&r->ini.sections[i]))
				rc = entry_resolve(r, &r->ini.sections[i].entries[k]);
	return rc;
}
