// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/result/load_waits.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/plain.h"
#include "bench/result/load_fields.h"

#define ROWS_MOST	 200
#define WAITS_MOST	 2000
#define FUNCTION_LONGEST 64

/* Of the language C, or none. */
static bool is_function(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p != '_' && !isalnum((unsigned char)*p))
			return false;
	return !isdigit((unsigned char)*text) && strlen(text) <= FUNCTION_LONGEST;
}

static struct load_wait *find(struct load_wait **list, unsigned int *n, const char *kind,
			      const char *function)
{
	struct load_wait *more;

	for (unsigned int i = 0; i < *n; i++)
		if (!strcmp((*list)[i].kind, kind) && !strcmp((*list)[i].function, function))
			return &(*list)[i];
	more = reallocarray(*list, *n + 1, sizeof(*more));
	if (!more)
		return NULL;
	*list = more;
	more[*n] = (struct load_wait){.kind = kind, .function = function};
	return &more[(*n)++];
}

static int longest_first(const void *a, const void *b)
{
	const struct load_wait *x = a, *y = b;
	double sum_x = x->spun + x->asleep, sum_y = y->spun + y->asleep;
	int order = sum_x > sum_y ? -1 : sum_x < sum_y;

	order = order ?: strcmp(x->kind, y->kind);
	return order ?: strcmp(x->function, y->function);
}

static void sort(struct load_wait *list, unsigned int n)
{
	if (n)
		qsort(list, n, sizeof(*list), longest_first);
}

/* One of a list, added to what is there of its kind and function. */
static int parse_one(struct load_run *run, const json_t *j, struct load_wait **list,
		     unsigned int *n, struct hb_error *e)
{
	const char *kind = "", *function = "", *how = "";
	double count = 0, sum = 0;
	struct load_wait *w;
	int err = field_name(run, j, "kind", NAME_LONGEST, &kind, e);

	err = err ?: field_string(run, j, "function", false, &function, e);
	err = err ?: field_string(run, j, "how", false, &how, e);
	err = err ?: field_count(j, "count", true, &count, e);
	err = err ?: field_count(j, "sum", true, &sum, e);
	if (err)
		return err;
	if (!is_function(function))
		return hb_error_set(e, -EINVAL, "\"function\" is '%.80s', not a name of C",
				    function);
	w = find(list, n, kind, function);
	if (!w)
		return hb_error_set(e, -ENOMEM, "no memory");
	w->count += count;
	*(strcmp(how, "spun") ? &w->asleep : &w->spun) += sum;
	return 0;
}

static int parse_list(struct load_run *run, const json_t *j, const char *key,
		      struct load_wait **list, unsigned int *n, struct hb_error *e)
{
	const json_t *all, *v;
	int err = field_array(j, key, WAITS_MOST, &all, e);
	size_t i;

	json_array_foreach (all, i, v) {
		err = err ?: parse_one(run, v, list, n, e);
		if (err)
			return hb_error_prefix(e, err, "\"%s\": [%zu]", key, i);
	}
	sort(*list, *n);
	return err;
}

static int parse_row(struct load_run *run, const json_t *j, struct load_waits *w,
		     struct hb_error *e)
{
	const json_t *slow = json_object_get(j, "slow");
	int err = field_name(run, j, "source", NAME_LONGEST, &w->source, e);

	err = err ?: field_name(run, j, "name", NAME_LONGEST, &w->name, e);
	err = err ?: field_count(j, "count", true, &w->count, e);
	err = err ?: field_count(j, "total", true, &w->total, e);
	err = err ?: field_count(j, "executed", true, &w->executed, e);
	err = err ?: field_count(slow, "count", true, &w->slow, e);
	err = err ?: field_count(slow, "least", true, &w->least, e);
	err = err ?: parse_list(run, j, "waits", &w->waits, &w->nwaits, e);
	err = err ?: parse_list(run, slow, "held", &w->held, &w->nheld, e);
	if (!err && !w->count)
		return hb_error_set(e, -EINVAL, "no operation");
	return err;
}

int load_waits_parse(struct load_run *run, const json_t *j, struct load_cell *c, struct hb_error *e)
{
	const json_t *list, *v;
	size_t i;
	int err = field_array(j, "waits", ROWS_MOST, &list, e);

	if (err || !json_array_size(list))
		return err;
	c->waits = calloc(json_array_size(list), sizeof(*c->waits));
	if (!c->waits)
		return hb_error_set(e, -ENOMEM, "no memory");
	json_array_foreach (list, i, v) {
		err = parse_row(run, v, &c->waits[c->nwaits++], e);
		if (err)
			return hb_error_prefix(e, err, "\"waits\": [%zu]", i);
	}
	return 0;
}

static int add_list(struct load_wait **list, unsigned int *n, const struct load_wait *from,
		    unsigned int nfrom)
{
	for (unsigned int i = 0; i < nfrom; i++) {
		struct load_wait *w = find(list, n, from[i].kind, from[i].function);

		if (!w)
			return -ENOMEM;
		w->count += from[i].count;
		w->spun += from[i].spun;
		w->asleep += from[i].asleep;
	}
	sort(*list, *n);
	return 0;
}

int load_waits_add(struct load_waits *into, const struct load_waits *from)
{
	int err = add_list(&into->waits, &into->nwaits, from->waits, from->nwaits);

	err = err ?: add_list(&into->held, &into->nheld, from->held, from->nheld);
	if (!into->slow || from->least < into->least)
		into->least = from->least;
	into->source = from->source;
	into->name = from->name;
	into->count += from->count;
	into->total += from->total;
	into->executed += from->executed;
	into->slow += from->slow;
	return err;
}

void load_waits_free(struct load_waits *w)
{
	free(w->waits);
	free(w->held);
	*w = (struct load_waits){0};
}

void load_waits_release(struct load_cell *c)
{
	for (unsigned int i = 0; i < c->nwaits; i++)
		load_waits_free(&c->waits[i]);
	free(c->waits);
}
