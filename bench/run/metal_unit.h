/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The systemd unit that goes on with a run of `hugebench metal` at every boot of the machine. */
#ifndef HB_METAL_UNIT_H
#define HB_METAL_UNIT_H

#include <jansson.h>

#include "bench/base/util.h"

#define METAL_UNIT     "hugebench-metal.service"
#define METAL_UNIT_DIR "/etc/systemd/system"
/* For an arm's command line: it boots no further than this unit needs. */
#define METAL_UNIT_BOOT "systemd.unit=" METAL_UNIT

/* Is systemd this machine's init? */
bool metal_unit_possible(void);
/*
 * Its text. @executable: of hugebench; @results: where the run is; @environment: {NAME: VALUE}.
 * Owned by the caller; NULL without memory.
 */
char *metal_unit_text(const char *executable, const char *results, const json_t *environment);
/* Write it to @directory, to be started at every boot; with @directory METAL_UNIT_DIR systemd is
 * told. */
int metal_unit_install(const char *directory, const char *text, struct hb_error *e);
/* Is it there, or a part of it? */
bool metal_unit_is_there(const char *directory);
/* Remove it, whatever of it is there. */
int metal_unit_remove(const char *directory, struct hb_error *e);

#endif
