/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of what others wrote, each fed with any bytes. libFuzzer makes them (`make fuzz`);
 * `make test` replays the kept seeds in tests/fuzz/seeds/TARGET/.
 */
#ifndef HB_TESTS_FUZZ_H
#define HB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_target {
	const char *name;
	void (*run)(const uint8_t *data, size_t len);
};

/* All of them; name NULL at the end. */
extern const struct fuzz_target fuzz_targets[];
/* The one called @name, or NULL. */
const struct fuzz_target *fuzz_find(const char *name);

/* The bytes as a string, owned by the caller; aborts without memory. */
char *fuzz_text(const uint8_t *data, size_t len);
/* A directory in memory that lasts as long as the process, whose files the caller replaces. */
const char *fuzz_directory(void);
/* Write @len bytes to fuzz_directory()/@name; the path, owned by the caller. */
char *fuzz_file(const char *name, const uint8_t *data, size_t len);

void fuzz_frames(const uint8_t *data, size_t len);
void fuzz_stream(const uint8_t *data, size_t len);
void fuzz_qmp(const uint8_t *data, size_t len);
void fuzz_console(const uint8_t *data, size_t len);
void fuzz_cell(const uint8_t *data, size_t len);
void fuzz_hist(const uint8_t *data, size_t len);
void fuzz_run(const uint8_t *data, size_t len);
void fuzz_scenario(const uint8_t *data, size_t len);
void fuzz_keyfile(const uint8_t *data, size_t len);
void fuzz_summary(const uint8_t *data, size_t len);
void fuzz_pglog(const uint8_t *data, size_t len);
void fuzz_elf(const uint8_t *data, size_t len);
void fuzz_bzimage(const uint8_t *data, size_t len);

#endif
