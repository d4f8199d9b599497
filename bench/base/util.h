/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaf helpers that host and guest share: errors with a text, cleanup
 * attributes, strings, small files, clocks. Nothing here knows hugetlb or QEMU.
 */
#ifndef HB_BASE_UTIL_H
#define HB_BASE_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NSEC_PER_SEC  1000000000ULL

/*
 * A message for the user. Functions that can fail for a reason worth telling
 * return -errno and fill this; the caller adds nothing but context. A NULL
 * pointer is accepted everywhere and drops the text. It may quote what others wrote: control
 * characters become '?'.
 */
struct hb_error {
	char text[1024];
};

/* Format the message; returns @code (a negative errno), so that a function can return it. */
int hb_error_set(struct hb_error *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Put "prefix: " before the message that is there; returns @code. */
int hb_error_prefix(struct hb_error *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Cleanup attributes: a local declared with one of these is released at scope exit. */
void hb_cleanup_free(void *p);
void hb_cleanup_fd(int *fd);
void hb_cleanup_file(FILE **f);
#define HB_FREE	  __attribute__((cleanup(hb_cleanup_free)))
#define HB_CLOSE  __attribute__((cleanup(hb_cleanup_fd)))
#define HB_FCLOSE __attribute__((cleanup(hb_cleanup_file)))
/* Take a pointer out of a variable that would free it. */
#define HB_STEAL(p)                                                                                \
	({                                                                                         \
		__typeof__(p) hb_steal_ = (p);                                                     \
		(p) = NULL;                                                                        \
		hb_steal_;                                                                         \
	})

/* asprintf() that returns the string, owned by the caller, or NULL without memory. */
char *hb_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Replace *@field by @text, which it owns from now on; -ENOMEM for NULL. */
int hb_set_text(char **field, char *text, struct hb_error *e);

/*
 * Read a whole small file (also of /proc and /sys, whose size is 0). The text is
 * NUL-terminated and owned by the caller; *@len may be NULL. At most 64 MiB, else -EFBIG.
 */
int hb_file_read(const char *path, char **text, size_t *len);
/* The first line of a small file, without its end; owned by the caller, NULL when it cannot be
 * read.
 */
char *hb_file_line(const char *path);
/* Write @text to an existing or new file, in one write() (sysfs wants that). */
int hb_file_write(const char *path, const char *text);
/* Write to a temporary neighbour, fsync, rename: the file is whole or absent. */
int hb_file_write_atomic(const char *path, const void *data, size_t len);
/* Tells this boot of the running kernel from every other; owned by the caller, NULL when it cannot
 * be read.
 */
char *hb_boot_id(void);
/* Is @text one of @list, which ends with NULL? */
bool hb_is_one_of(const char *text, const char *const *list);
/* Decimal, or 0x hexadecimal, without sign; the whole string must be used. */
int hb_parse_u64(const char *s, uint64_t *v);
/* Read an unsigned decimal from a one-value file such as /proc/sys/vm/nr_hugepages. */
int hb_file_read_u64(const char *path, uint64_t *value);
/*
 * The number behind "KEY:" at the beginning of a line, as in /proc/meminfo and /proc/PID/status, in
 * the text's own unit (KiB, pages). -ENOENT: no such line; -EBADMSG: no number in it.
 */
int hb_text_number(const char *text, const char *key, uint64_t *value);
/* The same of the file @path; other errors as hb_file_read(). */
int hb_file_number(const char *path, const char *key, uint64_t *value);
/* mkdir -p, mode 0777 less the umask. */
int hb_mkdir_all(const char *path);
/* rm -r; a path that does not exist is no error. Does not follow links out of the tree. */
int hb_remove_all(const char *path);
/* An empty directory @path in the place of whatever is there; @e names it. */
int hb_mkdir_empty(const char *path, struct hb_error *e);
/* Write all of @len bytes, across short writes and EINTR. */
int hb_write_all(int fd, const void *data, size_t len);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t hb_now_ns(void);
/* Sleep until an absolute CLOCK_MONOTONIC time, across signals. */
void hb_sleep_until_ns(uint64_t when);

/* Write @word as a shell takes it for one word; returns the bytes written. */
int hb_shell_word(FILE *out, const char *word);

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one step of the state; any state will do. */
uint64_t hb_random(uint64_t *state);

#endif
