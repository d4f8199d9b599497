/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cppcheck reads before every file (make check-lint): jansson's loops, which it cannot make
 * out in jansson.h. By -D it would take them for the end of a definition at their first semicolon,
 * and then pass over every file without a word.
 */
#define json_array_foreach(a, i, v)                                                                \
	for (i = 0; i < json_array_size(a) && (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) for (k = 0; (v = json_object_get(o, k));)
