/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PostgreSQL of another version than the host's, from the Debian suite that has it. */
#ifndef HB_SUITEPG_H
#define HB_SUITEPG_H

#include "bench/base/util.h"

/* Its libraries, with the dynamic linker, are in PREFIX SUITEPG_ROOT/VERSION/libraries. */
#define SUITEPG_ROOT "/usr/lib/postgresql"

/* -EINVAL: no suite has major version @version; the message names those that can be had. */
int suitepg_check(unsigned int version, struct hb_error *e);
/*
 * Programs, modules, libraries and catalogue of major version @version, fetched by apt, which
 * checks them against Debian's keyring, and kept in @cache: what was chosen once stays chosen.
 * Nothing is installed. *@prefix, owned by the caller, is the directory that has usr/. The programs
 * look for their dynamic linker where it is in the guest, and so do not start on the host.
 */
int suitepg_resolve(const char *cache, unsigned int version, char **prefix, struct hb_error *e);
/*
 * What the program @name of suitepg_resolve()'s @prefix says to @argument, on the host; owned by
 * the caller, NULL when it does not run. It must start no other program.
 */
char *suitepg_ask(const char *prefix, unsigned int version, const char *name, const char *argument);
/*
 * Have the programs of a copy of @prefix at @place start on the host, from where they are.
 */
int suitepg_settle(const char *prefix, unsigned int version, const char *place, struct hb_error *e);

#endif
