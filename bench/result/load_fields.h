/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of a JSON object out of a run's files, checked. 0, -EINVAL with the key and what is wrong
 * with it, or -ENOMEM.
 */
#ifndef HB_LOAD_FIELDS_H
#define HB_LOAD_FIELDS_H

#include "bench/result/load.h"

/* A string member, kept in the run's set; absent: "" unless @required. */
int field_string(struct load_run *run, const json_t *j, const char *key, bool required,
		 const char **out, struct hb_error *e);
/* A string member that is there and names something. */
int field_name(struct load_run *run, const json_t *j, const char *key, size_t longest,
	       const char **out, struct hb_error *e);
/* An array of at most @most members, or absent. */
int field_array(const json_t *j, const char *key, size_t most, const json_t **out,
		struct hb_error *e);
/* A finite number; absent: NAN unless @required. */
int field_number(const json_t *j, const char *key, bool required, bool negative, double *out,
		 struct hb_error *e);
int field_count(const json_t *j, const char *key, bool required, double *out, struct hb_error *e);
int field_unsigned(const json_t *j, const char *key, unsigned int *out, struct hb_error *e);
/* false where it is not said */
int field_bool(const json_t *j, const char *key, bool *out, struct hb_error *e);

#endif
