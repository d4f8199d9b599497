// SPDX-License-Identifier: GPL-2.0-or-later
/* Binaries: ELF files and kernels. */
#include <stdlib.h>
#include <string.h>

#include "bench/build/bzimage.h"
#include "bench/build/elfinfo.h"
#include "tests/fuzz/fuzz.h"

void fuzz_elf(const uint8_t *data, size_t len)
{
	HB_FREE char *copy = fuzz_text(data, len);
	HB_FREE char *path = fuzz_file("elf", data, len);
	HB_FREE char *id = NULL;
	json_t *files = json_object();
	struct hb_error e;

	elf_build_id_of(copy, len, "memory", &id, &e);
	elf_closure(path, NULL, NULL, files, &e);
	json_decref(files);
}

/* gzip alone: the other packers are programs, a process each. */
void fuzz_bzimage(const uint8_t *data, size_t len)
{
	static const char *const programs[] = {"\3757zX", "\x28\xb5\x2f\xfd", "\x02\x21\x4c\x18",
					       "BZh"};
	HB_FREE char *path = NULL, *version = NULL, *id = NULL;
	struct hb_error e;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (memmem(data, len, programs[i], strlen(programs[i])))
			return;
	path = fuzz_file("bzimage", data, len);
	bzimage_identify(path, &version, &id, &e);
}
