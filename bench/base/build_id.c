// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <string.h>

#include "bench/base/build_id.h"
#include "bench/base/util.h"

static size_t note_align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

void running_build_id(char *hex, size_t size)
{
	HB_FREE char *notes = NULL;
	size_t len = 0, at = 0;

	hex[0] = '\0';
	if (hb_file_read("/sys/kernel/notes", &notes, &len))
		return;
	while (at + sizeof(Elf64_Nhdr) <= len) {
		const Elf64_Nhdr *n = (const void *)(notes + at);
		size_t name = at + sizeof(*n), desc = name + note_align(n->n_namesz);

		at = desc + note_align(n->n_descsz);
		if (at > len || at < desc)
			return;
		if (n->n_type != NT_GNU_BUILD_ID || n->n_namesz != 4 ||
		    memcmp(notes + name, "GNU", 4) || n->n_descsz * 2 >= size)
			continue;
		for (size_t i = 0; i < n->n_descsz; i++)
			sprintf(hex + 2 * i, "%02x", (unsigned char)notes[desc + i]);
		return;
	}
}
