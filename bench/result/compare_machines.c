// SPDX-License-Identifier: GPL-2.0-or-later
/* The machines that the boots ran on, and what each gave of a comparison. */
#include <stdlib.h>
#include <string.h>

#include "bench/result/compare.h"

unsigned int compare_machine_of(const struct compare_model *m, const struct load_cell *c)
{
	unsigned int i = 0;

	while (i < m->nmachines && strcmp(m->machines[i].id, c->machine))
		i++;
	return i;
}

static int order(const char *name_a, const char *id_a, const char *name_b, const char *id_b)
{
	return strverscmp(name_a, name_b) ?: strcmp(id_a, id_b);
}

int compare_machine_order(const struct load_cell *a, const struct load_cell *b)
{
	return order(a->machine_name, a->machine, b->machine_name, b->machine);
}

static int by_name(const void *a, const void *b)
{
	const struct compare_machine *x = a, *y = b;

	return order(x->name, x->id, y->name, y->id);
}

static int add_boot(struct compare_model *m, const struct load_cell *c)
{
	unsigned int i = compare_machine_of(m, c);
	struct compare_machine *more;

	if (i == m->nmachines) {
		more = realloc(m->machines, (m->nmachines + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->machines = more;
		m->machines[m->nmachines++] =
			(struct compare_machine){c->machine, c->machine_name, c->cpu_model, 0};
	}
	m->machines[i].boots++;
	return 0;
}

int compare_machines(struct compare_model *m)
{
	int err = 0;

	for (unsigned int r = 0; r < 2 && m->runs[r]; r++)
		for (size_t i = 0; i < m->runs[r]->ncells && !err; i++) {
			const struct load_cell *c = &m->runs[r]->cells[i];

			if (c->verdict == CELL_OK && !c->warmup_boot)
				err = add_boot(m, c);
		}
	if (m->nmachines)
		qsort(m->machines, m->nmachines, sizeof(*m->machines), by_name);
	return err;
}

size_t compare_blocks(const struct compare_model *m, const struct comparison *c,
		      struct stats_block *blocks)
{
	const struct compare_figure *a = compare_figure(m, c, false);
	const struct compare_figure *b = compare_figure(m, c, true);
	size_t from_a = 0, from_b = 0;

	if (!strcmp(m->runs[0]->mode, "exact")) {
		blocks[0] = (struct stats_block){a->arm, b->arm, a->boot, b->boot};
		return 1;
	}
	for (unsigned int i = 0; i < m->nmachines; i++) {
		blocks[i] = (struct stats_block){a->of_machine[i], b->of_machine[i],
						 a->boot + from_a, b->boot + from_b};
		from_a += blocks[i].a.n;
		from_b += blocks[i].b.n;
	}
	return m->nmachines;
}

bool compare_machine_leaves(const struct stats_block *blocks, size_t n, double margin)
{
	for (size_t i = 0; i < n && n > 1; i++) {
		struct stats_change own;

		stats_compare(&blocks[i].a, &blocks[i].b, STATS_ALPHA / n, &own);
		if (own.log_low > margin || own.log_high < -margin)
			return true;
	}
	return false;
}
