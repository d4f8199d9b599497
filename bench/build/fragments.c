// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "bench/build/fragments.h"

int fragments_join(const char *root, const struct variant *v, const char *path)
{
	HB_FCLOSE FILE *out = fopen(path, "we");
	json_t *fragment;
	size_t i;

	if (!out)
		return -errno;
	if (v->config) {
		HB_FREE char *text = NULL;
		int rc = hb_file_read(v->config, &text, NULL);

		if (rc)
			return rc;
		fputs(text, out);
	}
	json_array_foreach (v->fragments, i, fragment) {
		HB_FREE char *file = variant_input(root, json_string_value(fragment));
		HB_FREE char *text = NULL;
		int rc = file ? hb_file_read(file, &text, NULL) : -ENOMEM;

		if (rc)
			return rc;
		fprintf(out, "%s\n", text);
	}
	return fflush(out) ? -errno : 0;
}

/* A wanted line: where it stands and what it says. */
struct wanted {
	const char *file;
	int line;
	char symbol[96];
	char value[160]; /* "n" for "is not set" */
};

struct wanted_list {
	struct wanted *v;
	size_t n;
};

/* "CONFIG_X=y" or "# CONFIG_X is not set" -> 1. */
static int parse_config_line(const char *line, struct wanted *w)
{
	char rest[32] = "";

	if (sscanf(line, "%95[A-Za-z0-9_]=%159[^\n]", w->symbol, w->value) == 2)
		return !strncmp(w->symbol, "CONFIG_", 7);
	if (sscanf(line, "# %95[A-Za-z0-9_] %31[^\n]", w->symbol, rest) == 2 &&
	    !strcmp(rest, "is not set") && !strncmp(w->symbol, "CONFIG_", 7)) {
		strcpy(w->value, "n");
		return 1;
	}
	return 0;
}

/* The last line for a symbol wins. */
static int wanted_put(struct wanted_list *l, const struct wanted *w)
{
	struct wanted *longer;

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].symbol, w->symbol)) {
			l->v[i] = *w;
			return 0;
		}
	longer = reallocarray(l->v, l->n + 1, sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	l->v = longer;
	l->v[l->n++] = *w;
	return 0;
}

static int wanted_read(struct wanted_list *l, const char *root, const char *fragment)
{
	HB_FREE char *path = variant_input(root, fragment);
	HB_FCLOSE FILE *f = path ? fopen(path, "re") : NULL;
	struct wanted w = {.file = fragment};
	char line[512];
	int rc = 0;

	if (!f)
		return path ? -errno : -ENOMEM;
	while (!rc && fgets(line, sizeof(line), f)) {
		w.line++;
		if (parse_config_line(line, &w))
			rc = wanted_put(l, &w);
	}
	return rc;
}

/* The value of @symbol in the text of a .config: "n" when it has none. */
static void config_value(const char *config, const char *symbol, char *value, size_t len)
{
	size_t n = strlen(symbol);

	snprintf(value, len, "n");
	for (const char *p = config; (p = strstr(p, symbol)); p += n)
		if ((p == config || p[-1] == '\n') && p[n] == '=') {
			snprintf(value, len, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
			return;
		}
}

static int report_lost(const struct wanted_list *l, const char *text, const char *config,
		       struct hb_error *e)
{
	char what[640] = "";
	size_t n = 0, lost = 0;

	for (size_t i = 0; i < l->n; i++) {
		char value[160];

		config_value(text, l->v[i].symbol, value, sizeof(value));
		if (!strcmp(value, l->v[i].value))
			continue;
		if (lost++ < 5 && n < sizeof(what))
			n += snprintf(what + n, sizeof(what) - n,
				      "%s%s:%d: %s=%s is wanted, it is %s", n ? "; " : "",
				      l->v[i].file, l->v[i].line, l->v[i].symbol, l->v[i].value,
				      value);
	}
	if (!lost)
		return 0;
	return hb_error_set(e, -EIO, "%zu configuration lines do not hold in %s: %s%s", lost,
			    config, what, lost > 5 ? "; ..." : "");
}

int fragments_check(const char *root, const json_t *fragments, const char *config,
		    struct hb_error *e)
{
	struct wanted_list l = {0};
	HB_FREE char *text = NULL;
	json_t *fragment;
	size_t i;
	int rc = hb_file_read(config, &text, NULL);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", config, strerror(-rc));
	json_array_foreach (fragments, i, fragment) {
		if (!rc)
			rc = wanted_read(&l, root, json_string_value(fragment));
		if (rc)
			hb_error_set(e, rc, "cannot read %s: %s", json_string_value(fragment),
				     strerror(-rc));
	}
	if (!rc)
		rc = report_lost(&l, text, config, e);
	free(l.v);
	return rc;
}
