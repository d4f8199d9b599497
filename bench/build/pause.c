// SPDX-License-Identifier: GPL-2.0-or-later
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/build/bzimage.h"
#include "bench/build/pause.h"
#include "bench/host/child.h"
#include "bench/host/digest.h"

/* Part of the name in the cache: raise it when the same input gives another image. */
#define STEPS "1"

#define PAUSE "\xf3\x90" /* rep nop */
#define NOP   "\x66\x90" /* xchg %ax,%ax: one instruction of two bytes */
#define BYTES 2

struct pauses {
	uint64_t *address;
	size_t n, size;
	bool failed; /* no memory */
};

/* A line of objdump: "ffffffff81000abc:\tpause". */
static void disassembled(void *arg, const char *line)
{
	const char *mnemonic = strrchr(line, '\t');
	struct pauses *p = arg;
	uint64_t address;
	char *end;

	if (!mnemonic || strncmp(mnemonic + 1, "pause", 5))
		return;
	address = strtoull(line, &end, 16);
	if (*end != ':')
		return;
	if (p->n == p->size) {
		uint64_t *grown = reallocarray(p->address, 2 * p->size + 64, sizeof(*grown));

		p->failed |= !grown;
		if (!grown)
			return;
		p->address = grown;
		p->size = 2 * p->size + 64;
	}
	p->address[p->n++] = address;
}

static int disassemble(const char *vmlinux, size_t len, struct pauses *p, struct hb_error *e)
{
	HB_CLOSE int fd = memfd_create("vmlinux", MFD_CLOEXEC);
	HB_FREE char *path = hb_strf("/proc/%d/fd/%d", getpid(), fd);
	/* There are two million lines, of which the bytes are the larger half. */
	char *argv[] = {"objdump", "-d", "-w", "--no-show-raw-insn", path, NULL};
	const char *env[] = {"LC_ALL=C", NULL};
	struct child c = {.env = env};
	int rc = fd < 0 ? -errno : path ? hb_write_all(fd, vmlinux, len) : -ENOMEM;

	if (rc)
		return hb_error_set(e, rc, "no memory for a kernel");
	rc = child_run(&c, argv, disassembled, p);
	if (rc == 127)
		return hb_error_set(e, -ENODEV, "objdump is missing; apt-get install binutils");
	if (rc)
		return hb_error_set(e, -EIO, "objdump exited with %d", rc);
	return p->failed ? hb_error_set(e, -ENOMEM, "no memory") : 0;
}

/* Where @address of a code section lies in the file; 0: nowhere. */
static uint64_t file_offset(Elf *elf, uint64_t address)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_flags & SHF_EXECINSTR &&
		    sh.sh_type == SHT_PROGBITS && address >= sh.sh_addr &&
		    address + BYTES <= sh.sh_addr + sh.sh_size)
			return sh.sh_offset + (address - sh.sh_addr);
	return 0;
}

static int overwrite(const struct pauses *p, char *vmlinux, size_t len, struct hb_error *e)
{
	Elf *elf;
	int rc = 0;

	elf_version(EV_CURRENT);
	elf = elf_memory(vmlinux, len);
	for (size_t i = 0; !rc && i < p->n; i++) {
		uint64_t at = file_offset(elf, p->address[i]);

		if (!at || at + BYTES > len || memcmp(vmlinux + at, PAUSE, BYTES))
			rc = hb_error_set(e, -EIO, "no PAUSE at %#llx, where objdump sees one",
					  (unsigned long long)p->address[i]);
		else
			memcpy(vmlinux + at, NOP, BYTES);
	}
	elf_end(elf);
	return rc;
}

/* A bzimage_edit callback. */
static int replace_pauses(char *vmlinux, size_t len, struct hb_error *e)
{
	struct pauses p = {0};
	int rc = disassemble(vmlinux, len, &p, e);

	if (!rc)
		rc = overwrite(&p, vmlinux, len, e);
	free(p.address);
	return rc;
}

int pause_remove(const char *bzimage, const char *cache, char **path, struct hb_error *e)
{
	HB_FREE char *dir = hb_strf("%s/exact", cache), *made = NULL;
	char hex[DIGEST_LEN + 1];
	int rc = digest_of_file(bzimage, hex);

	*path = NULL;
	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", bzimage, strerror(-rc));
	made = hb_strf("%s/exact/%s-" STEPS, cache, hex);
	if (!dir || !made || hb_mkdir_all(dir))
		return hb_error_set(e, -ENOMEM, "cannot make %s/exact", cache);
	if (access(made, R_OK)) {
		rc = bzimage_edit(bzimage, made, replace_pauses, e);
		if (rc)
			return hb_error_prefix(e, rc, "%s without PAUSE", bzimage);
	}
	*path = HB_STEAL(made);
	return 0;
}
