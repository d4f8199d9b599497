// SPDX-License-Identifier: GPL-2.0-or-later
/* Open addressing with linear probing; the table is doubled at three quarters full. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/strings.h"

struct strings {
	char **slot;
	size_t size, used; /* size is a power of two */
};

struct strings *strings_new(void)
{
	struct strings *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->size = 256;
	s->slot = calloc(s->size, sizeof(*s->slot));
	if (!s->slot) {
		free(s);
		return NULL;
	}
	return s;
}

void strings_free(struct strings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->size; i++)
		free(s->slot[i]);
	free(s->slot);
	free(s);
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

static char **find(char **slot, size_t size, const char *text)
{
	size_t i = hash(text) & (size - 1);

	while (slot[i] && strcmp(slot[i], text))
		i = (i + 1) & (size - 1);
	return &slot[i];
}

static int grow(struct strings *s)
{
	char **larger = calloc(s->size * 2, sizeof(*larger));

	if (!larger)
		return -1;
	for (size_t i = 0; i < s->size; i++)
		if (s->slot[i])
			*find(larger, s->size * 2, s->slot[i]) = s->slot[i];
	free(s->slot);
	s->slot = larger;
	s->size *= 2;
	return 0;
}

const char *strings_put(struct strings *s, const char *text)
{
	char **at;

	if (s->used * 4 >= s->size * 3 && grow(s))
		return NULL;
	at = find(s->slot, s->size, text);
	if (!*at) {
		*at = strdup(text);
		if (*at)
			s->used++;
	}
	return *at;
}
