/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debian packages without root: apt with a configuration and state of our own. */
#ifndef HB_APT_H
#define HB_APT_H

#include "bench/base/util.h"

/*
 * URI of the archive that holds Debian's security suites, from the machine's own apt sources below
 * @etc ("/etc/apt"). An entry with a *-security suite wins; else the security archive beside a main
 * one (".../debian" -> ".../debian-security"). -ENODEV: none of them is Debian's, or apt cannot
 * read them. *@uri is owned by the caller.
 */
int apt_security_uri(const char *etc, char **uri, struct hb_error *e);

/* The same of Debian's main archive (".../debian"). */
int apt_main_uri(const char *etc, char **uri, struct hb_error *e);

/*
 * Of what `apt-config dump` prints, the lines that say how this machine reaches an archive:
 * proxies, time limits, checks of dates. Owned by the caller; NULL without memory.
 */
char *apt_access(const char *dump);

#define APT_PACKAGES 2

struct apt {
	char *directory; /* private configuration, lists and cache */
	char *config;	 /* "APT_CONFIG=..." */
	bool whole;	 /* for the caller to set: apt_unpacked() also fetches what the host has */
};

/*
 * Set up private apt below @directory with component main of the @suite (or several, separated by
 * blanks) at @uri, and update its lists.
 */
int apt_begin(struct apt *a, const char *directory, const char *uri, const char *suite,
	      struct hb_error *e);
/* Fetch package=version into @into (a directory). -ENOENT: that version is not offered. */
int apt_download(const struct apt *a, const char *package, const char *version, const char *into,
		 struct hb_error *e);
/*
 * Fetch @packages ("name" or "name/suite", NULL-terminated, at most APT_PACKAGES) with what they
 * need and the host lacks, and unpack all of it into PLACE/root, which is replaced as a whole.
 * Nothing is installed, no root is needed. @a is NULL: as the host's own configuration has it.
 */
int apt_unpacked(const struct apt *a, const char *const packages[], const char *place,
		 struct hb_error *e);
/* The newest version on offer; owned by the caller; NULL with the reason. */
char *apt_newest(const struct apt *a, const char *package, struct hb_error *e);
/* Names of the packages that begin like @pattern up to its first '*', a line each; owned by the
 * caller, NULL when apt fails. */
char *apt_names(const struct apt *a, const char *pattern);
void apt_end(struct apt *a);

#endif
