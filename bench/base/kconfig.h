/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a kernel's .config. */
#ifndef HB_BASE_KCONFIG_H
#define HB_BASE_KCONFIG_H

#include <jansson.h>

#include "bench/base/util.h"

/*
 * Lines by which the .config files @a and @b differ ("-CONFIG_X=y" in @a, "+CONFIG_X=m" in @b),
 * comments and compiler version lines aside; new reference to an array, empty when they are alike;
 * NULL on a read error.
 */
json_t *kconfig_diff(const char *a, const char *b, struct hb_error *e);
/*
 * The .config file @path: *@config maps "CONFIG_X" to its whole line, comments and what only names
 * the compiler left out; new reference, also where reading fails. 0, or -errno.
 */
int kconfig_read(const char *path, json_t **config, struct hb_error *e);
/*
 * Has @config @symbol ("CONFIG_USERFAULTFD"): as y, or as m where it is one of @loaded (array of
 * symbols whose modules are loaded, or NULL)?
 */
bool kconfig_has(const json_t *config, const char *symbol, const json_t *loaded);
/* Has @config @symbol as y? */
bool kconfig_builtin(const json_t *config, const char *symbol);
/* The text between the quotes of @symbol, owned by the caller. NULL: none, or an empty one. */
char *kconfig_text(const json_t *config, const char *symbol);

#endif
