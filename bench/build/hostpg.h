/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PostgreSQL of this host: its programs, and what of it goes into the guest. */
#ifndef HB_HOSTPG_H
#define HB_HOSTPG_H

#include <jansson.h>

#include "bench/base/util.h"
#include "bench/host/digest.h"

#define HOSTPG_MIN_VERSION 15

struct hostpg {
	char *prefix;	    /* "" when installed; else where the packages were unpacked */
	char *bin;	    /* directory of the programs, prefix included */
	char *version;	    /* "15.20" */
	char *identity;	    /* the whole of what `postgres --version` says */
	char *libraries;    /* "LD_LIBRARY_PATH=..." for running the programs, or NULL */
	unsigned int suite; /* major version, when it is another suite's: see suitepg.h; else 0 */
	char hash[DIGEST_LEN +
		  1];  /* of the files, for a package may be built anew as the same version */
	json_t *files; /* {"/guest/path": "/host/path"}: programs, libraries, extensions, time zone
			*/
};

/*
 * @version 0: find the newest PostgreSQL from HOSTPG_MIN_VERSION on: the installed one, else
 * packages unpacked in @cache, which are fetched by apt when they are not there. Installing
 * Debian's server package would create a database and start a server on the host; unpacking leaves
 * the host as it was and needs no root. Else that major version: the installed one, else
 * suitepg_resolve()'s. -ENODEV: not to be had, the message has the command. -EINVAL: there is no
 * such version.
 */
int hostpg_find(const char *cache, unsigned int version, struct hostpg *pg, struct hb_error *e);
/* -EINVAL: major version @version is neither installed nor in a Debian suite. */
int hostpg_check(unsigned int version, struct hb_error *e);
/* "LD_LIBRARY_PATH=..." for programs unpacked below @prefix; owned by the caller. */
char *hostpg_libraries(const char *prefix);
void hostpg_free(struct hostpg *pg);

#endif
